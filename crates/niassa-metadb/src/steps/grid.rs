//! How the steps of many runs stand, by name: what shows which step always fails.

use niassa_model::accession::Accession;
use niassa_model::step::StepStatus;
use sqlx::any::AnyRow;

use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::pool::column;
use crate::{Access, MetaDb, bulk, step_columns};

/// Steps of one run that have one name and one status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridCell {
    /// The run.
    pub run: Accession,
    /// The name, without elements.
    pub name: String,
    /// What is known of them.
    pub status: StepStatus,
    /// How many they are.
    pub steps: u64,
    /// How long the last attempt took that took longest, in microseconds.
    pub longest_micros: Option<i64>,
}

sql! {
    /// How the steps of runs stand that the caller may see, in the order of the plans. `$3`: labels;
    /// `$4`: runs.
    GRID = concat!("select s.run, s.name, s.status, count(*) as steps, \
            max(t.ended_at - t.started_at) as longest \
        from step s join run r on r.swid = s.run join object o on o.swid = s.run \
            left join attempt t on t.run = s.run and t.idx = s.idx and t.number = s.attempt \
        where ", readable_run!(), " and s.run in \
            (select cast(value ->> 0 as bigint) from json_each($4)) \
        group by s.run, s.name, s.status order by s.run desc, min(s.idx)");
}

impl MetaDb {
    /// Returns how the steps of runs stand, newest run first, in the order of the plans.
    pub async fn step_grid(&self, access: &Access, runs: &[Accession]) -> Result<Vec<GridCell>> {
        const OPERATION: &str = "read how steps of runs stand";
        let rows = sqlx::query(GRID)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(bulk::numbers(runs.iter().copied()))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| cell(row, OPERATION)).collect()
    }
}

fn cell(row: &AnyRow, operation: &'static str) -> Result<GridCell> {
    let steps: i64 = column(row, "steps", operation)?;
    Ok(GridCell {
        run: accession(row, "run", operation)?,
        name: column(row, "name", operation)?,
        status: step_columns::status(row, operation)?,
        steps: decode(u64::try_from(steps), operation, steps, "a number of steps")?,
        longest_micros: column(row, "longest", operation)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::launches::{FAILED, Launches, account, fact};
    use crate::testing::on_both;

    on_both! {
        fn steps_of_many_runs_are_counted_by_name(metadb: MetaDb) {
            let site = Launches::new(metadb.clone()).await;
            site.schedule("here").await;
            let run = site.claim_one("me", "here").await;
            site.launch("me", &run).await;
            site.facts(&[fact(&run, 0, 1, FAILED)]).await;
            let waiting = site.schedule("here").await.swid;
            let grid = metadb.step_grid(&site.bob, &[run.swid, waiting]).await.unwrap();
            let told: Vec<_> = grid.iter().map(|c| (c.name.as_str(), c.status, c.steps)).collect();
            assert_eq!(
                told,
                [("step0", StepStatus::Failed, 1), ("step1", StepStatus::Pending, 1)]
            );
            assert_eq!(grid[0].longest_micros, Some(1_000_000));
            assert_eq!((grid[0].run, grid[1].longest_micros), (run.swid, None));
            let eve = account(&metadb, "eve@lab.net").await;
            assert_eq!(metadb.step_grid(&eve, &[run.swid]).await.unwrap(), []);
        }
    }
}
