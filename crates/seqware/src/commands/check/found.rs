//! What a check finds.

use serde::{Deserialize, Serialize};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is well.
    Good,
    /// It cannot be told from here.
    NotKnown,
    /// It works, but somebody should look.
    Doubtful,
    /// It must be mended.
    Bad,
}

impl Verdict {
    /// Judges what there must be enough of.
    pub fn of_rest(left: u64, doubtful_below: u64, bad_below: u64) -> Self {
        if left < bad_below {
            Self::Bad
        } else if left < doubtful_below {
            Self::Doubtful
        } else {
            Self::Good
        }
    }

    /// Judges what must not be too far, or too old.
    pub fn of_distance(distance: i64, doubtful_from: i64, bad_from: i64) -> Self {
        if distance >= bad_from {
            Self::Bad
        } else if distance >= doubtful_from {
            Self::Doubtful
        } else {
            Self::Good
        }
    }

    /// Returns the word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::NotKnown => "not_known",
            Self::Doubtful => "doubtful",
            Self::Bad => "bad",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What was looked at.
    pub check: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub finding: String,
    /// How to mend it.
    pub fix: Option<String>,
}

/// What was found about one part of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The part.
    pub title: String,
    /// The findings, in the order in which they were made.
    pub found: Vec<Found>,
}

impl Found {
    /// All is well.
    pub fn good(check: &str, finding: impl Into<String>) -> Self {
        let (check, finding) = (check.to_owned(), finding.into());
        Self { check, verdict: Verdict::Good, finding, fix: None }
    }

    /// As judged; the fix is kept where something is to be looked at or mended.
    pub fn judged(
        verdict: Verdict,
        check: &str,
        finding: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let fix = matches!(verdict, Verdict::Doubtful | Verdict::Bad).then(|| fix.into());
        Self { check: check.to_owned(), verdict, finding: finding.into(), fix }
    }

    /// Nobody can tell from here.
    pub fn not_known(check: &str, finding: impl Into<String>) -> Self {
        let (check, finding) = (check.to_owned(), finding.into());
        Self { check, verdict: Verdict::NotKnown, finding, fix: None }
    }

    /// Somebody should look.
    pub fn doubtful(check: &str, finding: impl Into<String>, fix: impl Into<String>) -> Self {
        let (check, finding, fix) = (check.to_owned(), finding.into(), Some(fix.into()));
        Self { check, verdict: Verdict::Doubtful, finding, fix }
    }

    /// It must be mended.
    pub fn bad(check: &str, finding: impl Into<String>, fix: impl Into<String>) -> Self {
        let (check, finding, fix) = (check.to_owned(), finding.into(), Some(fix.into()));
        Self { check, verdict: Verdict::Bad, finding, fix }
    }
}

/// Fails the test unless a finding has a verdict, and a fix where something is to be mended.
#[cfg(test)]
#[track_caller]
pub fn assert_verdict(found: &Found, verdict: Verdict) {
    assert_eq!(found.verdict, verdict, "{found:?}");
    let needs_fix = matches!(verdict, Verdict::Bad | Verdict::Doubtful);
    assert_eq!(found.fix.is_some(), needs_fix, "{found:?}");
    assert!(!found.finding.is_empty(), "{found:?}");
}
