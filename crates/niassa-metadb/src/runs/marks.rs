//! The marks of runs: given and taken away by people, many runs at a time, and read with the runs.

use std::collections::{BTreeMap, BTreeSet};

use niassa_model::accession::Accession;
use niassa_model::run::Mark;
use niassa_model::time::Timestamp;
use serde_json::json;

use super::row::Run;
use crate::desires::{Wish, WishRefused, WishTaken};
use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::pool::{column, retrying};
use crate::run_state::RunState;
use crate::{Access, MetaDb, bulk};

/// A mark of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenMark {
    /// The word.
    pub mark: Mark,
    /// The address of the account that gave it.
    pub account: String,
    /// When.
    pub at: Timestamp,
}

/// What is to become of the marks of runs. A mark that is in both is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarkChange {
    /// Marks that the runs shall have.
    pub add: BTreeSet<Mark>,
    /// Marks that they shall not have.
    pub remove: BTreeSet<Mark>,
}

/// The marks of runs that are loaded.
type Marks = BTreeMap<Accession, BTreeSet<Mark>>;

sql! {
    /// The marks of runs that the caller has seen. `$1`: runs.
    MARKS = "select m.run, m.mark, a.email, m.given_at from run_mark m \
            join account a on a.id = m.given_by \
        where m.run in (select cast(value ->> 0 as bigint) from json_each($1)) \
        order by m.run, m.mark";
    /// Gives marks. `$1`: account; `$2`: time; `$3`: rows of run and mark.
    GIVE = "insert into run_mark (run, mark, given_by, given_at) \
        select cast(value ->> 0 as bigint), value ->> 1, cast($1 as bigint), cast($2 as bigint) \
        from json_each($3) where true on conflict (run, mark) do nothing";
    /// Takes marks away. `$1`: rows of run and mark.
    TAKE = "delete from run_mark where exists (select 1 from json_each($1) \
        where cast(value ->> 0 as bigint) = run_mark.run and value ->> 1 = run_mark.mark) \
            and run in (select cast(value ->> 0 as bigint) from json_each($1))";
}

impl MetaDb {
    /// Gives marks to runs, and takes marks away. Answers in the order asked; what is so already is no
    /// change.
    pub async fn mark_runs(
        &self,
        access: &Access,
        runs: &[Accession],
        change: &MarkChange,
    ) -> Result<Vec<WishTaken>> {
        retrying(|| self.mark_once(access, runs, change)).await
    }

    async fn mark_once(
        &self,
        access: &Access,
        named: &[Accession],
        change: &MarkChange,
    ) -> Result<Vec<WishTaken>> {
        const OPERATION: &str = "mark runs";
        let mut wish = Wish::begin(self, access, named, OPERATION).await?;
        let rows = sqlx::query(MARKS)
            .bind(bulk::numbers(wish.swids()))
            .fetch_all(&mut *wish.transaction)
            .await
            .during(OPERATION)?;
        let mut known = Marks::new();
        for row in &rows {
            let (run, given) = given(row, OPERATION)?;
            known.entry(run).or_default().insert(given.mark);
        }
        let (mut given, mut taken) = (Vec::new(), Vec::new());
        wish.decide(|run| {
            let known = known.remove(&run.swid).unwrap_or_default();
            let changed = mark(run, access, &known, change)?;
            given.extend(changed.add.into_iter().map(|mark| json!([run.swid, mark])));
            taken.extend(changed.remove.into_iter().map(|mark| json!([run.swid, mark])));
            Ok(())
        });
        let give = sqlx::query(GIVE).bind(access.account.0).bind(wish.now).bind(bulk::rows(&given));
        give.execute(&mut *wish.transaction).await.during(OPERATION)?;
        let take = sqlx::query(TAKE).bind(bulk::rows(&taken));
        take.execute(&mut *wish.transaction).await.during(OPERATION)?;
        wish.finish().await
    }

    /// Adds their marks to runs that were read.
    pub(super) async fn add_marks(&self, runs: &mut [Run], operation: &'static str) -> Result<()> {
        if runs.is_empty() {
            return Ok(());
        }
        let rows = sqlx::query(MARKS)
            .bind(bulk::numbers(runs.iter().map(|run| run.swid)))
            .fetch_all(self.reader())
            .await
            .during(operation)?;
        let mut marks: BTreeMap<Accession, Vec<GivenMark>> = BTreeMap::new();
        for row in &rows {
            let (run, given) = given(row, operation)?;
            marks.entry(run).or_default().push(given);
        }
        for run in runs {
            run.marks = marks.remove(&run.swid).unwrap_or_default();
        }
        Ok(())
    }
}

/// Tells what changes of a run that has marks, and keeps it in the log.
fn mark(
    run: &mut RunState,
    access: &Access,
    known: &BTreeSet<Mark>,
    change: &MarkChange,
) -> std::result::Result<MarkChange, WishRefused> {
    let add = change.add.iter().filter(|mark| !change.remove.contains(mark));
    let changed = MarkChange {
        add: add.filter(|mark| !known.contains(mark)).cloned().collect(),
        remove: change.remove.intersection(known).cloned().collect(),
    };
    if known.len() + changed.add.len() > Mark::OF_A_RUN + changed.remove.len() {
        return Err(WishRefused::TooManyMarks);
    }
    let listed =
        |marks: &BTreeSet<Mark>| marks.iter().map(Mark::as_str).collect::<Vec<_>>().join(", ");
    if !changed.add.is_empty() {
        run.told(&format!("marked {}", listed(&changed.add)), &access.email);
    }
    if !changed.remove.is_empty() {
        run.told(&format!("no longer marked {}", listed(&changed.remove)), &access.email);
    }
    Ok(changed)
}

fn given(row: &sqlx::any::AnyRow, operation: &'static str) -> Result<(Accession, GivenMark)> {
    let word: String = column(row, "mark", operation)?;
    let mark = decode(word.parse(), operation, &word, "a mark of a run")?;
    let account = column(row, "email", operation)?;
    let at = Timestamp::from_micros(column(row, "given_at", operation)?);
    Ok((accession(row, "run", operation)?, GivenMark { mark, account, at }))
}

#[cfg(test)]
mod tests;
