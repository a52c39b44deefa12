//! The ends of the streams of steps, as far as the MetaDB keeps them.

use niassa_model::accession::Accession;
use niassa_model::step::{AttemptNumber, StepIndex, StepStatus};
use sqlx::any::AnyRow;

use super::StepFilter;
use crate::error::{During, Result, decode};
use crate::pool::column;
use crate::{Access, MetaDb, step_columns};

/// The ends of both streams of a step's last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepStreams {
    /// The step.
    pub index: StepIndex,
    /// Its name, with the element's number in a `foreach`.
    pub label: String,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// The attempt's status.
    pub status: StepStatus,
    /// The machine where the whole files lie.
    pub machine: Option<String>,
    /// Standard output, where anything is known of it.
    pub stdout: Option<StreamTail>,
    /// Standard error.
    pub stderr: Option<StreamTail>,
}

/// The end of a stream and where the rest lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamTail {
    /// The whole file, on the machine of the attempt.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Its last bytes, as text.
    pub tail: String,
}

sql! {
    /// Last attempts of steps that have any, in the order of the plan. `$3`: labels; `$4`: run;
    /// `$5`: status; `$6`: after; `$7`: rows.
    STREAMS = concat!("select s.idx, s.name, s.element, a.number, a.status, a.machine, \
            u.path as stdout_path, u.size as stdout_size, u.tail as stdout_tail, \
            e.path as stderr_path, e.size as stderr_size, e.tail as stderr_tail \
        from step s join run r on r.swid = s.run join object o on o.swid = s.run \
            join attempt a on a.run = s.run and a.idx = s.idx and a.number = \
                (select max(n.number) from attempt n where n.run = s.run and n.idx = s.idx) \
            left join attempt_log u on u.run = a.run and u.idx = a.idx \
                and u.number = a.number and u.stream = 'stdout' \
            left join attempt_log e on e.run = a.run and e.idx = a.idx \
                and e.number = a.number and e.stream = 'stderr' \
        where ", readable_run!(), " and s.run = $4 \
            and (cast($5 as text) is null or s.status = $5) \
            and s.idx > $6 \
        order by s.idx limit $7");
}

impl MetaDb {
    /// Returns the ends of the streams of a run's steps, in the order of the plan; `None` where the
    /// caller may not see the run. A step without an attempt has no streams.
    pub async fn streams_of_run(
        &self,
        access: &Access,
        run: Accession,
        filter: StepFilter,
        limit: u32,
    ) -> Result<Option<Vec<StepStreams>>> {
        const OPERATION: &str = "read the streams of a run";
        if !self.sees_run(access, run).await? {
            return Ok(None);
        }
        let query = filter.bound(STREAMS, access, run, limit);
        let rows = query.fetch_all(self.reader()).await.during(OPERATION)?;
        rows.iter().map(|row| streams(row, OPERATION)).collect::<Result<_>>().map(Some)
    }
}

fn streams(row: &AnyRow, operation: &'static str) -> Result<StepStreams> {
    Ok(StepStreams {
        index: step_columns::index(row, operation)?,
        label: step_columns::label(row, operation)?,
        attempt: step_columns::attempt(row, "number", operation)?,
        status: step_columns::status(row, operation)?,
        machine: column(row, "machine", operation)?,
        stdout: tail(row, ["stdout_path", "stdout_size", "stdout_tail"], operation)?,
        stderr: tail(row, ["stderr_path", "stderr_size", "stderr_tail"], operation)?,
    })
}

pub(super) fn tail(
    row: &AnyRow,
    [path, size, tail]: [&'static str; 3],
    operation: &'static str,
) -> Result<Option<StreamTail>> {
    let Some(path) = column(row, path, operation)? else { return Ok(None) };
    let size: i64 = column(row, size, operation)?;
    let size = decode(u64::try_from(size), operation, size, "a number of bytes")?;
    Ok(Some(StreamTail { path, size, tail: column(row, tail, operation)? }))
}
