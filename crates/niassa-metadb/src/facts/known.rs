//! What the MetaDB knows of the steps and attempts that facts are about.

use std::collections::HashMap;

use niassa_model::accession::Accession;
use niassa_model::resources::Resources;
use niassa_model::step::{AttemptNumber, StepIndex, StepReason, StepStatus};

use super::Fact;
use crate::bulk;
use crate::error::{During, Result};
use crate::events::accession;
use crate::pool::Writing;
use crate::step_columns::{attempt, index, label, reason, resources, status};

/// The steps and attempts that were asked for, by their place.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) steps: HashMap<(Accession, StepIndex), KnownStep>,
    pub(crate) attempts: HashMap<(Accession, StepIndex, AttemptNumber), KnownAttempt>,
}

/// A step.
#[derive(Debug, Clone)]
pub(crate) struct KnownStep {
    pub(crate) swid: Accession,
    pub(crate) label: String,
    pub(crate) attempt: AttemptNumber,
    pub(crate) status: StepStatus,
    pub(crate) reason: Option<StepReason>,
    pub(crate) asked: Resources,
    /// Whether it has to be stored.
    pub(crate) is_changed: bool,
}

/// An attempt; no status where it has no row yet.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KnownAttempt {
    pub(crate) status: Option<StepStatus>,
}

sql! {
    /// Steps. `$1`: rows of run and index.
    STEPS = "select s.run, s.idx, s.swid, s.name, s.element, s.attempt, s.status, s.reason, \
            s.threads, s.memory_bytes, s.seconds \
        from json_each($1) j join step s on s.run = cast(j.value ->> 0 as bigint) \
            and s.idx = cast(j.value ->> 1 as bigint)";
    /// Attempts. `$1`: rows of run, index and number.
    ATTEMPTS = "select a.run, a.idx, a.number, a.status \
        from json_each($1) j join attempt a on a.run = cast(j.value ->> 0 as bigint) \
            and a.idx = cast(j.value ->> 1 as bigint) \
            and a.number = cast(j.value ->> 2 as bigint)";
}

/// Loads what facts are about; their runs are locked already.
pub(crate) async fn load(
    transaction: &mut Writing,
    facts: &[Fact],
    operation: &'static str,
) -> Result<Known> {
    let keys = facts.iter().map(|fact| (fact.run, fact.step, fact.attempt));
    let mut keys: Vec<_> = keys.map(|(run, step, number)| (run.get(), step.0, number.0)).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut steps: Vec<_> = keys.iter().map(|(run, step, _)| (*run, *step)).collect();
    steps.dedup();
    let mut known =
        Known { steps: load_steps(transaction, &steps, operation).await?, ..Known::default() };
    let rows = sqlx::query(ATTEMPTS).bind(bulk::rows(&keys)).fetch_all(&mut **transaction).await;
    for row in &rows.during(operation)? {
        let key = (
            accession(row, "run", operation)?,
            index(row, operation)?,
            attempt(row, "number", operation)?,
        );
        known.attempts.insert(key, KnownAttempt { status: Some(status(row, operation)?) });
    }
    Ok(known)
}

/// Loads steps by rows of run and index.
pub(crate) async fn load_steps(
    transaction: &mut Writing,
    steps: &[(i64, u32)],
    operation: &'static str,
) -> Result<HashMap<(Accession, StepIndex), KnownStep>> {
    let rows = sqlx::query(STEPS).bind(bulk::rows(steps)).fetch_all(&mut **transaction).await;
    let rows = rows.during(operation)?;
    let read = rows.iter().map(|row| {
        let key = (accession(row, "run", operation)?, index(row, operation)?);
        let step = KnownStep {
            swid: accession(row, "swid", operation)?,
            label: label(row, operation)?,
            attempt: attempt(row, "attempt", operation)?,
            status: status(row, operation)?,
            reason: reason(row, operation)?,
            asked: resources(row, operation)?,
            is_changed: false,
        };
        Ok((key, step))
    });
    read.collect()
}
