//! Marks: short words that people give to runs and take away again, to find them by.
//!
//! Other systems call them labels or tags. Here a label is what launchers serve, and a tag is what no two
//! runs share; neither is ever given by hand.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that people give to runs: small letters and digits of any script, and some signs between.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark(String);

/// Text that is no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no mark: a word of 1 to {most} letters and digits, with - _ . : / + # @ between",
    most = Mark::CHARACTERS
)]
pub struct MarkError(String);

impl Mark {
    /// Most characters of a mark.
    pub const CHARACTERS: usize = 40;
    /// Most marks of a run.
    pub const OF_A_RUN: usize = 20;

    /// Returns the word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Mark {
    type Error = MarkError;

    /// Capitals become small letters, so that nobody has to remember which a word had.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let word = text.to_lowercase();
        let fits = word.chars().count() <= Self::CHARACTERS
            && word.starts_with(char::is_alphanumeric)
            && word.chars().all(|c| c.is_alphanumeric() || "-_.:/+#@".contains(c));
        if fits { Ok(Self(word)) } else { Err(MarkError(text.chars().take(80).collect())) }
    }
}

impl FromStr for Mark {
    type Err = MarkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.0
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_word_in_small_letters() {
        let read = |text: &str| text.parse::<Mark>().map(String::from);
        for (text, word) in
            [("Urgent", "urgent"), ("qc:failed/2", "qc:failed/2"), ("ÄRGER", "ärger"), ("3", "3")]
        {
            assert_eq!(read(text).as_deref(), Ok(word));
        }
        assert_eq!(read(&"x".repeat(Mark::CHARACTERS)).unwrap().len(), Mark::CHARACTERS);
    }

    #[test]
    fn what_misleads_or_divides_is_no_mark() {
        let long = "x".repeat(Mark::CHARACTERS + 1);
        let endless = "x".repeat(10_000);
        for text in
            ["", " ", "two words", "a,b", "-a", "\"a\"", "<b>", "a\u{202e}b", "a\0", "İ", &long]
        {
            assert_eq!(text.parse::<Mark>(), Err(MarkError(text.to_owned())), "{text}");
        }
        assert!(endless.parse::<Mark>().unwrap_err().to_string().len() < 250);
    }
}
