//! What the MetaDB knows of runs, in the words of the wire.

use niassa_api::claims::Desire;
use niassa_api::facts::{LogTail, Need};
use niassa_api::runs::{Attempt, GivenMark, Run, RunLogEntry, Step, StepCounts, StepLog};
use niassa_metadb::claims::Wish;
use niassa_metadb::events::LogEntry;
use niassa_metadb::limits::{FullLimit, LimitKind};
use niassa_metadb::runs;
use niassa_metadb::steps::{self, StepStreams, StreamTail};
use niassa_model::host::HostLabel;
use niassa_model::run::RunStatus;
use niassa_model::time::Timestamp;

/// Writes a run.
pub(in crate::usecases) fn run(run: runs::Run) -> Run {
    Run {
        note: held(&run)
            .or_else(|| limited(&run))
            .or_else(|| run.note.clone())
            .or_else(|| note(&run)),
        swid: run.swid,
        tag: run.tag,
        status: run.status,
        priority: run.priority,
        workflow: run.workflow,
        workflow_name: run.workflow_name,
        workflow_version: run.workflow_version,
        host: run.host,
        engine: run.engine,
        place: run.place,
        directory: run.directory,
        launched_on: run.launched_on,
        account: run.account,
        desire: match run.wish {
            Wish::Launch => Desire::Launch,
            Wish::Cancel => Desire::Cancel,
            Wish::Retry => Desire::Retry,
        },
        need: if run.needs_action { Need::Action } else { Need::Nothing },
        marks: run.marks.into_iter().map(mark).collect(),
        steps: counts(run.steps),
        created_at: run.created_at,
        updated_at: run.updated_at,
        seen_at: run.seen_at,
        rescheduled_from: run.rescheduled_from,
    }
}

fn mark(given: runs::GivenMark) -> GivenMark {
    GivenMark { mark: given.mark, account: given.account, at: given.at }
}

/// A hold keeps a run waiting whatever else is known of it.
fn held(run: &runs::Run) -> Option<String> {
    run.held_because.as_ref().map(|reason| format!("{} is held: {reason}", run.host))
}

/// So does a limit that is full.
fn limited(run: &runs::Run) -> Option<String> {
    let workflow = format!("{} {}", run.workflow_name, run.workflow_version);
    let limit = limit_words(run.full_limit?, &workflow, &run.account, &run.host);
    Some(format!("waiting: {limit}"))
}

/// Writes a limit that is full.
pub(in crate::usecases) fn limit_words(
    limit: FullLimit,
    workflow: &str,
    account: &str,
    host: &HostLabel,
) -> String {
    let on = match limit.kind {
        LimitKind::Workflow => format!("of workflow {workflow}"),
        LimitKind::Account => format!("of {account}"),
        LimitKind::Host => format!("on {host}"),
    };
    let runs = if limit.runs == 1 { "run" } else { "runs" };
    format!("limit of {} running {runs} {on}", limit.runs)
}

/// What a status alone does not say: whom a run waits for.
fn note(run: &runs::Run) -> Option<String> {
    match run.status {
        RunStatus::Submitted => Some(waiting(run)),
        RunStatus::SubmittedRetry => Some(format!("retry: {}", waiting(run))),
        RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::SubmittedCancel
        | RunStatus::Cancelled => None,
    }
}

fn waiting(run: &runs::Run) -> String {
    let seen = match run.launcher_seen_at {
        Some(at) => format!("last seen {}", moment(at, run.read_at)),
        None => "never seen".to_owned(),
    };
    format!("waiting for a launcher on {}, {seen}", run.host)
}

/// Writes a point in time to the minute, with its day unless that is today.
fn moment(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.to_string(), now.to_string());
    match (at.split_once('T'), now.split_once('T')) {
        (Some((day, time)), Some((today, _))) => {
            let time = time.get(..5).unwrap_or(time);
            if day == today { format!("{time} UTC") } else { format!("{day} {time} UTC") }
        }
        _ => at,
    }
}

fn counts(steps: runs::StepCounts) -> StepCounts {
    StepCounts {
        total: steps.total,
        pending: steps.pending,
        running: steps.running,
        success: steps.success,
        failed: steps.failed,
        skipped: steps.skipped,
        cancelled: steps.cancelled,
        lost: steps.lost,
    }
}

/// Writes a step.
pub(in crate::usecases) fn step(step: steps::Step) -> Step {
    let amount =
        |amount: Option<u64>| amount.map(|amount| i64::try_from(amount).unwrap_or(i64::MAX));
    Step {
        index: step.index,
        swid: step.swid,
        label: step.label,
        after: step.after,
        status: step.status,
        reason: step.reason,
        threads: step.resources.threads,
        memory_bytes: amount(step.resources.memory_bytes),
        seconds: amount(step.resources.seconds),
        attempts: step.attempts.into_iter().map(attempt).collect(),
    }
}

fn attempt(attempt: steps::Attempt) -> Attempt {
    Attempt {
        number: attempt.number,
        status: attempt.status,
        reason: attempt.reason,
        exit_code: attempt.exit_code,
        signal: attempt.signal,
        message: attempt.message,
        engine_id: attempt.engine_id,
        machine: attempt.machine,
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
        cpu_micros: attempt.cpu_micros,
        peak_memory_bytes: attempt.peak_memory_bytes,
    }
}

/// Writes the ends of a step's streams.
pub(super) fn streams(streams: StepStreams) -> StepLog {
    StepLog {
        index: streams.index,
        label: streams.label,
        attempt: streams.attempt,
        status: streams.status,
        machine: streams.machine,
        stdout: streams.stdout.map(tail),
        stderr: streams.stderr.map(tail),
    }
}

fn tail(tail: StreamTail) -> LogTail {
    LogTail { path: tail.path, size: tail.size, tail: tail.tail }
}

/// Writes an entry of a log.
pub(in crate::usecases) fn log_entry(entry: LogEntry) -> RunLogEntry {
    RunLogEntry {
        sequence: entry.sequence,
        run: entry.run,
        at: entry.at,
        event: entry.event,
        from: entry.from,
        to: entry.to,
        account: entry.account,
        detail: entry.detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_its_day_unless_that_is_today() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(moment(at(1_800_000_000), at(1_800_000_060)), "08:00 UTC");
        assert_eq!(moment(at(1_800_000_000), at(1_800_086_400)), "2027-01-15 08:00 UTC");
    }
}
