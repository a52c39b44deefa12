//! Numbers about all runs, for whoever watches the service.
//!
//! What is active is few, and counted at each question. What has ended is everything that ever ran: it
//! costs as much as there are runs, so it is a question of its own, for who asks it less often.

use niassa_model::run::RunStatus;
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::MetaDb;
use crate::error::{During, Result, decode};
use crate::pool::column;

/// Numbers about all runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gauges {
    /// How many runs have a status with which they may still change; one that none has is absent.
    pub active: Vec<(RunStatus, i64)>,
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
    /// Active runs by status.
    ACTIVE = "select status, count(*) as runs from run where status in \
            ('submitted', 'pending', 'running', 'submitted_cancel', 'submitted_retry') \
        group by status order by status";
    /// Ended runs by status.
    ENDED = "select status, count(*) as runs from run \
        where status in ('completed', 'failed', 'cancelled') group by status order by status";
    /// Runs that wait, by label, the longest first. `$1`: rows.
    WAITING = "select host, count(*) as runs, min(updated_at) as since from run \
        where status in ('submitted', 'submitted_retry') group by host \
        order by min(updated_at), host limit $1";
    /// How many labels there are for which runs wait.
    LABELS = "select count(distinct host) from run where status in ('submitted', 'submitted_retry')";
}

impl MetaDb {
    /// Returns numbers about all active runs, whoever owns them.
    pub async fn gauges(&self) -> Result<Gauges> {
        const OPERATION: &str = "count runs";
        let active = self.runs_by_status(ACTIVE, OPERATION).await?;
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
        Ok(Gauges { active, waiting, labels, last_backup, now: self.now().await? })
    }
    /// Returns how many runs have ended with each status; one that none has is absent. It goes through
    /// all of them.
    pub async fn ended_runs(&self) -> Result<Vec<(RunStatus, i64)>> {
        self.runs_by_status(ENDED, "count ended runs").await
    }

    async fn runs_by_status(
        &self,
        statement: &'static str,
        operation: &'static str,
    ) -> Result<Vec<(RunStatus, i64)>> {
        let rows = sqlx::query(statement).fetch_all(self.reader()).await.during(operation)?;
        let counted = |row: &AnyRow| {
            let word: String = column(row, "status", operation)?;
            let status = decode(word.parse(), operation, &word, "a status of a run")?;
            Ok((status, column(row, "runs", operation)?))
        };
        rows.iter().map(counted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::launches::{Launches, launch};
    use crate::testing::on_both;

    on_both! {
        /// Each run is counted once: with the active ones or with those that ended.
        fn every_status_is_counted_in_one_place(metadb: MetaDb) {
            let site = Launches::new(metadb).await;
            let waiting = site.schedule("here").await.swid;
            site.schedule("there").await;
            let given = site.schedule("here").await.swid;
            site.metadb.cancel_runs(&site.bob, &[waiting]).await.unwrap();
            let claimed = site.claim(&launch("a", "here")).await.claims;
            assert_eq!(claimed.iter().map(|run| run.swid).collect::<Vec<_>>(), [given]);
            site.launch("a", &claimed[0]).await;
            let gauges = site.metadb.gauges().await.unwrap();
            assert_eq!(gauges.active, [(RunStatus::Pending, 1), (RunStatus::Submitted, 1)]);
            assert_eq!(site.metadb.ended_runs().await.unwrap(), [(RunStatus::Cancelled, 1)]);
        }
    }

    /// A status that were in none of the two statements would vanish from what is told.
    #[test]
    fn the_statements_divide_the_statuses() {
        for status in RunStatus::ALL {
            let word = format!("'{status}'");
            assert_eq!(ACTIVE.contains(&word), status.is_active(), "{status}");
            assert_eq!(ENDED.contains(&word), !status.is_active(), "{status}");
        }
    }
}
