//! The log of all runs: what happened, when, on whose behalf, and on what evidence.
//!
//! Entries are numbered in the order in which they become visible, so that a reader who asks for
//! what came after a number misses nothing.

use niassa_model::accession::Accession;
use niassa_model::run::RunStatus;
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::dialect::Dialect;
use crate::error::{During, Result, decode};
use crate::pool::{Writing, column};
use crate::{Access, MetaDb, bulk};

/// The event that stands at the beginning of every run's log.
pub const SCHEDULED: &str = "scheduled";
/// The event of an entry that only tells people something.
pub const NOTE: &str = "note";

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Rises over all runs.
    pub sequence: i64,
    /// The run.
    pub run: Accession,
    /// When it was recorded, by the database's clock.
    pub at: Timestamp,
    /// An event of the status machine, [`SCHEDULED`] or [`NOTE`].
    pub event: String,
    /// The status before.
    pub from: Option<RunStatus>,
    /// The status after; the same where the event changed nothing.
    pub to: Option<RunStatus>,
    /// The account that acted.
    pub account: String,
    /// Why, and the evidence.
    pub detail: Option<String>,
}

/// An entry to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewEntry {
    pub(crate) run: Accession,
    pub(crate) event: &'static str,
    pub(crate) from: Option<RunStatus>,
    pub(crate) to: Option<RunStatus>,
    pub(crate) account: String,
    pub(crate) detail: Option<String>,
}

sql! {
    /// Writes entries. `$1`: time; `$2`: rows of run, event, from, to, account, detail.
    WRITE = "insert into run_event (run, at, event, from_status, to_status, account, detail) \
        select cast(value ->> 0 as bigint), cast($1 as bigint), value ->> 1, value ->> 2, \
            value ->> 3, value ->> 4, value ->> 5 \
        from json_each($2)";
    /// The log of one run that the caller may see. `$3`: labels; `$4`: run; `$5`: after; `$6`: rows.
    LOG_OF_RUN = concat!("select e.sequence, e.run, e.at, e.event, e.from_status, e.to_status, \
            e.account, e.detail \
        from run_event e join run r on r.swid = e.run join object o on o.swid = e.run \
        where ", readable_run!(), " and e.run = $4 and e.sequence > $5 \
        order by e.sequence limit $6");
    /// The log of all runs that the caller may see. `$3`: labels; `$4`: after; `$5`: rows.
    LOG = concat!("select e.sequence, e.run, e.at, e.event, e.from_status, e.to_status, \
            e.account, e.detail \
        from run_event e join run r on r.swid = e.run join object o on o.swid = e.run \
        where ", readable_run!(), " and e.sequence > $4 \
        order by e.sequence limit $5");
    /// The number of the newest entry.
    NEWEST = "select coalesce(max(sequence), 0) from run_event";
}

impl MetaDb {
    /// Returns entries of one run, oldest first, after a number; `None` where the caller may not see
    /// the run.
    pub async fn log_of_run(
        &self,
        access: &Access,
        run: Accession,
        after: i64,
        limit: u32,
    ) -> Result<Option<Vec<LogEntry>>> {
        const OPERATION: &str = "read the log of a run";
        if !self.sees_run(access, run).await? {
            return Ok(None);
        }
        let rows = sqlx::query(LOG_OF_RUN)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(run.get())
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| entry(row, OPERATION)).collect::<Result<_>>().map(Some)
    }

    /// Returns entries of all runs that the caller may see, oldest first, after a number.
    pub async fn log_after(
        &self,
        access: &Access,
        after: i64,
        limit: u32,
    ) -> Result<Vec<LogEntry>> {
        const OPERATION: &str = "read the log of all runs";
        let rows = sqlx::query(LOG)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| entry(row, OPERATION)).collect()
    }

    /// Returns the number of the newest entry, whoever may see it; 0 where there is none.
    pub async fn newest_entry(&self) -> Result<i64> {
        const OPERATION: &str = "find the newest entry of the log";
        let row = sqlx::query(NEWEST).fetch_one(self.reader()).await.during(OPERATION)?;
        column(&row, 0, OPERATION)
    }
}

/// Writes entries at the end of a transaction.
pub(crate) async fn write(
    transaction: &mut Writing,
    dialect: Dialect,
    now: i64,
    entries: &[NewEntry],
    operation: &'static str,
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    if let Some(lock) = dialect.log_lock() {
        sqlx::query(lock).execute(&mut **transaction).await.during(operation)?;
    }
    let word = |status: Option<RunStatus>| status.map(RunStatus::as_str);
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let detail = entry.detail.as_deref().map(bulk::text);
            (entry.run.get(), entry.event, word(entry.from), word(entry.to), &entry.account, detail)
        })
        .collect();
    sqlx::query(WRITE)
        .bind(now)
        .bind(bulk::rows(&rows))
        .execute(&mut **transaction)
        .await
        .during(operation)
        .map(drop)
}

fn entry(row: &AnyRow, operation: &'static str) -> Result<LogEntry> {
    let status = |name: &'static str| -> Result<Option<RunStatus>> {
        let word: Option<String> = column(row, name, operation)?;
        word.map(|word| decode(word.parse(), operation, &word, "a status of a run")).transpose()
    };
    Ok(LogEntry {
        sequence: column(row, "sequence", operation)?,
        run: accession(row, "run", operation)?,
        at: Timestamp::from_micros(column(row, "at", operation)?),
        event: column(row, "event", operation)?,
        from: status("from_status")?,
        to: status("to_status")?,
        account: column(row, "account", operation)?,
        detail: column(row, "detail", operation)?,
    })
}

/// Reads a column that holds an accession.
pub(crate) fn accession(
    row: &AnyRow,
    name: &'static str,
    operation: &'static str,
) -> Result<Accession> {
    let number: i64 = column(row, name, operation)?;
    decode(Accession::try_from(number), operation, number, "an accession")
}

#[cfg(test)]
mod tests;
