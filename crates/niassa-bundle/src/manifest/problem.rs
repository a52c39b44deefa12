//! What is wrong with a manifest.

use std::fmt;

use super::FILE_NAME;

/// A manifest that cannot be used: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    problems: Vec<Problem>,
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
        self.problems.iter().map(Problem::to_string).collect()
    }
}

impl From<Problem> for ManifestError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl From<Vec<Problem>> for ManifestError {
    /// Puts the problems into the order of the manifest.
    fn from(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.line.unwrap_or(0));
        Self { problems }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => formatter.write_str("the manifest has an error"),
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
        Self { line: Some(line).filter(|line| *line > 0), message: message.into() }
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
