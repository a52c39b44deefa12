//! What an attempt comes to, by how its command ended and who ended it.

use niassa_model::step::{Outcome, StepReason, StepStatus};

use crate::process_group::ProcessEnd;

/// From this exit code on a shell says which signal ended what it ran.
const SIGNALLED: i32 = 128;

/// Why a runner ended its command. The first reason stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// A person cancelled.
    Stopped,
    /// It was given up for lost.
    Fenced,
    /// Its time was over.
    TimeLimit,
    /// The scheduler asked, by this signal; why is for the scheduler to say.
    Terminated(i32),
}

/// What is known of an attempt's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It came to this.
    Came(Outcome),
    /// The scheduler asked for its end by this signal, and knows why.
    Terminated(i32),
}

/// Whether the kernel ended something of this job because memory was short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// It did.
    WasShort,
    /// It did not, or does not tell.
    WasEnough,
}

/// Tells what a command came to.
pub(super) fn of_command(end: ProcessEnd, ending: Option<Ending>, memory: Memory) -> Verdict {
    let verdict = match ending {
        Some(ending) => of_ending(ending),
        None => Verdict::Came(by_itself(end, memory)),
    };
    match verdict {
        Verdict::Came(outcome) => {
            Verdict::Came(Outcome { exit_code: end.exit_code, signal: end.signal, ..outcome })
        }
        Verdict::Terminated(signal) => Verdict::Terminated(signal),
    }
}

/// Tells what an attempt came to that was ended, or never started, for this reason.
pub(super) fn of_ending(ending: Ending) -> Verdict {
    let (status, reason) = match ending {
        Ending::Stopped => (StepStatus::Cancelled, StepReason::CancelledBy),
        Ending::Fenced => (StepStatus::Lost, StepReason::Lost),
        Ending::TimeLimit => (StepStatus::Failed, StepReason::TimeLimit),
        Ending::Terminated(signal) => return Verdict::Terminated(signal),
    };
    Verdict::Came(Outcome::without_exit(status, reason))
}

/// Tells whether a signal ended a command, or what its shell ran last.
pub(super) fn was_signalled(end: ProcessEnd) -> bool {
    end.signal.is_some() || end.exit_code > Some(SIGNALLED)
}

/// Says to people what an ending was.
pub(super) fn words(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Stopped | Ending::Terminated(_) => None,
        Ending::Fenced => Some("it was given up for lost while it still ran, and was ended then"),
        Ending::TimeLimit => Some("it ran longer than it was allowed"),
    }
}

fn by_itself(end: ProcessEnd, memory: Memory) -> Outcome {
    let was_killed =
        end.signal == Some(libc::SIGKILL) || end.exit_code == Some(SIGNALLED + libc::SIGKILL);
    let reason = match (end.exit_code, end.signal) {
        (Some(0), None) => return Outcome::SUCCESS,
        _ if was_killed && memory == Memory::WasShort => StepReason::OutOfMemory,
        (_, Some(_)) => StepReason::Signal,
        (_, None) => StepReason::ExitCode,
    };
    Outcome::without_exit(StepStatus::Failed, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(exit_code: Option<i32>, signal: Option<i32>) -> ProcessEnd {
        ProcessEnd { exit_code, signal, cpu_micros: 0, peak_memory_bytes: 0 }
    }

    fn check(
        end: ProcessEnd,
        ending: Option<Ending>,
        memory: Memory,
        expected: (StepStatus, Option<StepReason>),
    ) {
        let Verdict::Came(outcome) = of_command(end, ending, memory) else { panic!("terminated") };
        assert_eq!((outcome.status, outcome.reason), expected, "{end:?} {ending:?}");
        assert_eq!((outcome.exit_code, outcome.signal), (end.exit_code, end.signal));
    }

    #[test]
    fn a_command_that_ended_by_itself() {
        let failed = |reason| (StepStatus::Failed, Some(reason));
        let enough = Memory::WasEnough;
        check(end(Some(0), None), None, enough, (StepStatus::Success, None));
        check(end(Some(0), None), None, Memory::WasShort, (StepStatus::Success, None));
        check(end(Some(3), None), None, enough, failed(StepReason::ExitCode));
        check(end(Some(3), None), None, Memory::WasShort, failed(StepReason::ExitCode));
        check(end(Some(137), None), None, enough, failed(StepReason::ExitCode));
        check(end(Some(137), None), None, Memory::WasShort, failed(StepReason::OutOfMemory));
        check(end(None, Some(9)), None, enough, failed(StepReason::Signal));
        check(end(None, Some(9)), None, Memory::WasShort, failed(StepReason::OutOfMemory));
        check(end(None, Some(11)), None, Memory::WasShort, failed(StepReason::Signal));
    }

    #[test]
    fn a_command_that_was_ended_never_succeeded() {
        for end in [end(Some(0), None), end(None, Some(15)), end(None, Some(9))] {
            for (ending, status, reason) in [
                (Ending::Stopped, StepStatus::Cancelled, StepReason::CancelledBy),
                (Ending::Fenced, StepStatus::Lost, StepReason::Lost),
                (Ending::TimeLimit, StepStatus::Failed, StepReason::TimeLimit),
            ] {
                check(end, Some(ending), Memory::WasShort, (status, Some(reason)));
            }
            let terminated = of_command(end, Some(Ending::Terminated(15)), Memory::WasEnough);
            assert_eq!(terminated, Verdict::Terminated(15));
        }
    }
}
