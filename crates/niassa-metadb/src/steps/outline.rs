//! The outline of a plan: the little that has to be known of every step to draw it and to find what
//! decided how long it took.
//!
//! It travels as one text, because a row with its columns costs many times more than a line of that.

use niassa_model::accession::Accession;
use niassa_model::step::{StepIndex, StepStatus};
use niassa_model::time::Timestamp;

use crate::error::{During, Result, decode};
use crate::pool::column;
use crate::{Access, MetaDb};

/// What is known of a step without its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlinedStep {
    /// Its index in the plan.
    pub index: StepIndex,
    /// Its name in the manifest: what the elements of a `foreach` share.
    pub name: String,
    /// Which element of a `foreach` it is.
    pub element: Option<u32>,
    /// What it waits for.
    pub after: Vec<StepIndex>,
    /// What is known of it.
    pub status: StepStatus,
    /// When the attempt ended that ended last.
    pub ended_at: Option<Timestamp>,
    /// How long its last attempt ran, in microseconds, once it has ended.
    pub ran_micros: Option<i64>,
}

impl OutlinedStep {
    /// Returns what people call it: its name, with the element's number in a `foreach`.
    pub fn label(&self) -> String {
        match self.element {
            Some(element) => format!("{}[{element}]", self.name),
            None => self.name.clone(),
        }
    }
}

sql! {
    /// The first steps of a run that the caller may see, as one text of JSON arrays: index, name,
    /// element, what it waits for, status, end, length of the last attempt. `$3`: labels; `$4`: run;
    /// `$5`: how many.
    OUTLINE = concat!("select string_agg(line, ',') as lines from (select \
            '[' || s.idx || ',' || json_quote(s.name) || ',' \
            || coalesce(cast(s.element as text), 'null') || ',' || s.after_steps || ',\"' \
            || s.status || '\",' || coalesce(cast((select max(t.ended_at) from attempt t \
                where t.run = s.run and t.idx = s.idx) as text), 'null') || ',' \
            || coalesce(cast((select l.ended_at - l.started_at from attempt l \
                where l.run = s.run and l.idx = s.idx and l.number = s.attempt) as text), 'null') \
            || ']' as line \
        from step s join run r on r.swid = s.run join object o on o.swid = s.run \
        where ", readable_run!(), " and s.run = $4 and s.idx < $5) lined");
}

/// A line of the outline.
type Line = (StepIndex, String, Option<u32>, Vec<StepIndex>, StepStatus, Option<i64>, Option<i64>);

impl MetaDb {
    /// Returns the outline of the first steps of a run, in the order of the plan; `None` where the
    /// caller may not see the run.
    pub async fn outline_of_run(
        &self,
        access: &Access,
        run: Accession,
        limit: u32,
    ) -> Result<Option<Vec<OutlinedStep>>> {
        const OPERATION: &str = "read the outline of a run";
        if !self.sees_run(access, run).await? {
            return Ok(None);
        }
        let row = sqlx::query(OUTLINE)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(run.get())
            .bind(i64::from(limit))
            .fetch_one(self.reader())
            .await
            .during(OPERATION)?;
        let lines: Option<String> = column(&row, "lines", OPERATION)?;
        let lines = format!("[{}]", lines.unwrap_or_default());
        let lines: Vec<Line> = decode(serde_json::from_str(&lines), OPERATION, run, "an outline")?;
        let mut steps: Vec<OutlinedStep> = lines.into_iter().map(outlined).collect();
        steps.sort_by_key(|step| step.index);
        Ok(Some(steps))
    }
}

fn outlined((index, name, element, after, status, ended, ran_micros): Line) -> OutlinedStep {
    let ended_at = ended.map(Timestamp::from_micros);
    OutlinedStep { index, name, element, after, status, ended_at, ran_micros }
}

#[cfg(test)]
mod tests {
    use niassa_model::step::Outcome;

    use super::*;
    use crate::steps::StepFilter;
    use crate::testing::launches::{FAILED, Launches, account, fact};
    use crate::testing::on_both;

    on_both! {
        /// It says what the steps say, in the order of the plan, and only to who may see the run.
        fn an_outline_says_the_same_as_the_steps(metadb: MetaDb) {
            let site = Launches::new(metadb.clone()).await;
            site.schedule("here").await;
            let run = site.claim_one("me", "here").await;
            let none = metadb.outline_of_run(&site.bob, run.swid, 9).await.unwrap().unwrap();
            assert_eq!(none, []);
            site.launch("me", &run).await;
            site.facts(&[fact(&run, 0, 1, FAILED), fact(&run, 0, 2, Outcome::SUCCESS)]).await;
            let outline = metadb.outline_of_run(&site.bob, run.swid, 9).await.unwrap().unwrap();
            let steps = metadb.steps_of_run(&site.bob, run.swid, StepFilter::default(), 9).await;
            let steps = steps.unwrap().unwrap();
            assert_eq!(outline.len(), steps.len());
            for (line, step) in outline.iter().zip(&steps) {
                let ended = step.attempts.iter().filter_map(|attempt| attempt.ended_at).max();
                assert_eq!((line.index, line.status), (step.index, step.status));
                assert_eq!((&line.label(), &line.after), (&step.label, &step.after));
                assert_eq!(line.ended_at, ended);
            }
            assert_eq!((outline[0].ran_micros, outline[1].ran_micros), (Some(1_000_000), None));
            let first = metadb.outline_of_run(&site.bob, run.swid, 1).await.unwrap().unwrap();
            assert_eq!(first, outline[..1]);
            let eve = account(&metadb, "eve@lab.net").await;
            assert_eq!(metadb.outline_of_run(&eve, run.swid, 9).await.unwrap(), None);
        }
    }
}
