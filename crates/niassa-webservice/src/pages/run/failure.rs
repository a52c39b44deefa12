//! Why a run failed: the step that failed first, what it said, and what to do.

use niassa_api::runs::{Attempt, Step, StepLog};
use niassa_metadb::steps::OutlinedStep;
use niassa_model::step::{StepIndex, StepReason, StepStatus};

use crate::pages::words::{sentence, shown, shown_block};

/// Lines of a stream that are shown at once.
const LINES: usize = 20;

/// What stands on the first screen of a run that failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) label: String,
    pub(super) index: u32,
    pub(super) attempt: String,
    pub(super) reason: String,
    pub(super) advice: Option<&'static str>,
    pub(super) stream: Option<(&'static str, String)>,
    pub(super) others: usize,
}

/// Finds the step that failed first: those behind it were skipped, and those beside it came later.
pub(super) fn root(steps: &[OutlinedStep]) -> Option<StepIndex> {
    let failed = steps.iter().filter(|step| has_failed(step.status));
    let first = failed.min_by_key(|step| (step.ended_at.is_none(), step.ended_at, step.index));
    first.map(|step| step.index)
}

/// Says why the step failed.
pub(super) fn failure(root: &Step, steps: &[OutlinedStep], log: Option<&StepLog>) -> Failure {
    let last = root.attempts.last();
    let reason = root.reason.or_else(|| last.and_then(|attempt| attempt.reason));
    Failure {
        label: shown(&root.label),
        index: root.index.0,
        attempt: last.map(|last| sentence(&place(last, root.attempts.len()))).unwrap_or_default(),
        reason: explain(root.status, reason, last),
        advice: reason.and_then(advice),
        stream: log.and_then(last_lines),
        others: steps.iter().filter(|step| has_failed(step.status)).count().saturating_sub(1),
    }
}

impl Failure {
    /// Where the page of streams begins that has the step.
    pub(super) fn before(&self) -> i64 {
        i64::from(self.index) - 1
    }
}

/// Returns where the part of the streams begins that has a step.
pub(super) fn before(index: StepIndex) -> Option<i64> {
    index.0.checked_sub(1).map(i64::from)
}

fn has_failed(status: StepStatus) -> bool {
    matches!(status, StepStatus::Failed | StepStatus::Lost)
}

fn place(last: &Attempt, attempts: usize) -> String {
    let machine = last.machine.as_deref().map(|machine| format!(" on {}", shown(machine)));
    let of = if attempts > 1 { format!(", the last of {attempts}") } else { String::new() };
    format!("attempt {}{of}{}", last.number, machine.unwrap_or_default())
}

fn explain(status: StepStatus, reason: Option<StepReason>, last: Option<&Attempt>) -> String {
    let code = last.and_then(|attempt| attempt.exit_code);
    let signal = last.and_then(|attempt| attempt.signal);
    match (reason, code, signal) {
        (Some(StepReason::ExitCode), Some(code), _) => {
            format!("its command ended with exit code {code}")
        }
        (Some(StepReason::Signal), _, Some(signal)) => {
            format!("its command was ended by signal {signal}")
        }
        (Some(reason), _, _) => meaning(reason).to_owned(),
        (None, _, _) => format!("it ended as {status}"),
    }
}

/// Says what a reason means.
pub(super) fn meaning(reason: StepReason) -> &'static str {
    match reason {
        StepReason::ExitCode => "its command ended with an exit code other than 0",
        StepReason::Signal => "its command was ended by a signal",
        StepReason::OutOfMemory => "it needed more memory than it was given",
        StepReason::TimeLimit => "it ran longer than it was allowed to",
        StepReason::NodeFailure => "its machine failed",
        StepReason::Preempted => "the scheduler took its place away",
        StepReason::Lost => "nothing is known of how it ended",
        StepReason::ParentFailed => "a step before it did not succeed",
        StepReason::ProvisionIn => "an input could not be read or fetched",
        StepReason::ProvisionOut => "an output is missing or could not be stored",
        StepReason::CouldNotStart => "it could not be started",
        StepReason::Duplicate => "it was a second job for the same attempt and did nothing",
        StepReason::CancelledBy => "somebody cancelled the run",
    }
}

fn advice(reason: StepReason) -> Option<&'static str> {
    match reason {
        StepReason::OutOfMemory => Some(
            "A retry gets the same memory, unless the workflow's rule for retries of this step asks for more",
        ),
        StepReason::TimeLimit => {
            Some("A retry has the same time, unless the workflow is changed to ask for more")
        }
        StepReason::ProvisionIn => Some(
            "Look whether the file is there and readable for the user of the launcher, then retry",
        ),
        StepReason::NodeFailure | StepReason::Preempted | StepReason::Lost => {
            Some("The step may be all right: retry")
        }
        StepReason::ExitCode
        | StepReason::Signal
        | StepReason::ParentFailed
        | StepReason::ProvisionOut
        | StepReason::CouldNotStart
        | StepReason::Duplicate
        | StepReason::CancelledBy => None,
    }
}

/// The last lines of what was said about the failure: on standard error, else on standard output.
fn last_lines(log: &StepLog) -> Option<(&'static str, String)> {
    let of = |name, tail: &Option<niassa_api::facts::LogTail>| {
        let text = tail.as_ref()?.tail.trim_end();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        (!last.is_empty()).then(|| (name, shown_block(&last.join("\n"))))
    };
    of("standard error", &log.stderr).or_else(|| of("standard output", &log.stdout))
}

#[cfg(test)]
mod tests {
    use niassa_api::facts::LogTail;
    use niassa_model::step::AttemptNumber;
    use niassa_model::time::Timestamp;

    use super::super::groups::tests::{outlined, step};
    use super::*;

    fn failed(index: u32, label: &str, ended: i64) -> Step {
        let mut step = step(index, label, &[], StepStatus::Failed);
        step.reason = Some(StepReason::ExitCode);
        step.attempts.push(Attempt {
            number: AttemptNumber(2),
            status: StepStatus::Failed,
            reason: Some(StepReason::ExitCode),
            message: None,
            exit_code: Some(7),
            signal: None,
            engine_id: None,
            machine: Some("node1".to_owned()),
            started_at: Some(Timestamp::from_micros(1)),
            ended_at: Some(Timestamp::from_micros(ended)),
            cpu_micros: None,
            peak_memory_bytes: None,
        });
        step
    }

    #[test]
    fn the_first_to_fail_is_the_root() {
        let mut skipped = step(0, "before", &[], StepStatus::Skipped);
        skipped.reason = Some(StepReason::ParentFailed);
        let steps = [skipped, failed(1, "late", 90), failed(2, "early", 50)];
        let outline = outlined(&steps);
        assert_eq!(root(&outline), Some(StepIndex(2)));
        let failure = failure(&steps[2], &outline, None);
        assert_eq!(failure.label, "early");
        assert_eq!(failure.reason, "its command ended with exit code 7");
        assert_eq!((failure.attempt.as_str(), failure.others), ("Attempt 2 on node1", 1));
        assert_eq!(root(&outline[..1]), None);
    }

    #[test]
    fn the_last_lines_are_those_of_standard_error_if_there_are_any() {
        let tail =
            |text: &str| Some(LogTail { path: "/p".to_owned(), size: 1, tail: text.to_owned() });
        let mut log = StepLog {
            index: StepIndex(0),
            label: "a".to_owned(),
            attempt: AttemptNumber(1),
            status: StepStatus::Failed,
            machine: None,
            stdout: tail("said\n"),
            stderr: tail(&"line\n".repeat(50)),
        };
        let (name, text) = last_lines(&log).unwrap();
        assert_eq!((name, text.lines().count()), ("standard error", LINES));
        log.stderr = tail("\n");
        assert_eq!(last_lines(&log), Some(("standard output", "said".to_owned())));
        log.stdout = None;
        assert_eq!(last_lines(&log), None);
    }
}
