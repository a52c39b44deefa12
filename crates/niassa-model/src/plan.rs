//! The plan of a run: every step with its command, what it waits for and what it asks for.
//!
//! A plan is built once, at launch, by `niassa-bundle`, and stored as `plan.json` in the run
//! directory; retry and recovery read it and never build it again.

use serde::{Deserialize, Serialize};

use crate::resources::Resources;
use crate::step::{StepIndex, StepName, StepReason};

/// Every step of a run. Steps stand in topological order: a step waits only for earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this format: 1.
    pub format: u32,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: String,
    /// What the steps read from outside; linked into the run directory before anything starts.
    pub inputs: Vec<PlannedInput>,
    /// Where outputs go; without it they stay in the run directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_folder: Option<String>,
    /// The steps, each at its own index.
    pub steps: Vec<PlannedStep>,
}

/// One input of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedInput {
    /// The parameter that names it.
    pub parameter: String,
    /// An absolute path, or a URL.
    pub source: String,
    /// Where the run directory shows it: `provisionfiles/<n>/<name>`.
    pub link: String,
    /// Its type, such as `chemical/seq-na-fastq-gzip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_type: Option<String>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The step's name in the manifest; elements of a `foreach` share it.
    pub name: StepName,
    /// Which element of a `foreach` this is, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<u32>,
    /// The steps that must have succeeded before; all have a smaller index.
    pub after: Vec<StepIndex>,
    /// The whole text of `command.sh`.
    pub command: String,
    /// What the step asks of a machine.
    pub resources: Resources,
    /// The files it makes that become part of provenance.
    pub outputs: Vec<PlannedOutput>,
    /// When to try again without a person.
    #[serde(default, skip_serializing_if = "RetryPolicy::is_never")]
    pub retry: RetryPolicy,
}

impl PlannedStep {
    /// Returns what people call the step: its name, with the element's number in a `foreach`.
    pub fn label(&self) -> String {
        match self.element {
            Some(element) => format!("{}[{element}]", self.name),
            None => self.name.to_string(),
        }
    }
}

/// One file that a step makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedOutput {
    /// Relative to the run's `work/`; has no `..` and does not begin with `/`.
    pub path: String,
    /// Its type, such as `text/vcf-4-gzip`.
    pub meta_type: String,
}

/// When a step gets a further attempt without a person, and with how much more of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Further attempts; 0 is none.
    pub max: u32,
    /// The reasons that allow one; empty means every reason but a person's cancel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<StepReason>,
    /// What memory is multiplied by at each further attempt, in percent; 100 leaves it.
    #[serde(default = "hundred", skip_serializing_if = "is_hundred")]
    pub memory_percent: u32,
    /// What time is multiplied by at each further attempt, in percent; 100 leaves it.
    #[serde(default = "hundred", skip_serializing_if = "is_hundred")]
    pub time_percent: u32,
    /// Seconds before the second attempt; doubled before each one after.
    #[serde(default)]
    pub backoff_seconds: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::NEVER
    }
}

fn hundred() -> u32 {
    100
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_hundred(percent: &u32) -> bool {
    *percent == 100
}

impl RetryPolicy {
    /// Never a further attempt without a person: what a step has that says nothing.
    pub const NEVER: Self =
        Self { max: 0, on: Vec::new(), memory_percent: 100, time_percent: 100, backoff_seconds: 0 };

    /// Tells whether the policy never allows a further attempt.
    pub fn is_never(&self) -> bool {
        self.max == 0
    }

    /// Tells whether an attempt that ended for `reason` may be followed by one of the policy's.
    pub fn covers(&self, reason: StepReason) -> bool {
        let allowed = match reason {
            StepReason::CancelledBy | StepReason::ParentFailed | StepReason::Duplicate => false,
            StepReason::ExitCode
            | StepReason::Signal
            | StepReason::OutOfMemory
            | StepReason::TimeLimit
            | StepReason::NodeFailure
            | StepReason::Preempted
            | StepReason::Lost
            | StepReason::ProvisionIn
            | StepReason::ProvisionOut
            | StepReason::CouldNotStart => true,
        };
        allowed && (self.on.is_empty() || self.on.contains(&reason))
    }

    /// Returns what the attempt after `repeated` counted ones may use.
    #[must_use]
    pub fn resources_after(&self, asked: Resources, repeated: u32) -> Resources {
        let grow = |amount: u64, percent: u32| {
            (0..repeated).fold(amount, |amount, _| {
                let grown = u128::from(amount) * u128::from(percent) / 100;
                u64::try_from(grown).unwrap_or(u64::MAX)
            })
        };
        Resources {
            threads: asked.threads,
            memory_bytes: asked.memory_bytes.map(|bytes| grow(bytes, self.memory_percent)),
            seconds: asked.seconds.map(|seconds| grow(seconds, self.time_percent)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_asks_for_more_each_time() {
        let policy = RetryPolicy { max: 2, memory_percent: 200, ..RetryPolicy::NEVER };
        let asked = Resources { threads: 1, memory_bytes: Some(4), seconds: Some(10) };
        assert_eq!(policy.resources_after(asked, 0), asked);
        assert_eq!(policy.resources_after(asked, 2).memory_bytes, Some(16));
        assert_eq!(policy.resources_after(asked, 2).seconds, Some(10));
        let huge = Resources { memory_bytes: Some(u64::MAX / 2), ..asked };
        assert_eq!(policy.resources_after(huge, 40).memory_bytes, Some(u64::MAX));
    }

    #[test]
    fn a_cancel_is_never_repeated() {
        let always = RetryPolicy { max: 9, ..RetryPolicy::NEVER };
        assert!(!always.covers(StepReason::CancelledBy));
        assert!(always.covers(StepReason::ExitCode));
        let memory = RetryPolicy { on: vec![StepReason::OutOfMemory], ..always };
        assert!(memory.covers(StepReason::OutOfMemory) && !memory.covers(StepReason::ExitCode));
    }
}
