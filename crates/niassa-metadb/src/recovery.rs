//! Runs that this MetaDB forgot: accepted after the backup that it was restored from.
//!
//! A run keeps its tag for ever. It keeps its accession, and its steps keep theirs, unless other
//! objects have them now; then it is given new ones. Nothing of it is launched: it counts as handed over,
//! and whoever serves its place sees what is left to do.

use std::collections::HashSet;

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::host::HostLabel;
use niassa_model::place::Place;
use niassa_model::run::{RunEvent, RunStatus, RunTag};
use serde_json::{Value, json};
use sqlx::any::AnyRow;

use crate::actions::{NewStep, steps};
use crate::error::{During, Result, decode};
use crate::events::{self, NewEntry, accession};
use crate::pool::{Writing, column, commit, now_in, retrying};
use crate::{Access, MetaDb, bulk};

/// How far above the last accession one may be that a run keeps: what is higher was not dealt out by a
/// service of ours, and would leave few for others.
const HIGHEST: i64 = 10_000_000;

/// A run as its directory has it.
#[derive(Debug, Clone, PartialEq)]
pub struct ForgottenRun {
    /// The accession it had.
    pub swid: Accession,
    /// Its tag.
    pub tag: RunTag,
    /// The address of its account.
    pub account: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: String,
    /// The digest of its archive.
    pub bundle_sha256: String,
    /// The label it was scheduled for.
    pub host: HostLabel,
    /// What it descends from.
    pub parents: Vec<Accession>,
    /// The values as resolved, as JSON.
    pub values: String,
    /// Something to schedule it anew from, as JSON.
    pub sources: String,
    /// Where it was launched.
    pub place: Place,
    /// Its directory.
    pub directory: String,
    /// The machine that tells.
    pub launched_on: String,
    /// The highest claim that was seen.
    pub epoch: i64,
    /// The digest of its plan.
    pub plan_sha256: String,
    /// The steps of its plan.
    pub steps: Vec<NewStep>,
    /// The accession that each step had, where they are known.
    pub accessions: Vec<Accession>,
}

/// A run that is known by its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRun {
    /// Its tag.
    pub tag: RunTag,
    /// Its accession.
    pub swid: Accession,
    /// Its status.
    pub status: RunStatus,
}

/// What became of a run that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// It is there, now or since before, and belongs to the account behind this access.
    There(Accession, Access),
    /// There is no such account.
    NoAccount,
    /// No workflow has this name, version and archive.
    NoWorkflow,
}

sql! {
    /// Runs by their tags, for whoever sees everything. `$1`: 1; `$2`: rows of one tag each.
    KNOWN = "select tag, swid, status from run where cast($1 as bigint) = 1 \
        and tag in (select value ->> 0 from json_each($2)) order by swid";
    /// The account of an address.
    ACCOUNT = "select id from account where email = $1";
    /// The run of a tag with its account. `$1`: tag.
    OF_TAG = "select swid, owner from run where tag = $1";
    /// The workflow of a name, a version and an archive.
    WORKFLOW = "select swid from workflow where name = $1 and version = $2 and bundle_sha256 = $3";
    /// Which of these accessions stand for something. `$1`: rows of one accession each.
    TAKEN = "select swid from object \
        where swid in (select cast(value ->> 0 as bigint) from json_each($1))";
    /// Registers objects under accessions that are free. `$1`: time; `$2`: kind; `$3`: rows of
    /// accession, owner, run it hangs on.
    REGISTER_AS = "insert into object (swid, kind, owner, anchor, created_at) \
        select cast(value ->> 0 as bigint), $2, cast(value ->> 1 as bigint), \
            cast(value ->> 2 as bigint), cast($1 as bigint) from json_each($3)";
    /// Deals out accessions. `$1`: time; `$2`: kind; `$3`: rows of owner, run it hangs on.
    REGISTER = "insert into object (kind, owner, anchor, created_at) \
        select $2, cast(value ->> 0 as bigint), cast(value ->> 1 as bigint), \
            cast($1 as bigint) from json_each($3) where true returning swid";
    /// Makes a run that was handed over. `$1`: time; `$2`: one row.
    RUN = "insert into run (swid, tag, owner, workflow, host, engine, options, status, place_key, \
            place, directory, launched_on, plan_sha256, claim_epoch, claim_until, \
            claims_without_record, offered_after, steps_total, steps_pending, steps_running, \
            steps_success, steps_failed, steps_skipped, steps_cancelled, steps_lost, needs_action, \
            created_at, updated_at, priority) \
        select cast(value ->> 0 as bigint), value ->> 1, cast(value ->> 2 as bigint), \
            cast(value ->> 3 as bigint), value ->> 4, value ->> 5, '{}', 'pending', value ->> 6, \
            value ->> 7, value ->> 8, value ->> 9, value ->> 10, cast(value ->> 11 as bigint), 0, \
            0, 0, cast(value ->> 12 as bigint), cast(value ->> 12 as bigint), 0, 0, 0, 0, 0, 0, 0, \
            cast($1 as bigint), cast($1 as bigint), 0 from json_each($2)";
    /// Keeps its values. `$1`: run; `$2`: values; `$3`: sources.
    VALUES = "insert into run_values (run, resolved, sources) values ($1, $2, $3)";
    /// Joins it to what it descends from, as far as that is there. `$1`: run; `$2`: rows of one
    /// parent each.
    PARENTS = "insert into run_parent (run, parent) \
        select distinct cast($1 as bigint), o.swid from json_each($2) j \
            join object o on o.swid = cast(j.value ->> 0 as bigint) where o.kind <> 'workflow'";
    /// Puts it into the studies of its parents. `$1`: run.
    STUDIES = "insert into object_study (object, study) \
        select distinct p.run, s.study from run_parent p join object o on o.swid = p.parent \
            join object_study s on s.object = coalesce(o.anchor, o.swid) where p.run = $1";
}

impl MetaDb {
    /// Returns which of these runs are known, by their tags. For administrators.
    pub async fn runs_of_tags(&self, access: &Access, tags: &[RunTag]) -> Result<Vec<KnownRun>> {
        const OPERATION: &str = "find runs by their tags";
        let rows = sqlx::query(KNOWN)
            .bind(access.everything())
            .bind(bulk::words(tags.iter().map(RunTag::as_str)))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| known(row, OPERATION)).collect()
    }

    /// Takes in a run that is not known. For administrators; the caller is checked before.
    pub async fn recover_run(&self, access: &Access, run: &ForgottenRun) -> Result<Recovery> {
        retrying(|| self.recover_once(access, run)).await
    }

    async fn recover_once(&self, access: &Access, run: &ForgottenRun) -> Result<Recovery> {
        const OPERATION: &str = "take in a run";
        let mut tx = self.begin(OPERATION).await?;
        let now = now_in(&mut tx, OPERATION).await?;
        let row = sqlx::query(ACCOUNT).bind(&run.account).fetch_optional(&mut *tx).await;
        let Some(row) = row.during(OPERATION)? else { return Ok(Recovery::NoAccount) };
        let owner: i64 = column(&row, "id", OPERATION)?;
        let owners = Access {
            account: niassa_model::account::AccountId(owner),
            sees: crate::access::Sees::Own,
            ..access.clone()
        };
        let row = sqlx::query(OF_TAG).bind(run.tag.as_str()).fetch_optional(&mut *tx).await;
        if let Some(row) = row.during(OPERATION)? {
            return Ok(match column::<i64>(&row, "owner", OPERATION)? == owner {
                true => Recovery::There(accession(&row, "swid", OPERATION)?, owners),
                false => Recovery::NoAccount,
            });
        }
        let row = sqlx::query(WORKFLOW)
            .bind(&run.workflow)
            .bind(&run.version)
            .bind(&run.bundle_sha256)
            .fetch_optional(&mut *tx)
            .await
            .during(OPERATION)?;
        let Some(row) = row else { return Ok(Recovery::NoWorkflow) };
        let workflow = accession(&row, "swid", OPERATION)?;
        let swid = write_run(&mut tx, self, now, (owner, workflow), run, OPERATION).await?;
        write_steps(&mut tx, self, now, (owner, swid), run, OPERATION).await?;
        let entry = entry(swid, access, run);
        events::write(&mut tx, self.dialect(), now, &[entry], OPERATION).await?;
        commit(tx, OPERATION).await?;
        Ok(Recovery::There(swid, owners))
    }
}

async fn write_run(
    tx: &mut Writing,
    metadb: &MetaDb,
    now: i64,
    (owner, workflow): (i64, Accession),
    run: &ForgottenRun,
    operation: &'static str,
) -> Result<Accession> {
    let wanted = Wanted { kind: ObjectKind::WorkflowRun, swids: &[run.swid], owner, anchor: None };
    let swid = deal(tx, metadb, now, &wanted, operation).await?.pop().unwrap_or(run.swid);
    let row = json!([
        swid.get(),
        run.tag.as_str(),
        owner,
        workflow.get(),
        run.host.as_str(),
        run.place.engine,
        run.place.key(),
        json!(run.place).to_string(),
        bulk::text(&run.directory),
        bulk::text(&run.launched_on),
        bulk::text(&run.plan_sha256),
        run.epoch.max(1),
        run.steps.len(),
    ]);
    let done = sqlx::query(RUN).bind(now).bind(bulk::rows(&[row])).execute(&mut **tx).await;
    done.during(operation)?;
    let done = sqlx::query(VALUES).bind(swid.get()).bind(&run.values).bind(&run.sources);
    done.execute(&mut **tx).await.during(operation)?;
    let parents = bulk::numbers(run.parents.iter().copied());
    let done = sqlx::query(PARENTS).bind(swid.get()).bind(parents).execute(&mut **tx).await;
    done.during(operation)?;
    sqlx::query(STUDIES).bind(swid.get()).execute(&mut **tx).await.during(operation)?;
    Ok(swid)
}

async fn write_steps(
    tx: &mut Writing,
    metadb: &MetaDb,
    now: i64,
    (owner, run_swid): (i64, Accession),
    run: &ForgottenRun,
    operation: &'static str,
) -> Result<()> {
    if run.steps.is_empty() {
        return Ok(());
    }
    // Steps of a plan whose accessions are not known are dealt new ones, for the run's own is taken.
    let swids = match run.accessions.len() == run.steps.len() {
        true => run.accessions.clone(),
        false => vec![run_swid; run.steps.len()],
    };
    let anchor = Some(run_swid);
    let wanted = Wanted { kind: ObjectKind::Processing, swids: &swids, owner, anchor };
    let swids = deal(tx, metadb, now, &wanted, operation).await?;
    let row = |(step, own): (&NewStep, &Accession)| steps::row(run_swid, *own, step);
    let rows: Vec<Value> = run.steps.iter().zip(&swids).map(row).collect();
    steps::insert(tx, &rows, operation).await
}

/// Objects that are to have accessions, if they can.
struct Wanted<'run> {
    kind: ObjectKind,
    swids: &'run [Accession],
    owner: i64,
    anchor: Option<Accession>,
}

/// Deals out the accessions that are wanted, and others for those that stand for something already.
async fn deal(
    tx: &mut Writing,
    metadb: &MetaDb,
    now: i64,
    wanted: &Wanted<'_>,
    operation: &'static str,
) -> Result<Vec<Accession>> {
    let mut taken = taken(tx, metadb, wanted.swids, operation).await?;
    let anchor = wanted.anchor.map(Accession::get);
    let (mut kept, mut fresh, mut keeps) = (Vec::new(), Vec::new(), Vec::new());
    for swid in wanted.swids {
        keeps.push(swid.get() <= taken.highest && taken.swids.insert(*swid));
        match keeps.last() {
            Some(true) => kept.push((swid.get(), wanted.owner, anchor)),
            Some(false) | None => fresh.push((wanted.owner, anchor)),
        }
    }
    sqlx::query(REGISTER_AS)
        .bind(now)
        .bind(wanted.kind.as_str())
        .bind(bulk::rows(&kept))
        .execute(&mut **tx)
        .await
        .during(operation)?;
    let rows = sqlx::query(REGISTER)
        .bind(now)
        .bind(wanted.kind.as_str())
        .bind(bulk::rows(&fresh))
        .fetch_all(&mut **tx)
        .await
        .during(operation)?;
    let mut dealt = rows.iter().map(|row| accession(row, "swid", operation));
    let one = |(swid, keeps): (&Accession, bool)| match keeps {
        true => Ok(*swid),
        false => dealt.next().unwrap_or(Ok(*swid)),
    };
    wanted.swids.iter().zip(keeps).map(one).collect()
}

/// Accessions that cannot be kept.
struct Taken {
    swids: HashSet<Accession>,
    /// Those above this are not kept either.
    highest: i64,
}

/// Finds out which accessions stand for something. Those that do not are never dealt out from here on:
/// SQLite sees to that by itself.
async fn taken(
    tx: &mut Writing,
    metadb: &MetaDb,
    swids: &[Accession],
    operation: &'static str,
) -> Result<Taken> {
    let dialect = metadb.dialect();
    let row = sqlx::query(dialect.last_dealt()).fetch_one(&mut **tx).await.during(operation)?;
    let highest = column::<i64>(&row, 0, operation)?.saturating_add(HIGHEST);
    let kept = swids.iter().map(|swid| swid.get()).filter(|swid| *swid <= highest).max();
    if let (Some(raise), Some(kept)) = (dialect.raise_dealt(), kept) {
        sqlx::query(raise).bind(kept).fetch_one(&mut **tx).await.during(operation)?;
    }
    let rows = sqlx::query(TAKEN)
        .bind(bulk::numbers(swids.iter().copied()))
        .fetch_all(&mut **tx)
        .await
        .during(operation)?;
    let swids = rows.iter().map(|row| accession(row, "swid", operation)).collect::<Result<_>>()?;
    Ok(Taken { swids, highest })
}

fn entry(swid: Accession, access: &Access, run: &ForgottenRun) -> NewEntry {
    let had =
        if swid == run.swid { String::new() } else { format!(", where it was run {}", run.swid) };
    NewEntry {
        run: swid,
        event: events::SCHEDULED,
        from: None,
        to: RunStatus::Submitted.after(RunEvent::Launched),
        account: access.email.clone(),
        detail: Some(format!("taken in from {}{had}", run.directory)),
    }
}

fn known(row: &AnyRow, operation: &'static str) -> Result<KnownRun> {
    let word = |name: &str| column::<String>(row, name, operation);
    let (tag, status) = (word("tag")?, word("status")?);
    Ok(KnownRun {
        tag: decode(tag.parse(), operation, &tag, "a tag")?,
        swid: accession(row, "swid", operation)?,
        status: decode(status.parse(), operation, &status, "a status of a run")?,
    })
}

#[cfg(test)]
mod tests;
