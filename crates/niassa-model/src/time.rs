//! Points in time, as microseconds, and the one door to the clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z. Printed as RFC 3339 with seconds.
///
/// Microseconds, because that is what both databases keep alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Makes a timestamp of microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Reads the time of an HTTP `Date` header (RFC 9110, 5.6.7), which has whole seconds.
    pub fn from_http_date(text: &str) -> Option<Self> {
        let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Self(time.as_microsecond()))
    }

    /// Returns the microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Returns the microseconds from `earlier` to this, never negative.
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0.div_euclid(1_000_000)) {
            Ok(time) => write!(formatter, "{time}"),
            Err(_) => write!(formatter, "{} microseconds", self.0),
        }
    }
}

/// Where the current time comes from, so that a test can decide what time it is.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_date_of_an_http_answer() {
        let read = Timestamp::from_http_date("Fri, 15 Jan 2027 08:00:00 GMT");
        assert_eq!(read, Some(Timestamp::from_micros(1_800_000_000_000_000)));
        assert_eq!(Timestamp::from_http_date("yesterday"), None);
    }

    #[test]
    fn prints_as_rfc_3339() {
        assert_eq!(
            Timestamp::from_micros(1_800_000_000_123_456).to_string(),
            "2027-01-15T08:00:00Z"
        );
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59Z");
    }
}
