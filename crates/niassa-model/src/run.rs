//! Workflow runs: their identity, their status machine, and the rules about them.

pub mod cluster;
pub mod facts;
pub mod mark;
pub mod reconcile;
pub mod sighting;
pub mod status;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use mark::Mark;
pub use status::{RunEvent, RunStatus};

/// Ten random characters of `a-z2-7`, drawn by the service when it accepts a run.
///
/// An accession may be dealt out again by a MetaDB restored from a backup; a tag never is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunTag(String);

/// Text that is not a run's tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the tag of a run: ten characters of a-z and 2-7")]
pub struct RunTagError(String);

impl RunTag {
    /// The characters of a tag: 32 of them, so five random bits make one.
    pub const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
    /// How many characters a tag has.
    pub const LENGTH: usize = 10;

    /// Makes a tag of ten random bytes; five bits of each count.
    pub fn from_random(random: [u8; Self::LENGTH]) -> Self {
        Self(random.iter().map(|byte| char::from(Self::ALPHABET[usize::from(byte % 32)])).collect())
    }

    /// Returns the tag's characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RunTag {
    type Error = RunTagError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = text.len() == Self::LENGTH && text.bytes().all(|b| Self::ALPHABET.contains(&b));
        if fits { Ok(Self(text)) } else { Err(RunTagError(text)) }
    }
}

impl FromStr for RunTag {
    type Err = RunTagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<RunTag> for String {
    fn from(tag: RunTag) -> Self {
        tag.0
    }
}

impl fmt::Display for RunTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_any_random_bytes_reads_back() {
        let tag = RunTag::from_random([0, 31, 32, 255, 1, 2, 3, 4, 5, 6]);
        assert_eq!(tag.as_str(), "a7a7bcdefg");
        assert_eq!(tag.as_str().parse(), Ok(tag));
    }
}
