//! What a launcher has to know of the runs it claimed.

use std::collections::HashMap;

use niassa_model::accession::Accession;
use niassa_model::place::Place;
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use super::{ClaimedRun, Wish};
use crate::bulk;
use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::pool::{Writing, column};
use crate::run_state::RunState;

sql! {
    /// Workflow, values and owner of runs.
    DETAILS = "select r.swid, r.workflow, w.name, w.version, w.bundle_sha256, v.resolved, \
            r.engine, r.options, a.email, r.trace, (select now from clock) - r.created_at as age, \
            (select string_agg(cast(p.parent as text), ' ') from run_parent p \
                where p.run = r.swid) as parents \
        from run r join workflow w on w.swid = r.workflow join run_values v on v.run = r.swid \
            join account a on a.id = r.owner \
        where r.swid in (select cast(value ->> 0 as bigint) from json_each($1))";
    /// Retry requests of runs that no launcher has answered, oldest first.
    RETRIES = "select run, id from retry_request \
        where run in (select cast(value ->> 0 as bigint) from json_each($1)) \
            and answered_at is null \
        order by requested_at, id";
}

/// Loads everything about runs that were claimed just now, in their order.
pub(super) async fn load(
    transaction: &mut Writing,
    runs: &[RunState],
    operation: &'static str,
) -> Result<Vec<ClaimedRun>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let swids = bulk::numbers(runs.iter().map(|run| run.swid));
    let mut retries = match runs.iter().any(|run| run.unanswered > 0) {
        true => retries_of(transaction, &swids, operation).await?,
        false => HashMap::new(),
    };
    let rows = sqlx::query(DETAILS).bind(&swids).fetch_all(&mut **transaction).await;
    let mut claimed = Vec::with_capacity(runs.len());
    let by_swid: HashMap<Accession, &RunState> = runs.iter().map(|run| (run.swid, run)).collect();
    for row in &rows.during(operation)? {
        let swid = accession(row, "swid", operation)?;
        let Some(run) = by_swid.get(&swid) else { continue };
        let retries = retries.remove(&swid).unwrap_or_default();
        claimed.push(details(row, run, retries, operation)?);
    }
    claimed.sort_unstable_by_key(|run| run.swid);
    Ok(claimed)
}

async fn retries_of(
    transaction: &mut Writing,
    swids: &str,
    operation: &'static str,
) -> Result<HashMap<Accession, Vec<String>>> {
    let rows = sqlx::query(RETRIES).bind(swids.to_owned()).fetch_all(&mut **transaction).await;
    let mut retries: HashMap<Accession, Vec<String>> = HashMap::new();
    for row in &rows.during(operation)? {
        let run = accession(row, "run", operation)?;
        retries.entry(run).or_default().push(column(row, "id", operation)?);
    }
    Ok(retries)
}

fn details(
    row: &AnyRow,
    run: &RunState,
    retries: Vec<String>,
    operation: &'static str,
) -> Result<ClaimedRun> {
    let engine: Option<String> = column(row, "engine", operation)?;
    let place: Option<Place> = run
        .place
        .as_ref()
        .map(|place| decode(serde_json::from_str(&place.json), operation, &place.json, "a place"))
        .transpose()?;
    let wish = match (&run.cancel_requested, retries.is_empty()) {
        (Some(_), _) => Wish::Cancel,
        (None, false) => Wish::Retry,
        (None, true) => Wish::Launch,
    };
    Ok(ClaimedRun {
        swid: run.swid,
        tag: run.tag.clone(),
        epoch: run.claim.epoch,
        until: Timestamp::from_micros(run.claim.until),
        status: run.status,
        wish,
        retries,
        place,
        plan_sha256: run.plan_sha256.clone(),
        workflow: accession(row, "workflow", operation)?,
        workflow_name: column(row, "name", operation)?,
        workflow_version: column(row, "version", operation)?,
        bundle_sha256: column::<Option<String>>(row, "bundle_sha256", operation)?
            .unwrap_or_default(),
        values: column(row, "resolved", operation)?,
        engine: engine
            .map(|word| decode(word.parse(), operation, &word, "an engine"))
            .transpose()?,
        options: column(row, "options", operation)?,
        account: column(row, "email", operation)?,
        trace: column(row, "trace", operation)?,
        host: run.host.clone(),
        parents: parents(row, operation)?,
        age_micros: column(row, "age", operation)?,
    })
}

/// Reads what a run descends from, in the order of accessions.
fn parents(row: &AnyRow, operation: &'static str) -> Result<Vec<Accession>> {
    let list: Option<String> = column(row, "parents", operation)?;
    let list = list.unwrap_or_default();
    let read = |word: &str| decode(word.parse(), operation, word, "an accession");
    let mut parents = list.split_whitespace().map(read).collect::<Result<Vec<Accession>>>()?;
    parents.sort_unstable();
    Ok(parents)
}
