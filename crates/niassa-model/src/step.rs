//! Steps of a plan, their attempts, and the key that names an attempt everywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::accession::Accession;
use crate::run::RunTag;

/// A step's place in its plan, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIndex(pub u32);

impl StepIndex {
    /// Returns the index for looking into a plan's list of steps.
    pub fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for StepIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// An attempt of a step, counted from 1: one permission to start the step once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNumber(pub u32);

impl AttemptNumber {
    /// The first attempt of every step.
    pub const FIRST: Self = Self(1);

    /// Returns the attempt after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for AttemptNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A step's name: a letter, then at most 63 letters, digits, `_` or `-`. It is part of paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepName(String);

/// A name that a step cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a step name: a letter, then at most 63 of A-Z a-z 0-9 _ -")]
pub struct StepNameError(String);

impl StepName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StepName {
    type Error = StepNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let first_is_letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let rest_is_plain =
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if first_is_letter && rest_is_plain && text.len() <= 64 {
            Ok(Self(text))
        } else {
            Err(StepNameError(text))
        }
    }
}

impl From<StepName> for String {
    fn from(name: StepName) -> Self {
        name.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Names one attempt of one step of one run: job name, comment, and line in every journal.
///
/// Written as `nia-<swid>-<tag>-s<index>-a<attempt>`. The tag keeps it unique even when a MetaDB
/// restored from a backup deals out the same accession again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptKey {
    /// The run's accession.
    pub run: Accession,
    /// The run's random tag.
    pub tag: RunTag,
    /// The step within the plan.
    pub step: StepIndex,
    /// Which attempt of that step.
    pub attempt: AttemptNumber,
}

/// Text that is not the key of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the key of an attempt (nia-<swid>-<tag>-s<index>-a<attempt>)")]
pub struct AttemptKeyError(String);

impl AttemptKey {
    /// Returns the beginning that all keys of a run share, with its closing hyphen.
    pub fn run_prefix(run: Accession, tag: &RunTag) -> String {
        format!("nia-{run}-{tag}-")
    }

    /// Returns the run, told apart from others that once had its accession.
    pub fn run_and_tag(&self) -> (Accession, RunTag) {
        (self.run, self.tag.clone())
    }
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "nia-{}-{}-s{}-a{}", self.run, self.tag, self.step, self.attempt)
    }
}

impl FromStr for AttemptKey {
    type Err = AttemptKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_key(text).ok_or_else(|| AttemptKeyError(text.to_owned()))
    }
}

fn parse_key(text: &str) -> Option<AttemptKey> {
    let mut parts = text.strip_prefix("nia-")?.split('-');
    let key = AttemptKey {
        run: parts.next()?.parse().ok()?,
        tag: parts.next()?.parse().ok()?,
        step: StepIndex(parts.next()?.strip_prefix('s')?.parse().ok()?),
        attempt: AttemptNumber(parts.next()?.strip_prefix('a')?.parse().ok()?),
    };
    // Only the canonical spelling counts: `+1` and `01` parse as numbers but were never written by us.
    (parts.next().is_none() && key.attempt.0 > 0 && key.to_string() == text).then_some(key)
}

impl TryFrom<String> for AttemptKey {
    type Error = AttemptKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AttemptKey> for String {
    fn from(key: AttemptKey) -> Self {
        key.to_string()
    }
}

/// What is known of a step or of one of its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not started yet.
    Pending,
    /// Its user code was given permission to start and has not ended.
    Running,
    /// Ended with success, its outputs provisioned.
    Success,
    /// Ended otherwise; the reason says how.
    Failed,
    /// Will not run because a step before it did not succeed.
    Skipped,
    /// Stopped, or never started, because a person cancelled the run.
    Cancelled,
    /// No result is known, and none will come.
    Lost,
}

impl StepStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
        Self::Lost,
    ];

    /// Returns the word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }

    /// Tells whether an attempt with this status will never change again.
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Success | Self::Failed | Self::Skipped | Self::Cancelled | Self::Lost => true,
        }
    }

    /// Returns how much is known: facts of an attempt only rise in this number.
    pub fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 1,
            Self::Success | Self::Failed | Self::Skipped | Self::Cancelled | Self::Lost => 2,
        }
    }
}

impl fmt::Display for StepStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for StepStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a step status"))
    }
}

/// Why a step ended other than with success. The list is closed: programs branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepReason {
    /// The command ended with an exit code other than 0.
    ExitCode,
    /// The command was ended by a signal that was not ours.
    Signal,
    /// It needed more memory than it was given.
    OutOfMemory,
    /// It ran longer than it was allowed.
    TimeLimit,
    /// Its machine failed.
    NodeFailure,
    /// The scheduler took its place away.
    Preempted,
    /// No result is known.
    Lost,
    /// A step before it did not succeed.
    ParentFailed,
    /// An input could not be read or fetched.
    ProvisionIn,
    /// An output is missing, or could not be checksummed or moved.
    ProvisionOut,
    /// It never started: too large for the machine, or its command could not be executed.
    CouldNotStart,
    /// A second job for the same attempt; it did nothing.
    Duplicate,
    /// A person cancelled the run.
    CancelledBy,
}

impl StepReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::ExitCode,
        Self::Signal,
        Self::OutOfMemory,
        Self::TimeLimit,
        Self::NodeFailure,
        Self::Preempted,
        Self::Lost,
        Self::ParentFailed,
        Self::ProvisionIn,
        Self::ProvisionOut,
        Self::CouldNotStart,
        Self::Duplicate,
        Self::CancelledBy,
    ];

    /// Returns the word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExitCode => "exit_code",
            Self::Signal => "signal",
            Self::OutOfMemory => "out_of_memory",
            Self::TimeLimit => "time_limit",
            Self::NodeFailure => "node_failure",
            Self::Preempted => "preempted",
            Self::Lost => "lost",
            Self::ParentFailed => "parent_failed",
            Self::ProvisionIn => "provision_in",
            Self::ProvisionOut => "provision_out",
            Self::CouldNotStart => "could_not_start",
            Self::Duplicate => "duplicate",
            Self::CancelledBy => "cancelled_by",
        }
    }
}

impl fmt::Display for StepReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for StepReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a reason of a step"))
    }
}

/// How an attempt came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Outcome {
    /// A final status.
    pub status: StepStatus,
    /// Why, unless it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<StepReason>,
    /// The exit code of the command, where it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended the command, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

impl Outcome {
    /// The command exited with 0 and its outputs are in place.
    pub const SUCCESS: Self =
        Self { status: StepStatus::Success, reason: None, exit_code: Some(0), signal: None };

    /// Makes an outcome that no exit code or signal stands behind.
    pub const fn without_exit(status: StepStatus, reason: StepReason) -> Self {
        Self { status, reason: Some(reason), exit_code: None, signal: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_reads_back(run in 1i64.., tag in "[a-z2-7]{10}", step in any::<u32>(), attempt in 1u32..) {
            let key = AttemptKey {
                run: Accession::try_from(run).expect("positive"),
                tag: tag.parse().expect("a tag"),
                step: StepIndex(step),
                attempt: AttemptNumber(attempt),
            };
            prop_assert_eq!(key.to_string().parse::<AttemptKey>(), Ok(key));
        }

        #[test]
        fn any_text_is_a_key_or_an_error(text in ".{0,60}") {
            if let Ok(key) = text.parse::<AttemptKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }

    #[test]
    fn keys_have_one_spelling() {
        for text in [
            "nia-1-abcdefghij-s0-a0",
            "nia-01-abcdefghij-s0-a1",
            "nia-1-abcdefghij-s+1-a1",
            "nia-1-abcdefghij-s0-a1-",
            "nia-1-abcdefghi-s0-a1",
            "nia-1-ABCDEFGHIJ-s0-a1",
        ] {
            assert!(text.parse::<AttemptKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn step_names_are_safe_in_paths() {
        for name in ["a", "Align_2-x", &"a".repeat(64)] {
            assert!(StepName::try_from(name.to_owned()).is_ok(), "{name}");
        }
        for name in ["", "1a", "a/b", "..", "a b", "ä", "a\n", &"a".repeat(65)] {
            assert!(StepName::try_from(name.to_owned()).is_err(), "{name}");
        }
    }

    #[test]
    fn words_read_back() {
        for status in StepStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        for reason in StepReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
    }
}
