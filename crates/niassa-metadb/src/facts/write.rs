//! Storing attempts, their steps, and the ends of their streams: one statement per table.

use std::collections::{BTreeMap, HashMap};

use niassa_model::accession::Accession;
use niassa_model::resources::Resources;
use niassa_model::step::{AttemptNumber, StepIndex, StepReason, StepStatus};
use niassa_model::time::Timestamp;
use serde_json::{Value, json};

use super::known::{Known, KnownStep};
use super::{Fact, News, StreamEnd};
use crate::bulk;
use crate::error::{During, Result};
use crate::pool::Writing;
use crate::step_columns::stored;

sql! {
    /// Makes attempts, or raises them; details that were known stay. `$1`: rows of run, index,
    /// number, status, reason, exit code, signal, cause, threads, memory, seconds, machine, start,
    /// end, processor time, peak memory, message.
    ATTEMPTS = "insert into attempt (run, idx, number, status, reason, exit_code, signal, cause, \
            threads, memory_bytes, seconds, machine, started_at, ended_at, cpu_micros, \
            peak_memory_bytes, message) \
        select cast(value ->> 0 as bigint), cast(value ->> 1 as bigint), \
            cast(value ->> 2 as bigint), value ->> 3, value ->> 4, cast(value ->> 5 as bigint), \
            cast(value ->> 6 as bigint), value ->> 7, cast(value ->> 8 as bigint), \
            cast(value ->> 9 as bigint), cast(value ->> 10 as bigint), value ->> 11, \
            cast(value ->> 12 as bigint), cast(value ->> 13 as bigint), \
            cast(value ->> 14 as bigint), cast(value ->> 15 as bigint), value ->> 16 \
        from json_each($1) where true \
        on conflict (run, idx, number) do update set status = excluded.status, \
            reason = coalesce(attempt.reason, excluded.reason), \
            exit_code = coalesce(attempt.exit_code, excluded.exit_code), \
            signal = coalesce(attempt.signal, excluded.signal), \
            message = coalesce(attempt.message, excluded.message), \
            machine = coalesce(attempt.machine, excluded.machine), \
            started_at = coalesce(attempt.started_at, excluded.started_at), \
            ended_at = coalesce(attempt.ended_at, excluded.ended_at), \
            cpu_micros = coalesce(attempt.cpu_micros, excluded.cpu_micros), \
            peak_memory_bytes = coalesce(attempt.peak_memory_bytes, excluded.peak_memory_bytes)";
    /// Moves steps. `$1`: rows of run, index, attempt, status, reason.
    STEPS = "update step set attempt = cast(j.value ->> 2 as bigint), status = j.value ->> 3, \
            reason = j.value ->> 4 \
        from json_each($1) j where step.run = cast(j.value ->> 0 as bigint) \
            and step.idx = cast(j.value ->> 1 as bigint)";
    /// Keeps the ends of streams; a later one is longer. `$1`: rows of run, index, number, stream,
    /// path, size, tail.
    LOGS = "insert into attempt_log (run, idx, number, stream, path, size, tail) \
        select cast(value ->> 0 as bigint), cast(value ->> 1 as bigint), \
            cast(value ->> 2 as bigint), value ->> 3, value ->> 4, cast(value ->> 5 as bigint), \
            value ->> 6 \
        from json_each($1) where true \
        on conflict (run, idx, number, stream) do update set path = excluded.path, \
            size = excluded.size, tail = excluded.tail \
        where excluded.size >= attempt_log.size";
}

/// Stores what is new of attempts, and the steps that changed with them.
pub(super) async fn attempts(
    transaction: &mut Writing,
    known: &Known,
    facts: &[Fact],
    news: &[News],
    operation: &'static str,
) -> Result<()> {
    if news.is_empty() {
        return Ok(());
    }
    let (mut order, mut merged) = (Vec::new(), HashMap::new());
    for News { position, .. } in news {
        let fact = &facts[*position];
        let key = (fact.run, fact.step, fact.attempt);
        let row = merged.entry(key).or_insert_with(|| {
            order.push(key);
            Row::of(known, fact)
        });
        row.add(fact);
    }
    let rows: Vec<Value> = order.iter().map(|key| merged[key].stored()).collect();
    execute(transaction, ATTEMPTS, &rows, operation).await?;
    let changed = known.steps.iter().filter(|(_, step)| step.is_changed);
    let changed: Vec<_> =
        changed.map(|((run, index), step)| step_row(*run, *index, step)).collect();
    steps(transaction, &changed, operation).await?;
    let logs = log_rows(news.iter().map(|news| &facts[news.position]));
    execute(transaction, LOGS, &logs, operation).await
}

/// A step's new place: run, index, attempt, status, reason.
pub(crate) type StepRow = (i64, u32, u32, &'static str, Option<&'static str>);

/// Makes the row that moves a step.
pub(crate) fn step_row(run: Accession, index: StepIndex, step: &KnownStep) -> StepRow {
    let reason = step.reason.map(StepReason::as_str);
    (run.get(), index.0, step.attempt.0, step.status.as_str(), reason)
}

/// Moves steps.
pub(crate) async fn steps(
    transaction: &mut Writing,
    rows: &[StepRow],
    operation: &'static str,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(STEPS).bind(bulk::rows(rows)).execute(&mut **transaction).await;
    done.during(operation).map(drop)
}

async fn execute(
    transaction: &mut Writing,
    statement: &'static str,
    rows: &[Value],
    operation: &'static str,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(statement).bind(bulk::rows(rows)).execute(&mut **transaction).await;
    done.during(operation).map(drop)
}

/// The row of an attempt. One statement writes each row once, so facts of one call are merged.
struct Row {
    run: Accession,
    step: StepIndex,
    number: AttemptNumber,
    status: StepStatus,
    cause: &'static str,
    asked: Resources,
    said: Said,
}

/// What facts said of an attempt, beside its status.
#[derive(Default)]
struct Said {
    reason: Option<StepReason>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    message: Option<String>,
    machine: Option<String>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    cpu_micros: Option<i64>,
    peak_memory_bytes: Option<i64>,
}

impl Row {
    fn of(known: &Known, fact: &Fact) -> Self {
        let attempt = known.attempts.get(&(fact.run, fact.step, fact.attempt));
        // A later attempt has its row from when it was recorded, with its cause; this is for the
        // first, and for one whose record was lost with a MetaDB that was restored.
        let cause = if fact.attempt == AttemptNumber::FIRST { "first" } else { "policy" };
        Self {
            run: fact.run,
            step: fact.step,
            number: fact.attempt,
            status: attempt.and_then(|known| known.status).unwrap_or(fact.outcome.status),
            cause,
            asked: known.steps[&(fact.run, fact.step)].asked,
            said: Said::default(),
        }
    }

    fn add(&mut self, fact: &Fact) {
        let said = &mut self.said;
        fill(&mut said.reason, fact.outcome.reason.as_ref());
        fill(&mut said.exit_code, fact.outcome.exit_code.as_ref());
        fill(&mut said.signal, fact.outcome.signal.as_ref());
        fill(&mut said.message, fact.message.as_ref());
        fill(&mut said.machine, fact.machine.as_ref());
        fill(&mut said.started_at, fact.started_at.as_ref());
        fill(&mut said.ended_at, fact.ended_at.as_ref());
        fill(&mut said.cpu_micros, fact.cpu_micros.as_ref());
        fill(&mut said.peak_memory_bytes, fact.peak_memory_bytes.as_ref());
    }

    fn stored(&self) -> Value {
        let said = &self.said;
        json!([
            self.run.get(),
            self.step.0,
            self.number.0,
            self.status.as_str(),
            said.reason.map(StepReason::as_str),
            said.exit_code,
            said.signal,
            self.cause,
            self.asked.threads,
            stored(self.asked.memory_bytes),
            stored(self.asked.seconds),
            said.machine.as_deref().map(bulk::text),
            said.started_at.map(Timestamp::as_micros),
            said.ended_at.map(Timestamp::as_micros),
            said.cpu_micros,
            said.peak_memory_bytes,
            said.message.as_deref().map(bulk::text),
        ])
    }
}

/// Fills in what was not known.
fn fill<T: Clone>(known: &mut Option<T>, said: Option<&T>) {
    if known.is_none() {
        *known = said.cloned();
    }
}

/// The longest end of each stream: one statement writes each row once.
fn log_rows<'fact>(facts: impl Iterator<Item = &'fact Fact>) -> Vec<Value> {
    let mut longest: BTreeMap<_, &StreamEnd> = BTreeMap::new();
    for (fact, log) in facts.flat_map(|fact| fact.logs.iter().map(move |log| (fact, log))) {
        let key = (fact.run.get(), fact.step.0, fact.attempt.0, log.stream.as_str());
        let known = longest.entry(key).or_insert(log);
        if log.size > known.size {
            *known = log;
        }
    }
    let row = |((run, step, number, stream), log): (_, &StreamEnd)| {
        json!([run, step, number, stream, bulk::text(&log.path), log.size, bulk::text(&log.tail)])
    };
    longest.into_iter().map(row).collect()
}
