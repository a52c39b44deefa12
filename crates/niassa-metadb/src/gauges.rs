//! Numbers about all runs, for whoever watches the service.

use niassa_model::run::RunStatus;
use niassa_model::time::Timestamp;

use crate::MetaDb;
use crate::error::{During, Result, decode};
use crate::pool::column;

/// Numbers about all runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gauges {
    /// How many runs have a status; one that none has is absent.
    pub runs: Vec<(RunStatus, i64)>,
    /// Runs that wait for a launcher, by label: those of a hundred labels that wait the longest.
    pub waiting: Vec<Waiting>,
    /// For how many labels runs wait.
    pub labels: i64,
    /// When the last backup was made, if one was.
    pub last_backup: Option<Timestamp>,
    /// The database's time.
    pub now: Timestamp,
}

/// Runs that wait for launchers of one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The label.
    pub host: String,
    /// How many.
    pub runs: i64,
    /// Since when the first of them waits.
    pub since: Timestamp,
}

/// Most labels that are told, those that wait the longest: whoever collects these numbers keeps a
/// series for each label that it was ever told.
const MOST_HOSTS: i64 = 100;

sql! {
    /// Runs by status.
    RUNS = "select status, count(*) as runs from run group by status order by status";
    /// Runs that wait, by label, the longest first. `$1`: rows.
    WAITING = "select host, count(*) as runs, min(updated_at) as since from run \
        where status in ('submitted', 'submitted_retry') group by host \
        order by min(updated_at), host limit $1";
    /// How many labels there are for which runs wait.
    LABELS = "select count(distinct host) from run where status in ('submitted', 'submitted_retry')";
}

impl MetaDb {
    /// Returns numbers about all runs, whoever owns them.
    pub async fn gauges(&self) -> Result<Gauges> {
        const OPERATION: &str = "count runs";
        let rows = sqlx::query(RUNS).fetch_all(self.reader()).await.during(OPERATION)?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in &rows {
            let word: String = column(row, "status", OPERATION)?;
            let status = decode(word.parse(), OPERATION, &word, "a status of a run")?;
            runs.push((status, column(row, "runs", OPERATION)?));
        }
        let rows = sqlx::query(WAITING)
            .bind(MOST_HOSTS)
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        let mut waiting = Vec::with_capacity(rows.len());
        for row in &rows {
            waiting.push(Waiting {
                host: column(row, "host", OPERATION)?,
                runs: column(row, "runs", OPERATION)?,
                since: Timestamp::from_micros(column(row, "since", OPERATION)?),
            });
        }
        let row = sqlx::query(LABELS).fetch_one(self.reader()).await.during(OPERATION)?;
        let labels = column(&row, 0, OPERATION)?;
        let last_backup = self.last_backup().await?.map(|backup| backup.taken_at);
        Ok(Gauges { runs, waiting, labels, last_backup, now: self.now().await? })
    }
}
