//! Host labels: which launchers a run is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::HOST_LABEL_BYTES;

/// A label that a run is scheduled for and a launcher serves. Usually a host's full name, but any
/// text of 1 to 1,024 bytes without control characters will do; it is compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostLabel(String);

/// Text that cannot be a host label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostLabelError {
    /// Nothing was given.
    #[error("a host label is empty; any text that names the launcher will do")]
    Empty,
    /// Longer than 1,024 bytes.
    #[error("a host label has {0} bytes; at most {HOST_LABEL_BYTES} are allowed")]
    TooLong(usize),
    /// It holds a line break, a tab, or another control character.
    #[error("a host label holds a control character at byte {0}")]
    Control(usize),
}

impl HostLabel {
    /// Returns the label as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostLabel {
    type Error = HostLabelError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            return Err(HostLabelError::Empty);
        }
        if text.len() > HOST_LABEL_BYTES {
            return Err(HostLabelError::TooLong(text.len()));
        }
        if let Some((at, _)) = text.char_indices().find(|(_, c)| c.is_control()) {
            return Err(HostLabelError::Control(at));
        }
        Ok(Self(text))
    }
}

impl FromStr for HostLabel {
    type Err = HostLabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<HostLabel> for String {
    fn from(label: HostLabel) -> Self {
        label.0
    }
}

impl fmt::Display for HostLabel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_unique_text_is_a_label() {
        for label in ["server2", "s3://bucket/a b", " \"quoted\" ", "größe", &"x".repeat(1_024)] {
            assert_eq!(label.parse::<HostLabel>().expect("a label").as_str(), label);
        }
    }

    #[test]
    fn what_cannot_be_a_label_says_why() {
        assert_eq!("".parse::<HostLabel>(), Err(HostLabelError::Empty));
        assert_eq!("x".repeat(1_025).parse::<HostLabel>(), Err(HostLabelError::TooLong(1_025)));
        assert_eq!("a\nb".parse::<HostLabel>(), Err(HostLabelError::Control(1)));
        assert_eq!("a\0".parse::<HostLabel>(), Err(HostLabelError::Control(1)));
    }
}
