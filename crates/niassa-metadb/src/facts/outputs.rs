//! Outputs: a file of provenance for each, recorded with the success that made it.

use std::collections::HashMap;

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::run::facts::Taking;
use niassa_model::step::StepStatus;
use serde_json::{Value, json};

use super::known::Known;
use super::{Fact, News};
use crate::bulk;
use crate::error::{During, Result};
use crate::events::accession;
use crate::pool::Writing;
use crate::run_state::RunState;

sql! {
    /// Deals out accessions to objects that hang on runs. `$1`: time; `$2`: kind; `$3`: rows of
    /// owner and run, one per object.
    REGISTER = "insert into object (kind, owner, anchor, created_at) \
        select $2, cast(value ->> 0 as bigint), cast(value ->> 1 as bigint), \
            cast($1 as bigint) \
        from json_each($3) where true returning swid, anchor";
    /// Records files. `$1`: rows of accession, path, type, size, SHA-256, MD5, processing.
    FILES = "insert into file (swid, path, meta_type, size, sha256, md5, processing) \
        select cast(value ->> 0 as bigint), value ->> 1, value ->> 2, cast(value ->> 3 as bigint), \
            value ->> 4, value ->> 5, cast(value ->> 6 as bigint) \
        from json_each($1)";
}

/// Records the outputs of attempts that succeed with these facts. A fact that repeats a success
/// records nothing again.
pub(super) async fn write(
    transaction: &mut Writing,
    now: i64,
    runs: &[RunState],
    known: &Known,
    facts: &[Fact],
    news: &[News],
    operation: &'static str,
) -> Result<()> {
    let with_outputs: Vec<&Fact> = news
        .iter()
        .filter(|news| news.taking == Taking::Raise)
        .map(|news| &facts[news.position])
        .filter(|fact| fact.outcome.status == StepStatus::Success && !fact.outputs.is_empty())
        .collect();
    if with_outputs.is_empty() {
        return Ok(());
    }
    let runs: HashMap<Accession, &RunState> = runs.iter().map(|run| (run.swid, run)).collect();
    let each = with_outputs.iter().flat_map(|fact| fact.outputs.iter().map(|_| runs[&fact.run]));
    let each: Vec<&RunState> = each.collect();
    let mut swids = register(transaction, now, ObjectKind::File, &each, operation).await?;
    let mut rows: Vec<Value> = Vec::new();
    for fact in with_outputs {
        let processing = known.steps[&(fact.run, fact.step)].swid;
        for file in &fact.outputs {
            let Some(swid) = swids.get_mut(&fact.run).and_then(Vec::pop) else { continue };
            rows.push(json!([
                swid.get(),
                bulk::text(&file.path),
                bulk::text(&file.meta_type),
                i64::try_from(file.size).unwrap_or(i64::MAX),
                bulk::text(&file.sha256),
                bulk::text(&file.md5),
                processing.get(),
            ]));
        }
    }
    let done = sqlx::query(FILES).bind(bulk::rows(&rows)).execute(&mut **transaction).await;
    done.during(operation).map(drop)
}

/// Deals out an accession for each run that is named, as often as it is named; the lowest of a run
/// stands last, so that `pop` takes them in order.
pub(crate) async fn register(
    transaction: &mut Writing,
    now: i64,
    kind: ObjectKind,
    runs: &[&RunState],
    operation: &'static str,
) -> Result<HashMap<Accession, Vec<Accession>>> {
    let rows: Vec<_> = runs.iter().map(|run| (run.owner.0, run.swid.get())).collect();
    let registered = sqlx::query(REGISTER)
        .bind(now)
        .bind(kind.as_str())
        .bind(bulk::rows(&rows))
        .fetch_all(&mut **transaction)
        .await
        .during(operation)?;
    let mut swids: HashMap<Accession, Vec<Accession>> = HashMap::new();
    for row in &registered {
        let run = accession(row, "anchor", operation)?;
        swids.entry(run).or_default().push(accession(row, "swid", operation)?);
    }
    for of_run in swids.values_mut() {
        of_run.sort_unstable_by(|one, other| other.cmp(one));
    }
    Ok(swids)
}
