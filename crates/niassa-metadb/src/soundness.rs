//! Whether what the MetaDB holds can be true: rules that every row keeps which programs of ours wrote.
//!
//! A database that is whole may still say what cannot be, after a fault of the disk, a restore of half,
//! or somebody's own hands. Each rule is one statement that finds what breaks it; nothing is changed.

use crate::MetaDb;
use crate::error::{During, Result};
use crate::pool::column;

/// A rule, and what breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soundness {
    /// The rule, as a word.
    pub rule: &'static str,
    /// What it says, for people: what is good about rows that keep it.
    pub says: &'static str,
    /// What breaks it; a few of many.
    pub broken_by: Vec<String>,
}

/// What is told of rows that break a rule; more of them help nobody.
const MOST: i64 = 5;

/// A rule with its statement.
struct Rule {
    word: &'static str,
    says: &'static str,
    finds: &'static str,
}

sql! {
    /// Accessions that stand for one kind of object and are another. `$1`: rows.
    KINDS = "select cast(o.swid as text) as broken from object o where \
            (o.kind = 'workflow_run' and not exists (select 1 from run where swid = o.swid)) \
            or (o.kind = 'processing' and not exists (select 1 from step where swid = o.swid)) \
            or (o.kind = 'file' and not exists (select 1 from file where swid = o.swid)) \
            or (o.kind = 'workflow' and not exists (select 1 from workflow where swid = o.swid)) \
            or (o.kind = 'study' and not exists (select 1 from study where swid = o.swid)) \
        order by o.swid limit $1";
    /// Runs whose counts are not those of their steps. Of a plan that is not recorded to its end the
    /// missing steps count as not started, so only whole ones are compared. `$1`: rows.
    COUNTS = "select cast(r.swid as text) as broken from run r join ( \
            select run, count(*) as total, \
                count(case when status = 'pending' then 1 end) as pending, \
                count(case when status = 'running' then 1 end) as running, \
                count(case when status = 'success' then 1 end) as success, \
                count(case when status = 'failed' then 1 end) as failed, \
                count(case when status = 'skipped' then 1 end) as skipped, \
                count(case when status = 'cancelled' then 1 end) as cancelled, \
                count(case when status = 'lost' then 1 end) as lost \
            from step group by run) s on s.run = r.swid \
        where s.total > r.steps_total or (s.total = r.steps_total and ( \
            s.pending <> r.steps_pending or s.running <> r.steps_running \
            or s.success <> r.steps_success or s.failed <> r.steps_failed \
            or s.skipped <> r.steps_skipped or s.cancelled <> r.steps_cancelled \
            or s.lost <> r.steps_lost)) \
        order by r.swid limit $1";
    /// Runs whose status their steps, their place or what people asked for do not allow. `$1`: rows.
    STATUSES = "select cast(swid as text) as broken from run where \
            (status = 'completed' and (steps_total = 0 or steps_success <> steps_total)) \
            or (status in ('failed', 'cancelled') and steps_pending + steps_running > 0) \
            or (status in ('pending', 'running') and place is null) \
            or (status = 'submitted_cancel' and cancel_requested_at is null) \
            or status not in ('submitted', 'pending', 'running', 'completed', 'failed', \
                'submitted_cancel', 'cancelled', 'submitted_retry') \
        order by swid limit $1";
    /// Runs of which the log ends with another status. `$1`: rows.
    LOG = "select cast(r.swid as text) as broken from run r where r.status <> coalesce( \
            (select e.to_status from run_event e where e.run = r.swid and e.to_status is not null \
                order by e.sequence desc limit 1), '') \
        order by r.swid limit $1";
    /// Steps that no attempt explains: they succeeded without one that did, or count fewer than there
    /// are. `$1`: rows.
    ATTEMPTS = "select cast(s.run as text) || ' step ' || cast(s.idx as text) as broken from step s \
        where (s.status = 'success' and s.attempt > 0 and not exists (select 1 from attempt a \
                where a.run = s.run and a.idx = s.idx and a.status = 'success')) \
            or s.attempt < coalesce((select max(a.number) from attempt a \
                where a.run = s.run and a.idx = s.idx), 0) \
        order by s.run, s.idx limit $1";
    /// Runs that are claimed beyond any lease: the clock was ahead. `$1`: rows.
    CLAIMS = "select cast(swid as text) as broken from run \
        where claim_until > (select now from clock) + 601000000 order by swid limit $1";
    /// Entries of the log from the future: the clock was ahead. `$1`: rows.
    FUTURE = "select cast(run as text) as broken from run_event \
        where at > (select now from clock) + 60000000 order by sequence limit $1";
}

/// Every rule, in the order in which they are told.
const RULES: &[Rule] = &[
    Rule { word: "kinds", says: "each accession has its object", finds: KINDS },
    Rule { word: "counts", says: "runs count their steps rightly", finds: COUNTS },
    Rule { word: "statuses", says: "statuses of runs agree with what is known", finds: STATUSES },
    Rule { word: "run log", says: "the log ends with each run's status", finds: LOG },
    Rule { word: "attempts", says: "steps agree with their attempts", finds: ATTEMPTS },
    Rule { word: "claims", says: "no claim lasts longer than a lease", finds: CLAIMS },
    Rule { word: "times", says: "nothing was recorded in the future", finds: FUTURE },
];

impl MetaDb {
    /// Looks through everything and tells of each rule what breaks it.
    pub async fn soundness(&self) -> Result<Vec<Soundness>> {
        const OPERATION: &str = "look through the MetaDB";
        let mut told = Vec::with_capacity(RULES.len() + 1);
        for rule in RULES {
            let rows = sqlx::query(rule.finds)
                .bind(MOST + 1)
                .fetch_all(self.reader())
                .await
                .during(OPERATION)?;
            let broken = rows.iter().map(|row| column(row, "broken", OPERATION));
            let broken_by = broken.collect::<Result<_>>()?;
            told.push(Soundness { rule: rule.word, says: rule.says, broken_by });
        }
        told.push(self.accessions_rise(OPERATION).await?);
        told.push(self.references_lead_somewhere(OPERATION).await?);
        Ok(told)
    }

    /// The next accession has to be above all that were dealt out.
    async fn accessions_rise(&self, operation: &'static str) -> Result<Soundness> {
        let row = sqlx::query(self.dialect().last_dealt())
            .fetch_one(self.reader())
            .await
            .during(operation)?;
        let (dealt, last) = (column::<i64>(&row, 0, operation)?, self.contents().await?.last_swid);
        let broken_by = if dealt < last {
            vec![format!("{last} is dealt out, and the next would be {}", dealt + 1)]
        } else {
            Vec::new()
        };
        let says = "the next accession is above all others";
        Ok(Soundness { rule: "accessions", says, broken_by })
    }

    async fn references_lead_somewhere(&self, operation: &'static str) -> Result<Soundness> {
        let rows = sqlx::query(self.dialect().loose_references())
            .fetch_all(self.reader())
            .await
            .during(operation)?;
        let tables = rows.iter().map(|row| column::<String>(row, 0, operation));
        let mut broken_by = tables.collect::<Result<Vec<_>>>()?;
        broken_by.dedup();
        let says = "every reference leads somewhere";
        Ok(Soundness { rule: "references", says, broken_by })
    }
}

#[cfg(test)]
mod tests;
