//! How many runs wait: exact where few do, some moments old where thousands do.
//!
//! Counting costs as much as there is to count, and launchers claim the more often the more there is to
//! launch. The number is for people and for a tick that wants an end; which runs are given out is never
//! decided by it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// From so many on, a count is kept.
const MANY: u64 = 1_000;

/// How long a count is kept.
const KEPT_FOR: Duration = Duration::from_secs(2);

/// Counts of the last moments, by what was counted.
#[derive(Debug, Default)]
pub(crate) struct RecentCounts(Mutex<HashMap<String, (Instant, u64)>>);

impl RecentCounts {
    /// Returns what was counted a moment ago, where many were. When it is too old, the first to ask counts
    /// anew, and the others do not count beside it.
    pub(crate) fn recall(&self, what: &str, now: Instant) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, count) = counts.get_mut(what)?;
        if now.saturating_duration_since(*at) < KEPT_FOR {
            return Some(*count);
        }
        *at = now;
        None
    }

    /// Keeps a count, where many were counted; what is too old is forgotten.
    pub(crate) fn keep(&self, what: String, count: u64, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|_, (at, _)| now.saturating_duration_since(*at) < KEPT_FOR);
        if count < MANY {
            counts.remove(&what);
        } else {
            counts.insert(what, (now, count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_counts_are_kept_and_not_for_long() {
        let (counts, now) = (RecentCounts::default(), Instant::now());
        counts.keep("few".to_owned(), MANY - 1, now);
        assert_eq!(counts.recall("few", now), None);
        counts.keep("many".to_owned(), MANY, now);
        assert_eq!(counts.recall("many", now), Some(MANY));
        assert_eq!(counts.recall("others", now), None);
        let later = now + KEPT_FOR;
        assert_eq!(counts.recall("many", later), None, "the first to ask counts anew");
        assert_eq!(counts.recall("many", later), Some(MANY), "and nobody beside it");
        counts.keep("many".to_owned(), MANY - 1, later);
        assert_eq!(counts.recall("many", later), None);
        counts.keep("many".to_owned(), MANY, now);
        counts.keep("others".to_owned(), MANY, later);
        assert_eq!(counts.0.lock().unwrap().len(), 1, "what is too old is forgotten");
    }
}
