//! The words of Slurm for where a job stands, and what they mean here.
//!
//! Every word has a meaning: a job that is shown is never taken for one that is not there. A word of a
//! newer Slurm that is not in these lists is a job that waits: nothing is concluded from it.

use std::time::Duration;

use niassa_model::job::{JobEnd, JobState};

/// The signal number by which Slurm says that a script could not be started.
const LAUNCH_FAILURE: i32 = 53;

/// Reasons by which a waiting job is held, by somebody or by Slurm itself.
const HELD: [&str; 6] = [
    "JobHeldUser",
    "JobHeldAdmin",
    "JobHoldMaxRequeue",
    "ReservationDeleted",
    "launch_failed_requeued_held",
    "job_requeued_in_held_state",
];

/// The reason of a job behind one that did not succeed.
const NEVER_SATISFIED: &str = "DependencyNeverSatisfied";

/// What is known of one job beside its name and number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    /// Its state, long form.
    pub(super) state: &'a str,
    /// Its reason.
    pub(super) reason: &'a str,
    /// How its script ended.
    pub(super) exit: ExitStatus,
    /// How long it has run.
    pub(super) elapsed: Duration,
    /// Its nodes; nothing where it never had one.
    pub(super) nodes: &'a str,
}

/// How a script ended: an exit code, or a signal other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExitStatus {
    /// Its exit code.
    pub(super) code: i32,
    /// The signal that ended it.
    pub(super) signal: i32,
}

impl ExitStatus {
    /// Takes apart what `wait` returned.
    pub(super) fn of_wait(status: i32) -> Self {
        Self { code: (status >> 8) & 0xff, signal: status & 0x7f }
    }
}

/// Says where a job stands.
pub(super) fn job_state(words: Words<'_>) -> JobState {
    if let Some(end) = job_end(words.state, words.exit) {
        return JobState::Ended(end_of_shown(end, words));
    }
    match words.state {
        "RUNNING" | "COMPLETING" | "SIGNALING" | "STAGE_OUT" | "RESIZING" | "EXPEDITING" => {
            JobState::Running(words.elapsed)
        }
        "SUSPENDED" | "STOPPED" => JobState::Suspended,
        "REQUEUE_HOLD" | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => JobState::Held,
        "PENDING" if words.reason == NEVER_SATISFIED => JobState::NeverSatisfied,
        "PENDING" if HELD.contains(&words.reason) => JobState::Held,
        // PENDING, CONFIGURING (its node is being started), REQUEUED, REQUEUE_FED, POWER_UP_NODE, and
        // words that nobody knows yet.
        _ => JobState::Waiting,
    }
}

/// Makes an end more exact by what the queue shows beside it.
fn end_of_shown(end: JobEnd, words: Words<'_>) -> JobEnd {
    match end {
        JobEnd::Cancelled if words.reason == NEVER_SATISFIED => JobEnd::NeverSatisfied,
        _ if words.state == "FAILED" && words.nodes.is_empty() => JobEnd::CouldNotStart,
        end => end,
    }
}

/// Says how a job ended; nothing for the word of a live one.
pub(super) fn job_end(state: &str, exit: ExitStatus) -> Option<JobEnd> {
    // The accounting says who cancelled: `CANCELLED by 1001`.
    let end = match state.split(' ').next().unwrap_or(state) {
        "COMPLETED" => JobEnd::Completed,
        "FAILED" => failed(exit),
        "CANCELLED" => JobEnd::Cancelled,
        "TIMEOUT" | "DEADLINE" => JobEnd::TimeLimit,
        "OUT_OF_MEMORY" => JobEnd::OutOfMemory,
        "NODE_FAIL" | "BOOT_FAIL" | "RECONFIG_FAIL" => JobEnd::NodeFailure,
        "PREEMPTED" => JobEnd::Preempted,
        "LAUNCH_FAILED" => JobEnd::CouldNotStart,
        // Another cluster of a federation took it.
        "REVOKED" => JobEnd::Unknown,
        _ => return None,
    };
    Some(end)
}

fn failed(exit: ExitStatus) -> JobEnd {
    match exit {
        ExitStatus { signal: LAUNCH_FAILURE, .. } => JobEnd::CouldNotStart,
        ExitStatus { code: 0, signal: 0 } => JobEnd::Unknown,
        ExitStatus { code, signal: 0 } => JobEnd::Exited(code),
        ExitStatus { signal, .. } => JobEnd::Signalled(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_EXIT: ExitStatus = ExitStatus { code: 0, signal: 0 };

    fn state_of(state: &str, reason: &str, wait_status: i32, nodes: &str) -> JobState {
        let exit = ExitStatus::of_wait(wait_status);
        job_state(Words { state, reason, exit, elapsed: Duration::from_secs(5), nodes })
    }

    #[test]
    fn ends_as_seen_on_a_real_cluster() {
        let ended = |state, reason, status, nodes| match state_of(state, reason, status, nodes) {
            JobState::Ended(end) => end,
            live => panic!("{state} is {live:?}"),
        };
        for (state, reason, status, nodes, end) in [
            ("COMPLETED", "None", 0, "n1", JobEnd::Completed),
            ("FAILED", "NonZeroExitCode", 1792, "n1", JobEnd::Exited(7)),
            ("FAILED", "NonZeroExitCode", 137 << 8, "n1", JobEnd::Exited(137)),
            ("FAILED", "JobLaunchFailure", 9, "n1", JobEnd::Signalled(9)),
            ("FAILED", "JobLaunchFailure", 53, "n1", JobEnd::CouldNotStart),
            ("FAILED", "BadConstraints", 1, "", JobEnd::CouldNotStart),
            ("FAILED", "None", 0, "n1", JobEnd::Unknown),
            ("CANCELLED", "DependencyNeverSatisfied", 0, "", JobEnd::NeverSatisfied),
            ("CANCELLED", "None", 15, "n1", JobEnd::Cancelled),
            ("TIMEOUT", "TimeLimit", 15, "n1", JobEnd::TimeLimit),
            ("OUT_OF_MEMORY", "OutOfMemory", 125 << 8, "n1", JobEnd::OutOfMemory),
            ("NODE_FAIL", "NodeDown", 1, "n1", JobEnd::NodeFailure),
        ] {
            assert_eq!(ended(state, reason, status, nodes), end, "{state} {reason} {status}");
        }
    }

    #[test]
    fn every_word_of_slurm_has_a_meaning() {
        let ended = [
            "COMPLETED",
            "FAILED",
            "CANCELLED",
            "TIMEOUT",
            "DEADLINE",
            "OUT_OF_MEMORY",
            "NODE_FAIL",
            "BOOT_FAIL",
            "RECONFIG_FAIL",
            "PREEMPTED",
            "LAUNCH_FAILED",
            "REVOKED",
        ];
        for word in ended {
            assert!(!state_of(word, "None", 0, "n1").is_live(), "{word}");
        }
        for word in ["RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING", "EXPEDITING"] {
            assert_eq!(state_of(word, "None", 0, "n1"), JobState::Running(Duration::from_secs(5)));
        }
        for word in ["SUSPENDED", "STOPPED"] {
            assert_eq!(state_of(word, "None", 0, "n1"), JobState::Suspended);
        }
        for word in ["REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"] {
            assert_eq!(state_of(word, "None", 0, ""), JobState::Held);
        }
        for word in
            ["PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "POWER_UP_NODE", "NEW", ""]
        {
            assert_eq!(state_of(word, "Resources", 0, ""), JobState::Waiting, "{word}");
        }
    }

    #[test]
    fn reasons_of_waiting_jobs() {
        for reason in HELD {
            assert_eq!(state_of("PENDING", reason, 0, ""), JobState::Held, "{reason}");
        }
        let never = state_of("PENDING", "DependencyNeverSatisfied", 0, "");
        assert_eq!(never, JobState::NeverSatisfied);
        for reason in
            ["Dependency", "BeginTime", "Priority", "PartitionDown", "QOSMaxJobsPerUserLimit"]
        {
            assert_eq!(state_of("PENDING", reason, 0, ""), JobState::Waiting, "{reason}");
        }
    }

    #[test]
    fn the_accounting_names_who_cancelled() {
        assert_eq!(job_end("CANCELLED by 1001", NO_EXIT), Some(JobEnd::Cancelled));
        assert_eq!(job_end("RUNNING", NO_EXIT), None);
    }
}
