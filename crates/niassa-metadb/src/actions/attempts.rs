//! Recording further attempts, engine ids, verdicts, and answers to retry requests.

use std::collections::HashMap;

use niassa_model::accession::Accession;
use niassa_model::resources::Resources;
use niassa_model::step::{AttemptNumber, StepIndex, StepReason, StepStatus};
use serde_json::{Value, json};

use super::Recorded;
use crate::bulk;
use crate::error::{During, Result};
use crate::events::accession;
use crate::facts::known::{KnownStep, load_steps};
use crate::facts::write::{step_row, steps as move_steps};
use crate::pool::Writing;
use crate::run_state::RunState;
use crate::step_columns::stored;

sql! {
    /// Makes attempts that have not started; what is known of one stays. `$1`: rows of run, index,
    /// number, status, cause, threads, memory, seconds, engine id.
    MAKE = "insert into attempt (run, idx, number, status, cause, threads, memory_bytes, seconds, \
            engine_id) \
        select cast(value ->> 0 as bigint), cast(value ->> 1 as bigint), \
            cast(value ->> 2 as bigint), value ->> 3, value ->> 4, cast(value ->> 5 as bigint), \
            cast(value ->> 6 as bigint), cast(value ->> 7 as bigint), value ->> 8 \
        from json_each($1) where true \
        on conflict (run, idx, number) do update \
            set engine_id = coalesce(excluded.engine_id, attempt.engine_id)";
    /// Answers retry requests. `$1`: time; `$2`: rows of run and id.
    ANSWER = "update retry_request set answered_at = $1 \
        from json_each($2) j where retry_request.run = cast(j.value ->> 0 as bigint) \
            and retry_request.id = j.value ->> 1 and retry_request.answered_at is null \
        returning run";
}

/// Writes what was recorded of attempts, and moves the steps they belong to.
pub(super) async fn write(
    transaction: &mut Writing,
    now: i64,
    runs: &mut [RunState],
    recorded: &Recorded<'_>,
    operation: &'static str,
) -> Result<()> {
    answer(transaction, now, runs, &recorded.answered, operation).await?;
    let mut keys: Vec<(i64, u32)> = Vec::new();
    keys.extend(recorded.attempts.iter().map(|(run, _, new)| (run.get(), new.step.0)));
    keys.extend(recorded.verdicts.iter().map(|(run, verdict)| (run.get(), verdict.step.0)));
    keys.extend(recorded.ids.iter().map(|(run, id)| (run.get(), id.step.0)));
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(());
    }
    let mut steps = load_steps(transaction, &keys, operation).await?;
    let mut by_swid: HashMap<Accession, &mut RunState> =
        runs.iter_mut().map(|run| (run.swid, run)).collect();
    let mut rows = Vec::new();
    for (run, id) in &recorded.ids {
        let Some(step) = steps.get(&(*run, id.step)) else { continue };
        rows.push(made(*run, id.step, id.attempt, "first", step.asked, Some(&id.id)));
    }
    for (run, cause, new) in &recorded.attempts {
        let Some(step) = steps.get_mut(&(*run, new.step)) else { continue };
        if new.attempt <= step.attempt {
            continue;
        }
        rows.push(made(*run, new.step, new.attempt, cause, new.resources, None));
        step.attempt = new.attempt;
        shift(by_swid.get_mut(run).map(|run| &mut **run), step, StepStatus::Pending, None);
    }
    for (run, verdict) in &recorded.verdicts {
        let Some(step) = steps.get_mut(&(*run, verdict.step)) else { continue };
        let is_verdict = matches!(verdict.status, StepStatus::Skipped | StepStatus::Cancelled);
        if is_verdict && !step.status.is_final() {
            let run = by_swid.get_mut(run).map(|run| &mut **run);
            shift(run, step, verdict.status, Some(verdict.reason));
        }
    }
    if !rows.is_empty() {
        let done = sqlx::query(MAKE).bind(bulk::rows(&rows)).execute(&mut **transaction).await;
        done.during(operation)?;
    }
    let changed = steps.iter().filter(|(_, step)| step.is_changed);
    let changed: Vec<_> =
        changed.map(|((run, index), step)| step_row(*run, *index, step)).collect();
    move_steps(transaction, &changed, operation).await
}

/// Moves a step to another status, in the numbers of its run, too.
fn shift(
    run: Option<&mut RunState>,
    step: &mut KnownStep,
    to: StepStatus,
    reason: Option<StepReason>,
) {
    if let Some(run) = run {
        run.steps.moved(step.status, to);
    }
    step.status = to;
    step.reason = reason;
    step.is_changed = true;
}

fn made(
    run: Accession,
    step: StepIndex,
    number: AttemptNumber,
    cause: &str,
    asked: Resources,
    engine_id: Option<&str>,
) -> Value {
    json!([
        run.get(),
        step.0,
        number.0,
        StepStatus::Pending.as_str(),
        bulk::text(cause),
        asked.threads,
        stored(asked.memory_bytes),
        stored(asked.seconds),
        engine_id.map(bulk::text),
    ])
}

async fn answer(
    transaction: &mut Writing,
    now: i64,
    runs: &mut [RunState],
    answered: &[(Accession, &str)],
    operation: &'static str,
) -> Result<()> {
    if answered.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = answered.iter().map(|(run, id)| (run.get(), *id)).collect();
    let done = sqlx::query(ANSWER).bind(now).bind(bulk::rows(&rows)).fetch_all(&mut **transaction);
    for row in &done.await.during(operation)? {
        let answered = accession(row, "run", operation)?;
        if let Some(run) = runs.iter_mut().find(|run| run.swid == answered) {
            run.unanswered = (run.unanswered - 1).max(0);
        }
    }
    Ok(())
}
