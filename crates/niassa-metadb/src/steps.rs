//! Steps of runs with their attempts, and the ends of their streams.

pub(crate) mod attempt_log;
pub(crate) mod grid;
pub(crate) mod logs;
pub(crate) mod outline;
pub(crate) mod part;

use std::collections::BTreeMap;

use niassa_model::accession::Accession;
use niassa_model::resources::Resources;
use niassa_model::step::{AttemptNumber, StepIndex, StepReason, StepStatus};
use niassa_model::time::Timestamp;
use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::pool::{column, moment};
use crate::{Access, MetaDb, bulk, step_columns};

pub use attempt_log::AttemptStream;
pub use grid::GridCell;
pub use logs::{StepStreams, StreamTail};
pub use outline::OutlinedStep;
pub use part::StepPart;

/// A step of a run with its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its index in the plan.
    pub index: StepIndex,
    /// Its processing accession.
    pub swid: Accession,
    /// Its name, with the element's number in a `foreach`.
    pub label: String,
    /// What it waits for.
    pub after: Vec<StepIndex>,
    /// What is known of it.
    pub status: StepStatus,
    /// Why, unless it succeeded.
    pub reason: Option<StepReason>,
    /// What it asked for.
    pub resources: Resources,
    /// Its attempts, first to last.
    pub attempts: Vec<Attempt>,
}

/// One attempt of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which one.
    pub number: AttemptNumber,
    /// What is known of it.
    pub status: StepStatus,
    /// Why, unless it succeeded.
    pub reason: Option<StepReason>,
    /// The exit code, where it exited.
    pub exit_code: Option<i32>,
    /// The signal that ended it, where one did.
    pub signal: Option<i32>,
    /// What was said about its end, for people.
    pub message: Option<String>,
    /// The engine's id of it, where it differs from the key.
    pub engine_id: Option<String>,
    /// The machine it ran on.
    pub machine: Option<String>,
    /// When it started, by the clock of its machine.
    pub started_at: Option<Timestamp>,
    /// When it ended, by the clock of its machine.
    pub ended_at: Option<Timestamp>,
    /// Processor time used, in microseconds.
    pub cpu_micros: Option<i64>,
    /// Peak memory of its largest process, in bytes.
    pub peak_memory_bytes: Option<i64>,
}

/// Which steps of a run to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepFilter {
    /// Only steps with this status.
    pub status: Option<StepStatus>,
    /// Only steps with a larger index: where the page before ended.
    pub after: Option<i64>,
}

sql! {
    /// Steps of a run that the caller may see, in the order of the plan. `$3`: labels; `$4`: run;
    /// `$5`: status; `$6`: after; `$7`: rows.
    STEPS = concat!("select s.idx, s.swid, s.name, s.element, s.after_steps, s.status, s.reason, \
            s.threads, s.memory_bytes, s.seconds \
        from step s join run r on r.swid = s.run join object o on o.swid = s.run \
        where ", readable_run!(), " and s.run = $4 \
            and (cast($5 as text) is null or s.status = $5) \
            and s.idx > $6 \
        order by s.idx limit $7");
    /// Attempts of steps that the caller has seen, first to last. `$1`: run; `$2`: indexes of steps.
    ATTEMPTS = "select idx, number, status, reason, exit_code, signal, message, engine_id, machine, \
            started_at, ended_at, cpu_micros, peak_memory_bytes \
        from attempt \
        where run = $1 and idx in (select cast(value ->> 0 as bigint) from json_each($2)) \
        order by idx, number";
}

impl StepFilter {
    /// Binds the parameters that statements about the steps of a run have alike.
    pub(crate) fn bound(
        self,
        statement: &'static str,
        access: &Access,
        run: Accession,
        limit: u32,
    ) -> Query<'static, Any, AnyArguments> {
        sqlx::query(statement)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(run.get())
            .bind(self.status.map(StepStatus::as_str))
            .bind(self.after.unwrap_or(-1))
            .bind(i64::from(limit))
    }
}

impl MetaDb {
    /// Returns steps of a run with their attempts, in the order of the plan; `None` where the
    /// caller may not see the run.
    pub async fn steps_of_run(
        &self,
        access: &Access,
        run: Accession,
        filter: StepFilter,
        limit: u32,
    ) -> Result<Option<Vec<Step>>> {
        const OPERATION: &str = "read the steps of a run";
        if !self.sees_run(access, run).await? {
            return Ok(None);
        }
        let query = filter.bound(STEPS, access, run, limit);
        let rows = query.fetch_all(self.reader()).await.during(OPERATION)?;
        self.with_attempts(run, &rows, OPERATION).await.map(Some)
    }

    /// Reads steps of a run, and adds their attempts.
    async fn with_attempts(
        &self,
        run: Accession,
        rows: &[AnyRow],
        operation: &'static str,
    ) -> Result<Vec<Step>> {
        let mut steps: Vec<Step> =
            rows.iter().map(|row| step(row, operation)).collect::<Result<_>>()?;
        let mut attempts = self.attempts(run, &steps, operation).await?;
        for step in &mut steps {
            step.attempts = attempts.remove(&step.index).unwrap_or_default();
        }
        Ok(steps)
    }

    async fn attempts(
        &self,
        run: Accession,
        steps: &[Step],
        operation: &'static str,
    ) -> Result<BTreeMap<StepIndex, Vec<Attempt>>> {
        let mut attempts: BTreeMap<StepIndex, Vec<Attempt>> = BTreeMap::new();
        if steps.is_empty() {
            return Ok(attempts);
        }
        let rows = sqlx::query(ATTEMPTS)
            .bind(run.get())
            .bind(bulk::numbers(steps.iter().map(|step| step.index.0)))
            .fetch_all(self.reader())
            .await
            .during(operation)?;
        for row in &rows {
            let index = step_columns::index(row, operation)?;
            attempts.entry(index).or_default().push(attempt(row, operation)?);
        }
        Ok(attempts)
    }
}

fn step(row: &AnyRow, operation: &'static str) -> Result<Step> {
    let after: String = column(row, "after_steps", operation)?;
    Ok(Step {
        index: step_columns::index(row, operation)?,
        swid: accession(row, "swid", operation)?,
        label: step_columns::label(row, operation)?,
        after: decode(serde_json::from_str(&after), operation, &after, "a list of steps")?,
        status: step_columns::status(row, operation)?,
        reason: step_columns::reason(row, operation)?,
        resources: step_columns::resources(row, operation)?,
        attempts: Vec::new(),
    })
}

fn attempt(row: &AnyRow, operation: &'static str) -> Result<Attempt> {
    let small = |name: &'static str| -> Result<Option<i32>> {
        let number: Option<i64> = column(row, name, operation)?;
        number.map(|n| decode(i32::try_from(n), operation, n, "an exit code or signal")).transpose()
    };
    Ok(Attempt {
        number: step_columns::attempt(row, "number", operation)?,
        status: step_columns::status(row, operation)?,
        reason: step_columns::reason(row, operation)?,
        exit_code: small("exit_code")?,
        signal: small("signal")?,
        message: column(row, "message", operation)?,
        engine_id: column(row, "engine_id", operation)?,
        machine: column(row, "machine", operation)?,
        started_at: moment(row, "started_at", operation)?,
        ended_at: moment(row, "ended_at", operation)?,
        cpu_micros: column(row, "cpu_micros", operation)?,
        peak_memory_bytes: column(row, "peak_memory_bytes", operation)?,
    })
}

#[cfg(test)]
mod tests;
