//! A part of the steps of a run, of one name or with one status if asked: what a numbered page shows.

use niassa_model::accession::Accession;
use niassa_model::step::StepStatus;

use super::Step;
use crate::error::{During, Result, decode};
use crate::pool::column;
use crate::{Access, MetaDb};

/// Which steps are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepPart {
    /// Only steps with this name in the manifest.
    pub name: Option<String>,
    /// Only steps with this status.
    pub status: Option<StepStatus>,
}

/// Which steps `s` of a run the caller may see and means. `$3`: labels; `$4`: run; `$5`: name; `$6`:
/// status.
macro_rules! meant {
    () => {
        concat!(
            "from step s join run r on r.swid = s.run join object o on o.swid = s.run where ",
            readable_run!(),
            " and s.run = $4 and (cast($5 as text) is null or s.name = $5) \
             and (cast($6 as text) is null or s.status = $6)"
        )
    };
}

sql! {
    /// How many there are.
    COUNT = concat!("select count(*) as steps ", meant!());
    /// Some of them, in the order of the plan. `$7`: how many before; `$8`: rows.
    PART = concat!("select s.idx, s.swid, s.name, s.element, s.after_steps, s.status, s.reason, \
        s.threads, s.memory_bytes, s.seconds ", meant!(), " order by s.idx limit $8 offset $7");
}

impl MetaDb {
    /// Returns how many steps of a run are meant, and so many of them behind so many, with their
    /// attempts, in the order of the plan; `None` where the caller may not see the run.
    pub async fn part_of_steps(
        &self,
        access: &Access,
        run: Accession,
        part: &StepPart,
        (skip, limit): (u32, u32),
    ) -> Result<Option<(u32, Vec<Step>)>> {
        const OPERATION: &str = "read a part of the steps of a run";
        if !self.sees_run(access, run).await? {
            return Ok(None);
        }
        let bound = |statement: &'static str| {
            sqlx::query(statement)
                .bind(access.everything())
                .bind(access.account.0)
                .bind(access.hosts_json())
                .bind(run.get())
                .bind(part.name.clone())
                .bind(part.status.map(StepStatus::as_str))
        };
        let row = bound(COUNT).fetch_one(self.reader()).await.during(OPERATION)?;
        let count: i64 = column(&row, "steps", OPERATION)?;
        let count = decode(u32::try_from(count), OPERATION, count, "a number of steps")?;
        let page = bound(PART).bind(i64::from(skip)).bind(i64::from(limit));
        let rows = page.fetch_all(self.reader()).await.during(OPERATION)?;
        Ok(Some((count, self.with_attempts(run, &rows, OPERATION).await?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::launches::{FAILED, Launches, account, fact};
    use crate::testing::on_both;

    on_both! {
        /// Steps are counted as a whole and shown in parts, by name and by status.
        fn a_part_of_the_steps_is_read(metadb: MetaDb) {
            let site = Launches::new(metadb.clone()).await;
            site.schedule("here").await;
            let run = site.claim_one("me", "here").await;
            site.launch("me", &run).await;
            site.facts(&[fact(&run, 0, 1, FAILED)]).await;
            let read = |part: StepPart, window| {
                let (metadb, bob, swid) = (&metadb, &site.bob, run.swid);
                async move {
                    let found = metadb.part_of_steps(bob, swid, &part, window).await.unwrap();
                    let (count, steps) = found.unwrap();
                    let steps: Vec<_> =
                        steps.iter().map(|step| (step.index.0, step.attempts.len())).collect();
                    (count, steps)
                }
            };
            assert_eq!(read(StepPart::default(), (0, 9)).await, (2, vec![(0, 1), (1, 0)]));
            assert_eq!(read(StepPart::default(), (1, 9)).await, (2, vec![(1, 0)]));
            assert_eq!(read(StepPart::default(), (0, 1)).await, (2, vec![(0, 1)]));
            assert_eq!(read(StepPart::default(), (7, 9)).await, (2, vec![]));
            let named = StepPart { name: Some("step1".to_owned()), status: None };
            assert_eq!(read(named, (0, 9)).await, (1, vec![(1, 0)]));
            let failed = StepPart { name: None, status: Some(StepStatus::Failed) };
            assert_eq!(read(failed, (0, 9)).await, (1, vec![(0, 1)]));
            let eve = account(&metadb, "eve@lab.net").await;
            let all = StepPart::default();
            assert_eq!(metadb.part_of_steps(&eve, run.swid, &all, (0, 9)).await.unwrap(), None);
        }
    }
}
