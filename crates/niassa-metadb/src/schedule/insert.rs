//! Writes accepted runs: one statement per table for the whole batch.

use std::collections::{BTreeMap, BTreeSet};

use niassa_model::accession::Accession;
use niassa_model::run::RunStatus;

use super::{NewRun, Request, ScheduledRun};
use crate::bulk;
use crate::error::{During, MetaDbError, Result};
use crate::events::{self, NewEntry, accession};
use crate::pool::{Writing, column};

sql! {
    /// Draws accessions for runs. `$1`: time; `$2`: rows of owner.
    OBJECTS = "insert into object (kind, owner, created_at) \
        select 'workflow_run', cast(value ->> 0 as bigint), cast($1 as bigint) \
        from json_each($2) returning swid, owner";
    /// Makes runs. `$1`: time; `$2`: rows as `run_row` makes them.
    RUNS = "insert into run (swid, tag, owner, workflow, host, engine, options, status, \
            claim_holder, claim_epoch, claim_until, claims_without_record, offered_after, \
            steps_total, steps_pending, steps_running, steps_success, steps_failed, \
            steps_skipped, steps_cancelled, steps_lost, needs_action, rescheduled_from, \
            created_at, updated_at, priority, trace) \
        select cast(value ->> 0 as bigint), value ->> 1, cast(value ->> 2 as bigint), \
            cast(value ->> 3 as bigint), value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
            value ->> 8, cast(value ->> 9 as bigint), cast(value ->> 10 as bigint), \
            cast(value ->> 9 as bigint), cast(value ->> 10 as bigint), \
            0, 0, 0, 0, 0, 0, 0, 0, 0, cast(value ->> 11 as bigint), \
            cast($1 as bigint), cast($1 as bigint), cast(value ->> 12 as bigint), value ->> 13 \
        from json_each($2)";
    /// Keeps values. `$1`: rows of run, resolved values, what was asked.
    VALUES = "insert into run_values (run, resolved, sources) \
        select cast(value ->> 0 as bigint), value ->> 1, value ->> 2 from json_each($1)";
    /// Joins runs to their parents. `$1`: rows of run, parent.
    PARENTS = "insert into run_parent (run, parent) \
        select cast(value ->> 0 as bigint), cast(value ->> 1 as bigint) from json_each($1)";
    /// Joins runs to their input files. `$1`: rows of run, file.
    INPUT_FILES = "insert into run_input_file (run, file) \
        select cast(value ->> 0 as bigint), cast(value ->> 1 as bigint) from json_each($1)";
    /// Links runs. `$1`: rows of run, object.
    LINKS = "insert into run_link (run, object) \
        select cast(value ->> 0 as bigint), cast(value ->> 1 as bigint) from json_each($1)";
    /// Puts runs into the studies of what they descend from; a study belongs to itself. `$1`: rows of run, ancestor.
    STUDIES = "insert into object_study (object, study) \
        select distinct cast(j.value ->> 0 as bigint), s.study \
        from json_each($1) j join object o on o.swid = cast(j.value ->> 1 as bigint) \
            join object_study s on s.object = coalesce(o.anchor, o.swid)";
}

/// An accepted request and the accession of its run.
type Numbered<'batch> = (Accession, &'batch Request);

/// Writes accepted runs, but for their logs, and answers in the order of the requests.
pub(crate) async fn runs(
    transaction: &mut Writing,
    now: i64,
    requests: &[&Request],
    operation: &'static str,
) -> Result<Vec<ScheduledRun>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let numbered = number(transaction, now, requests, operation).await?;
    let rows: Vec<_> = numbered.iter().map(|numbered| run_row(now, numbered)).collect();
    sqlx::query(RUNS)
        .bind(now)
        .bind(bulk::rows(&rows))
        .execute(&mut **transaction)
        .await
        .during(operation)?;
    let values: Vec<_> =
        numbered.iter().map(|(swid, r)| (swid, &r.run.values, &r.run.sources)).collect();
    sqlx::query(VALUES)
        .bind(bulk::rows(&values))
        .execute(&mut **transaction)
        .await
        .during(operation)?;
    joined(transaction, PARENTS, &numbered, |run| vec![&run.parents], operation).await?;
    joined(transaction, INPUT_FILES, &numbered, |run| vec![&run.input_files], operation).await?;
    joined(transaction, LINKS, &numbered, |run| vec![&run.links], operation).await?;
    joined(transaction, STUDIES, &numbered, ancestors, operation).await?;
    Ok(numbered.into_iter().map(|(swid, request)| scheduled(swid, &request.run)).collect())
}

/// Draws an accession for each request. Those of one owner are all alike, so any of them will do.
async fn number<'batch>(
    transaction: &mut Writing,
    now: i64,
    requests: &[&'batch Request],
    operation: &'static str,
) -> Result<Vec<Numbered<'batch>>> {
    let owners = requests.iter().map(|request| request.access.account.0);
    let rows = sqlx::query(OBJECTS)
        .bind(now)
        .bind(bulk::numbers(owners))
        .fetch_all(&mut **transaction)
        .await
        .during(operation)?;
    let mut drawn: BTreeMap<i64, BTreeSet<Accession>> = BTreeMap::new();
    for row in &rows {
        let owner: i64 = column(row, "owner", operation)?;
        drawn.entry(owner).or_default().insert(accession(row, "swid", operation)?);
    }
    let mut numbered = Vec::with_capacity(requests.len());
    for request in requests {
        let owner = request.access.account.0;
        let swid = drawn.get_mut(&owner).and_then(BTreeSet::pop_first).ok_or_else(|| {
            let expected = "as many accessions as runs";
            MetaDbError::Unreadable { operation, value: rows.len().to_string(), expected }
        })?;
        numbered.push((swid, *request));
    }
    Ok(numbered)
}

/// Runs a statement for rows of a run and an object, where there are any.
async fn joined(
    transaction: &mut Writing,
    statement: &'static str,
    numbered: &[Numbered<'_>],
    objects: impl for<'run> Fn(&'run NewRun) -> Vec<&'run Vec<Accession>>,
    operation: &'static str,
) -> Result<()> {
    let rows: BTreeSet<(Accession, Accession)> = numbered
        .iter()
        .flat_map(|(swid, request)| {
            let lists = objects(&request.run).into_iter().flatten();
            lists.map(|object| (*swid, *object)).collect::<Vec<_>>()
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = rows.into_iter().collect();
    sqlx::query(statement)
        .bind(bulk::rows(&rows))
        .execute(&mut **transaction)
        .await
        .during(operation)
        .map(drop)
}

/// What a run descends from, and so inherits its studies from.
fn ancestors(run: &NewRun) -> Vec<&Vec<Accession>> {
    vec![&run.parents, &run.input_files, &run.links]
}

/// A run's columns. One that is created under a claim counts as claimed once without a record.
fn run_row(now: i64, (swid, request): &Numbered<'_>) -> impl serde::Serialize + use<> {
    let run = &request.run;
    let claim = run.claim.as_ref();
    let until = claim.map_or(0, |claim| {
        now.saturating_add(i64::try_from(claim.lease.as_micros()).unwrap_or(i64::MAX / 4))
    });
    (
        swid.get(),
        run.tag.as_str().to_owned(),
        request.access.account.0,
        run.workflow.get(),
        run.host.clone(),
        run.engine,
        run.options.clone(),
        RunStatus::Submitted,
        claim.map(|claim| claim.holder.clone()),
        i64::from(claim.is_some()),
        until,
        run.rescheduled_from,
        run.priority,
        run.trace.clone(),
    )
}

/// Makes the entry that stands at the beginning of a run's log.
pub(crate) fn first_entry(swid: Accession, request: &Request) -> NewEntry {
    let from = request.run.rescheduled_from;
    NewEntry {
        run: swid,
        event: events::SCHEDULED,
        from: None,
        to: Some(RunStatus::Submitted),
        account: request.access.email.clone(),
        detail: from.map(|run| format!("rescheduled from run {run}")),
    }
}

fn scheduled(swid: Accession, run: &NewRun) -> ScheduledRun {
    ScheduledRun { swid, tag: run.tag.clone(), warnings: run.warnings.clone() }
}
