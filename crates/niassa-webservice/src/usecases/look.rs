//! Looks at runs: lists, one run, its steps, the ends of its streams, its ini and its log.

pub(super) mod answer;

use std::collections::BTreeSet;

use niassa_api::error::ProblemCode;
use niassa_api::runs::{Run, RunIni, RunLogEntry, RunQuery, Step, StepLog, StepQuery};
use niassa_bundle::values;
use niassa_metadb::Access;
use niassa_metadb::runs::{RunFilter, Whose};
use niassa_metadb::steps::{OutlinedStep, StepFilter, StepPart};
use niassa_model::accession::Accession;
use niassa_model::run::RunStatus;

use super::claim::check_number;
use crate::app::App;
use crate::error::Failed;

/// Runs that a search looks through at once, where an index leads to no fewer.
const LOOKED: u32 = 8_000;
/// The same where their texts are read.
const READ: u32 = 4_000;

/// Rows of a part of a list: so many at most, from behind where the part before ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Rows.
    pub(crate) limit: u32,
    /// The key of the last row before.
    pub(crate) after: Option<i64>,
}

/// Lists runs, newest first, as far as nobody waits for it.
pub(crate) async fn runs(
    app: &App,
    access: &Access,
    query: &RunQuery,
    part: Part,
) -> Result<Searched, Failed> {
    let filter = RunFilter {
        whose: if query.mine == Some(1) { Whose::Own } else { Whose::Visible },
        statuses: statuses(query),
        workflow: query.workflow,
        host: query.host.clone(),
        place_key: query.place.clone(),
        marks: query.mark.iter().cloned().collect(),
        accessions: query.accessions.as_deref().map(accessions).transpose()?,
        before: part.after,
        ..RunFilter::default()
    };
    newest(app, access, &filter, part.limit).await
}

/// Lists the runs that a filter finds, newest first.
pub(crate) async fn found(
    app: &App,
    access: &Access,
    filter: &RunFilter,
    limit: u32,
) -> Result<Vec<Run>, Failed> {
    check_number(filter.accessions.as_ref().map_or(0, Vec::len))?;
    let runs = app.metadb.runs(access, filter, limit).await?;
    Ok(runs.into_iter().map(answer::run).collect())
}

/// Runs that were found, newest first, and the run behind which nothing was looked for, where that
/// is not all there is.
pub(crate) type Searched = (Vec<Run>, Option<i64>);

/// Lists the newest runs that a filter finds. Only so many runs are looked through that nobody waits
/// for it.
pub(crate) async fn newest(
    app: &App,
    access: &Access,
    filter: &RunFilter,
    limit: u32,
) -> Result<Searched, Failed> {
    check_number(filter.accessions.as_ref().map_or(0, Vec::len))?;
    let looked = if filter.words.is_empty() { LOOKED } else { READ };
    let found = app.metadb.newest_runs(access, filter, limit, looked).await?;
    Ok((found.runs.into_iter().map(answer::run).collect(), found.behind))
}

/// Returns one run.
pub(crate) async fn run(app: &App, access: &Access, run: Accession) -> Result<Run, Failed> {
    let found = app.metadb.run(access, run).await?;
    found.map(answer::run).ok_or_else(|| missing(run))
}

/// Returns steps of a run with their attempts, in the order of the plan.
pub(crate) async fn steps(
    app: &App,
    access: &Access,
    run: Accession,
    query: &StepQuery,
    part: Part,
) -> Result<Vec<Step>, Failed> {
    let filter = StepFilter { status: query.status, after: part.after };
    let steps = app.metadb.steps_of_run(access, run, filter, part.limit).await?;
    let steps = steps.ok_or_else(|| missing(run))?;
    Ok(steps.into_iter().map(answer::step).collect())
}

/// Returns the outline of a run's plan: so many steps at most.
pub(crate) async fn outline(
    app: &App,
    access: &Access,
    run: Accession,
    limit: u32,
) -> Result<Vec<OutlinedStep>, Failed> {
    app.metadb.outline_of_run(access, run, limit).await?.ok_or_else(|| missing(run))
}

/// Returns how many steps of a run are meant, and so many of them behind so many.
pub(crate) async fn part_of_steps(
    app: &App,
    access: &Access,
    run: Accession,
    part: &StepPart,
    window: (u32, u32),
) -> Result<(u32, Vec<Step>), Failed> {
    let found = app.metadb.part_of_steps(access, run, part, window).await?;
    let (count, steps) = found.ok_or_else(|| missing(run))?;
    Ok((count, steps.into_iter().map(answer::step).collect()))
}

/// Returns the ends of the streams of a run's steps, in the order of the plan.
pub(crate) async fn logs(
    app: &App,
    access: &Access,
    run: Accession,
    query: &StepQuery,
    part: Part,
) -> Result<Vec<StepLog>, Failed> {
    let filter = StepFilter { status: query.status, after: part.after };
    let streams = app.metadb.streams_of_run(access, run, filter, part.limit).await?;
    let streams = streams.ok_or_else(|| missing(run))?;
    Ok(streams.into_iter().map(answer::streams).collect())
}

/// Returns the effective ini of a run.
pub(crate) async fn ini(app: &App, access: &Access, run: Accession) -> Result<RunIni, Failed> {
    let found = app.metadb.values_of_run(access, run).await?.ok_or_else(|| missing(run))?;
    let Some(resolved) = found.resolved else {
        let detail = format!("run {run} happened elsewhere; its values are not known");
        return Err(Failed::new(ProblemCode::NotFound, detail));
    };
    let values = serde_json::from_str(&resolved).map_err(|error| Failed::internal(&error))?;
    let workflow = app.workflows.find(&app.metadb, found.workflow).await?;
    Ok(RunIni { text: values::to_ini(&workflow.manifest, &values) })
}

/// Returns entries of a run's log, oldest first.
pub(crate) async fn log(
    app: &App,
    access: &Access,
    run: Accession,
    part: Part,
) -> Result<Vec<RunLogEntry>, Failed> {
    let after = part.after.unwrap_or(0);
    let entries = app.metadb.log_of_run(access, run, after, part.limit).await?;
    let entries = entries.ok_or_else(|| missing(run))?;
    Ok(entries.into_iter().map(answer::log_entry).collect())
}

/// Says that there is no such run for this caller.
pub(super) fn missing(run: Accession) -> Failed {
    Failed::not_found(format_args!("run {run}"))
}

/// Both conditions on the status must hold.
fn statuses(query: &RunQuery) -> Option<BTreeSet<RunStatus>> {
    let active = query.active.is_some_and(|active| active != 0);
    if !active && query.status.is_none() {
        return None;
    }
    let holds = |status: &RunStatus| {
        (!active || status.is_active()) && query.status.is_none_or(|asked| asked == *status)
    };
    Some(RunStatus::ALL.into_iter().filter(holds).collect())
}

fn accessions(text: &str) -> Result<Vec<Accession>, Failed> {
    let parsed = text.split(',').map(str::parse).collect::<Result<Vec<Accession>, _>>();
    let accessions =
        parsed.map_err(|error| Failed::new(ProblemCode::BadRequest, error.to_string()))?;
    check_number(accessions.len())?;
    Ok(accessions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_on_the_status_are_joined() {
        let asked = |active, status| statuses(&RunQuery { active, status, ..RunQuery::default() });
        assert_eq!(asked(None, None), None);
        assert_eq!(asked(Some(0), None), None);
        assert_eq!(asked(Some(1), None).unwrap().len(), 5);
        assert_eq!(asked(None, Some(RunStatus::Failed)).unwrap().len(), 1);
        assert_eq!(asked(Some(1), Some(RunStatus::Failed)).unwrap().len(), 0);
    }

    #[test]
    fn accessions_are_separated_by_commas() {
        assert_eq!(accessions("1, 2").unwrap().len(), 2);
        assert!(accessions("1,,2").is_err());
        assert!(accessions("").is_err());
    }
}
