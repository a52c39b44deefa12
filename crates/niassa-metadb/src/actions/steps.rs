//! Recording the steps of plans: each takes an accession as a processing of provenance.

use std::collections::HashMap;

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::step::{StepIndex, StepStatus};
use serde_json::{Value, json};

use super::NewStep;
use crate::bulk;
use crate::error::{During, Result};
use crate::facts::known::load_steps;
use crate::facts::outputs::register;
use crate::pool::Writing;
use crate::run_state::RunState;
use crate::step_columns::stored;

sql! {
    /// Makes steps. `$1`: rows of run, index, accession, name, element, what they wait for, threads,
    /// memory, seconds, policy, status.
    STEPS = "insert into step (run, idx, swid, name, element, after_steps, threads, memory_bytes, \
            seconds, retry, attempt, status, reason) \
        select cast(value ->> 0 as bigint), cast(value ->> 1 as bigint), \
            cast(value ->> 2 as bigint), value ->> 3, cast(value ->> 4 as bigint), value ->> 5, \
            cast(value ->> 6 as bigint), cast(value ->> 7 as bigint), cast(value ->> 8 as bigint), \
            value ->> 9, 0, value ->> 10, null \
        from json_each($1)";
}

/// Records steps and returns the accession of each that was asked for, new or known.
pub(super) async fn write(
    transaction: &mut Writing,
    now: i64,
    runs: &[RunState],
    steps: &[(Accession, &NewStep)],
    operation: &'static str,
) -> Result<HashMap<(Accession, StepIndex), Accession>> {
    if steps.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = steps.iter().map(|(run, step)| (run.get(), step.index.0)).collect();
    let known = load_steps(transaction, &keys, operation).await?;
    let mut swids: HashMap<_, _> = known.into_iter().map(|(key, step)| (key, step.swid)).collect();
    let by_swid: HashMap<Accession, &RunState> = runs.iter().map(|run| (run.swid, run)).collect();
    let new: Vec<_> =
        steps.iter().filter(|(run, step)| !swids.contains_key(&(*run, step.index))).collect();
    if new.is_empty() {
        return Ok(swids);
    }
    let each: Vec<&RunState> = new.iter().map(|(run, _)| by_swid[run]).collect();
    let mut fresh = register(transaction, now, ObjectKind::Processing, &each, operation).await?;
    let mut rows = Vec::with_capacity(new.len());
    for (run, step) in new {
        if swids.contains_key(&(*run, step.index)) {
            continue;
        }
        let Some(swid) = fresh.get_mut(run).and_then(Vec::pop) else { continue };
        swids.insert((*run, step.index), swid);
        rows.push(row(*run, swid, step));
    }
    insert(transaction, &rows, operation).await?;
    Ok(swids)
}

/// Makes steps of rows as [`row`] makes them.
pub(crate) async fn insert(
    transaction: &mut Writing,
    rows: &[Value],
    operation: &'static str,
) -> Result<()> {
    let done = sqlx::query(STEPS).bind(bulk::rows(rows)).execute(&mut **transaction).await;
    done.during(operation).map(drop)
}

/// Returns the columns of a step of which nothing was heard yet.
pub(crate) fn row(run: Accession, swid: Accession, step: &NewStep) -> Value {
    json!([
        run.get(),
        step.index.0,
        swid.get(),
        bulk::text(&step.name),
        step.element,
        json!(step.after).to_string(),
        step.resources.threads,
        stored(step.resources.memory_bytes),
        stored(step.resources.seconds),
        json!(step.retry).to_string(),
        StepStatus::Pending.as_str(),
    ])
}
