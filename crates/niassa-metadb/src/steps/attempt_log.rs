//! One stream of one attempt, and who may speak for the file that it is the end of.

use niassa_model::accession::Accession;
use niassa_model::account::LaunchHosts;
use niassa_model::step::{AttemptNumber, StepIndex, StepStatus};
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use super::StreamTail;
use super::logs::tail;
use crate::error::{During, Result};
use crate::facts::Stream;
use crate::pool::column;
use crate::{Access, MetaDb, step_columns};

/// One stream of an attempt, as far as the MetaDB has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptStream {
    /// The attempt.
    pub attempt: AttemptNumber,
    /// Its status.
    pub status: StepStatus,
    /// The machine it ran on.
    pub machine: Option<String>,
    /// The end of the stream, where anything is known of it.
    pub tail: Option<StreamTail>,
}

sql! {
    /// An attempt of a step, by default the last one. `$3`: labels; `$4`: run; `$5`: step; `$6`: attempt;
    /// `$7`: stream.
    ATTEMPT = concat!("select a.number, a.status, a.machine, l.path as path, l.size as size, \
            l.tail as tail \
        from attempt a join run r on r.swid = a.run join object o on o.swid = r.swid \
            left join attempt_log l on l.run = a.run and l.idx = a.idx \
                and l.number = a.number and l.stream = $7 \
        where ", readable_run!(), " and a.run = $4 and a.idx = $5 \
            and (cast($6 as bigint) is null or a.number = $6) \
        order by a.number desc limit 1");
    /// Whether a caller may launch a run, and so speaks for its directory. `$1`: account; `$2`: labels that
    /// the token allows; `$3`: run.
    MAY_LAUNCH = concat!("select r.swid from run r where r.swid = $3 and (r.owner = $1 or ",
        granted!("r.owner", "$1", "r.host"), ") \
            and (cast($2 as text) is null or r.host in (select value ->> 0 from json_each($2)))");
    /// When a launcher that may launch a run was seen last. `$1`: run.
    LAUNCHER_SEEN = "select max(l.seen_at) as seen_at from run r join launcher l on l.host = r.host \
        and l.account in (select r.owner union all select g.grantee from launch_grant g \
            where g.owner = r.owner and g.host = r.host and g.revoked_at is null \
            and (g.expires_at is null or g.expires_at > (select now from clock))) \
        where r.swid = $1";
}

impl MetaDb {
    /// Returns one stream of an attempt of a step, by default of the last one; `None` where there is no such
    /// attempt, or the caller may not see its run.
    pub async fn stream_of_attempt(
        &self,
        access: &Access,
        (run, step, attempt): (Accession, StepIndex, Option<AttemptNumber>),
        stream: Stream,
    ) -> Result<Option<AttemptStream>> {
        const OPERATION: &str = "read the stream of an attempt";
        let row = sqlx::query(ATTEMPT)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(run.get())
            .bind(i64::from(step.0))
            .bind(attempt.map(|attempt| i64::from(attempt.0)))
            .bind(stream.as_str())
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        row.map(|row| attempt_stream(&row, OPERATION)).transpose()
    }

    /// Tells whether a caller may launch a run: it is its own, or its owner allows it.
    pub async fn may_launch(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        run: Accession,
    ) -> Result<bool> {
        let labels = match hosts {
            LaunchHosts::Any => None,
            LaunchHosts::Only(labels) => {
                let rows: Vec<[&str; 1]> = labels.iter().map(|label| [label.as_str()]).collect();
                Some(serde_json::json!(rows).to_string())
            }
        };
        sqlx::query(MAY_LAUNCH)
            .bind(access.account.0)
            .bind(labels)
            .bind(run.get())
            .fetch_optional(self.reader())
            .await
            .during("ask who may launch a run")
            .map(|row| row.is_some())
    }

    /// Returns when a launcher that may launch a run asked for runs of its label last.
    pub async fn launcher_of_run_seen(&self, run: Accession) -> Result<Option<Timestamp>> {
        const OPERATION: &str = "look for the launchers of a run";
        let query = sqlx::query(LAUNCHER_SEEN).bind(run.get());
        let row = query.fetch_one(self.reader()).await.during(OPERATION)?;
        let seen: Option<i64> = column(&row, "seen_at", OPERATION)?;
        Ok(seen.map(Timestamp::from_micros))
    }
}

fn attempt_stream(row: &AnyRow, operation: &'static str) -> Result<AttemptStream> {
    Ok(AttemptStream {
        attempt: step_columns::attempt(row, "number", operation)?,
        status: step_columns::status(row, operation)?,
        machine: column(row, "machine", operation)?,
        tail: tail(row, ["path", "size", "tail"], operation)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::StreamEnd;
    use crate::testing::launches::{FAILED, Launches, account, fact};
    use crate::testing::on_both;

    on_both! {
        fn a_stream_is_for_who_sees_the_run_and_its_file_for_who_launches_it(metadb: MetaDb) {
            let launches = Launches::new(metadb).await;
            let run = launches.schedule("server2").await.swid;
            let eve = account(&launches.metadb, "eve@lab.net").await;
            let claimed = launches.claim_one("a", "server2").await;
            launches.launch("a", &claimed).await;
            let mut failed = fact(&claimed, 0, 1, FAILED);
            let (path, tail) = ("/runs/1/stderr".to_owned(), "end".to_owned());
            failed.logs = vec![StreamEnd { stream: Stream::Stderr, path, size: 9, tail }];
            launches.facts(&[failed]).await;
            let (metadb, bob) = (&launches.metadb, &launches.bob);
            let of = async |access: &Access, step, attempt, stream| {
                metadb.stream_of_attempt(access, (run, StepIndex(step), attempt), stream).await
            };
            let stderr = of(bob, 0, None, Stream::Stderr).await.unwrap().unwrap();
            assert_eq!(stderr.status, StepStatus::Failed);
            assert_eq!(stderr.tail.map(|tail| tail.size), Some(9));
            let stdout = of(bob, 0, Some(AttemptNumber(1)), Stream::Stdout).await.unwrap();
            assert_eq!(stdout.unwrap().tail, None);
            assert_eq!(of(bob, 0, Some(AttemptNumber(2)), Stream::Stdout).await.unwrap(), None);
            assert_eq!(of(bob, 1, None, Stream::Stdout).await.unwrap(), None);
            assert_eq!(of(&eve, 0, None, Stream::Stderr).await.unwrap(), None);
            let here = LaunchHosts::Only(vec!["server2".parse().unwrap()]);
            let elsewhere = LaunchHosts::Only(vec!["server3".parse().unwrap()]);
            assert!(metadb.may_launch(bob, &LaunchHosts::Any, run).await.unwrap());
            assert!(metadb.may_launch(bob, &here, run).await.unwrap());
            assert!(!metadb.may_launch(bob, &elsewhere, run).await.unwrap());
            assert!(!metadb.may_launch(&eve, &LaunchHosts::Any, run).await.unwrap());
            assert!(metadb.launcher_of_run_seen(run).await.unwrap().is_some());
        }
    }
}
