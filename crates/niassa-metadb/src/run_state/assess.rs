//! What runs come to after facts, actions or wishes: the rules of the model over the stored steps.

use std::collections::HashMap;

use niassa_model::accession::Accession;
use niassa_model::plan::RetryPolicy;
use niassa_model::resources::Resources;
use niassa_model::run::RunEvent;
use niassa_model::run::facts::{
    self, CancelDesire, Cause, EndedAttempt, OpenDesires, Outlook, RetryDesire, UnsuccessfulStep,
    Work, outlook,
};
use niassa_model::step::{StepIndex, StepReason};
use sqlx::any::AnyRow;

use super::RunState;
use crate::bulk;
use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::pool::{Writing, column};
use crate::step_columns::{index, label, reason, resources, status};

sql! {
    /// Steps of these runs that ended without success, in the order of their plans.
    UNSUCCESSFUL = "select run, idx, name, element, after_steps, threads, memory_bytes, seconds, \
            retry, status, reason \
        from step where run in (select cast(value ->> 0 as bigint) from json_each($1)) \
            and status in ('failed', 'skipped', 'cancelled', 'lost') \
        order by run, idx";
    /// The attempts of such steps, oldest first.
    THEIR_ATTEMPTS = "select a.run, a.idx, a.cause, a.status, a.reason \
        from step s join attempt a on a.run = s.run and a.idx = s.idx \
        where s.run in (select cast(value ->> 0 as bigint) from json_each($1)) \
            and s.status in ('failed', 'skipped', 'cancelled', 'lost') \
        order by a.run, a.idx, a.number";
}

/// A step that ended without success, as it is stored.
struct Ended {
    index: StepIndex,
    label: String,
    after: Vec<StepIndex>,
    policy: RetryPolicy,
    asked: Resources,
    reason: Option<StepReason>,
    attempts: Vec<EndedAttempt>,
}

/// Gives active runs the event that follows from their steps, if one does, and tells whether the
/// holder of a claim has something to do.
pub(crate) async fn assess(
    transaction: &mut Writing,
    runs: &mut [RunState],
    account: &str,
    operation: &'static str,
) -> Result<()> {
    let with_failures =
        runs.iter().filter(|run| run.status.is_active() && run.steps.unsuccessful() > 0);
    let ended = load(transaction, with_failures.map(|run| run.swid), operation).await?;
    for run in runs {
        if !run.status.is_active() {
            run.needs_action = false;
            continue;
        }
        let ended = ended.get(&run.swid).map_or(&[][..], Vec::as_slice);
        assess_one(run, ended, account);
    }
    Ok(())
}

fn assess_one(run: &mut RunState, ended: &[Ended], account: &str) {
    let desires = OpenDesires {
        cancel: match run.cancel_requested {
            Some(_) => CancelDesire::Requested,
            None => CancelDesire::None,
        },
        retry: if run.unanswered > 0 { RetryDesire::Unanswered } else { RetryDesire::None },
    };
    let assessment = facts::assess(run.steps.tally(), desires, outlook_of(ended));
    run.needs_action = assessment.work == Work::Waiting;
    match assessment.event {
        Some(RunEvent::Succeeded) => {
            run.note = None;
            run.happened(RunEvent::Succeeded, account, None);
        }
        Some(event) => {
            let why = first_failure(ended);
            if event == RunEvent::Failed {
                run.note.clone_from(&why);
            } else {
                run.note = None;
            }
            run.happened(event, account, why);
        }
        None if run.steps.unsuccessful() > 0 => run.note = progress_with_failures(run, ended),
        None => {}
    }
}

fn outlook_of(ended: &[Ended]) -> Outlook {
    outlook(ended.iter().map(|step| UnsuccessfulStep {
        index: step.index,
        after: &step.after,
        policy: &step.policy,
        asked: step.asked,
        attempts: &step.attempts,
        reason: step.reason,
    }))
}

/// Names the step that people should look at: the first that was not merely skipped or cancelled.
fn first_failure(ended: &[Ended]) -> Option<String> {
    let tried = |step: &&Ended| {
        !matches!(step.reason, Some(StepReason::ParentFailed | StepReason::CancelledBy) | None)
    };
    let step = ended.iter().find(tried)?;
    let reason = step.reason.map(StepReason::as_str).unwrap_or_default().replace('_', " ");
    Some(format!("step {} failed: {reason}", step.label))
}

fn progress_with_failures(run: &RunState, ended: &[Ended]) -> Option<String> {
    let failure = first_failure(ended)?;
    let open = run.steps.pending + run.steps.running;
    (open > 0)
        .then(|| format!("{failure}; {} running, {} waiting", run.steps.running, run.steps.pending))
}

async fn load(
    transaction: &mut Writing,
    runs: impl Iterator<Item = Accession>,
    operation: &'static str,
) -> Result<HashMap<Accession, Vec<Ended>>> {
    let runs: Vec<Accession> = runs.collect();
    if runs.is_empty() {
        return Ok(HashMap::new());
    }
    let runs = bulk::numbers(runs);
    let rows = sqlx::query(UNSUCCESSFUL).bind(&runs).fetch_all(&mut **transaction).await;
    let mut ended: HashMap<Accession, Vec<Ended>> = HashMap::new();
    let mut positions = HashMap::new();
    for row in &rows.during(operation)? {
        let (run, step) = (accession(row, "run", operation)?, ended_step(row, operation)?);
        let steps = ended.entry(run).or_default();
        positions.insert((run, step.index), steps.len());
        steps.push(step);
    }
    let rows = sqlx::query(THEIR_ATTEMPTS).bind(&runs).fetch_all(&mut **transaction).await;
    for row in &rows.during(operation)? {
        let run = accession(row, "run", operation)?;
        let Some(position) = positions.get(&(run, index(row, operation)?)) else { continue };
        let Some(steps) = ended.get_mut(&run) else { continue };
        steps[*position].attempts.extend(ended_attempt(row, operation)?);
    }
    Ok(ended)
}

fn ended_step(row: &AnyRow, operation: &'static str) -> Result<Ended> {
    let after: String = column(row, "after_steps", operation)?;
    let policy: String = column(row, "retry", operation)?;
    Ok(Ended {
        index: index(row, operation)?,
        label: label(row, operation)?,
        after: decode(serde_json::from_str(&after), operation, &after, "indexes of steps")?,
        policy: decode(serde_json::from_str(&policy), operation, &policy, "a retry policy")?,
        asked: resources(row, operation)?,
        reason: reason(row, operation)?,
        attempts: Vec::new(),
    })
}

/// Returns nothing for an attempt that has not ended.
fn ended_attempt(row: &AnyRow, operation: &'static str) -> Result<Option<EndedAttempt>> {
    let status = status(row, operation)?;
    let cause: String = column(row, "cause", operation)?;
    let attempt = EndedAttempt {
        cause: if cause.starts_with("retry:") { Cause::Request } else { Cause::Ordinary },
        status,
        reason: reason(row, operation)?,
    };
    Ok(status.is_final().then_some(attempt))
}
