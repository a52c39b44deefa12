//! What is wrong with a manifest.

use std::fmt;

use super::FILE_NAME;

/// How many problems are told.
pub(super) const MOST: usize = 100;
/// How many characters of one are told: names in it may be of any length.
const LENGTH: usize = 1_000;

/// A manifest that cannot be used: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    problems: Vec<Problem>,
    rest: Rest,
}

/// Whether all problems are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// They are.
    None,
    /// There are more, which nobody would read.
    Untold,
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1, where it is known.
    line: Option<u64>,
    message: String,
}

impl ManifestError {
    /// Returns every problem as `workflow.yaml:LINE: what is wrong`.
    pub fn errors(&self) -> Vec<String> {
        let mut errors: Vec<String> = self.problems.iter().map(Problem::to_string).collect();
        if self.rest == Rest::Untold {
            errors.push(format!("{FILE_NAME}: there are more errors than these {MOST}"));
        }
        errors
    }

    /// Puts problems into the order of the manifest.
    pub(super) fn of(mut problems: Vec<Problem>, rest: Rest) -> Self {
        problems.sort_by_key(|problem| problem.line.unwrap_or(0));
        Self { problems, rest }
    }
}

impl From<Problem> for ManifestError {
    fn from(problem: Problem) -> Self {
        Self::of(vec![problem], Rest::None)
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => formatter.write_str("the manifest has an error"),
            count if self.rest == Rest::Untold => {
                write!(formatter, "the manifest has more than {count} errors")
            }
            count => write!(formatter, "the manifest has {count} errors"),
        }
    }
}

impl std::error::Error for ManifestError {
    /// The first problem stands for all where only a chain of errors is shown.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.problems.first().map(|problem| problem as _)
    }
}

impl Problem {
    /// Makes a problem at a line; line 0 is nowhere in particular.
    pub(super) fn at(line: u64, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(LENGTH) {
            message.truncate(end);
            message.push_str("...");
        }
        Self { line: Some(line).filter(|line| *line > 0), message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{FILE_NAME}:{line}: {}", self.message),
            None => write!(formatter, "{FILE_NAME}: {}", self.message),
        }
    }
}

impl std::error::Error for Problem {}
