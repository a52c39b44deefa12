//! Reports on runs: Niassa's 22 columns, and what each step asked for and used.

use std::collections::BTreeSet;

use niassa_api::error::ProblemCode;
use niassa_api::reports::{ReportQuery, ReportRow, RunReport};
use niassa_metadb::Access;
use niassa_metadb::reports::{Provenance, ReportedFile};
use niassa_metadb::runs::{self, RunFilter};
use niassa_metadb::steps::StepFilter;
use niassa_model::accession::Accession;
use niassa_model::limits::PAGE_MOST;

use super::look::{Part, answer, missing};
use crate::app::App;
use crate::error::Failed;

/// Reports on one run.
pub(crate) async fn run(app: &App, access: &Access, run: Accession) -> Result<RunReport, Failed> {
    let found = app.metadb.run(access, run).await?.ok_or_else(|| missing(run))?;
    let mut provenance = app.metadb.provenance_of_runs(access, &[run]).await?;
    let provenance = provenance.remove(&run).unwrap_or_default();
    let steps = app.metadb.steps_of_run(access, run, StepFilter::default(), PAGE_MOST).await?;
    Ok(RunReport {
        row: row(&found, &provenance),
        run: answer::run(found),
        steps: steps.unwrap_or_default().into_iter().map(answer::step).collect(),
    })
}

/// Returns what one run descends from and what it made.
pub(crate) async fn provenance(
    app: &App,
    access: &Access,
    run: Accession,
) -> Result<Provenance, Failed> {
    if !app.metadb.sees_run(access, run).await? {
        return Err(missing(run));
    }
    let mut found = app.metadb.provenance_of_runs(access, &[run]).await?;
    Ok(found.remove(&run).unwrap_or_default())
}

/// Reports on runs of a workflow, newest first: each row under its run's accession.
pub(crate) async fn workflow(
    app: &App,
    access: &Access,
    workflow: Accession,
    query: &ReportQuery,
    part: Part,
) -> Result<Vec<(Accession, ReportRow)>, Failed> {
    if app.metadb.workflow(workflow).await?.is_none() {
        return Err(Failed::not_found(format_args!("workflow {workflow}")));
    }
    let filter = RunFilter {
        statuses: statuses(query.status.as_deref())?,
        workflow: Some(workflow),
        from: query.from,
        to: query.to,
        before: part.after,
        ..RunFilter::default()
    };
    let runs = app.metadb.runs(access, &filter, part.limit).await?;
    let accessions: Vec<Accession> = runs.iter().map(|run| run.swid).collect();
    let provenance = app.metadb.provenance_of_runs(access, &accessions).await?;
    let nothing = Provenance::default();
    let report =
        |run: &runs::Run| (run.swid, row(run, provenance.get(&run.swid).unwrap_or(&nothing)));
    Ok(runs.iter().map(report).collect())
}

fn statuses(
    status: Option<&str>,
) -> Result<Option<BTreeSet<niassa_model::run::RunStatus>>, Failed> {
    let parse = |word: &str| {
        let status = word.parse().map_err(|error| Failed::new(ProblemCode::BadRequest, error))?;
        Ok(BTreeSet::from([status]))
    };
    status.map(parse).transpose()
}

fn row(run: &runs::Run, provenance: &Provenance) -> ReportRow {
    let engine = run.place.as_ref().map(|place| place.engine).or(run.engine);
    let inputs = &provenance.input_files;
    let immediate = &provenance.immediate_input_files;
    let outputs = &provenance.output_files;
    let identity = &provenance.identity_samples;
    let libraries = &provenance.library_samples;
    ReportRow {
        workflow: format!("{} {}", run.workflow_name, run.workflow_version),
        workflow_run_swid: run.swid.to_string(),
        workflow_run_status: run.status.to_string(),
        workflow_run_create_timestamp: run.created_at.to_string(),
        workflow_run_host: run.host.to_string(),
        workflow_run_working_dir: run.directory.clone().unwrap_or_default(),
        // Our engines know attempts; none has an id of a whole run.
        workflow_run_engine_id: engine.map(|engine| engine.to_string()).unwrap_or_default(),
        library_sample_names: joined(libraries, |sample| sample.title.clone()),
        library_sample_swids: joined(libraries, |sample| sample.swid.to_string()),
        identity_sample_names: joined(identity, |sample| sample.title.clone()),
        identity_sample_swids: joined(identity, |sample| sample.swid.to_string()),
        ius_lims_keys: String::new(),
        input_file_meta_types: joined(inputs, meta_type),
        input_file_swids: joined(inputs, swid),
        input_file_paths: joined(inputs, path),
        immediate_input_file_meta_types: joined(immediate, meta_type),
        immediate_input_file_swids: joined(immediate, swid),
        immediate_input_file_paths: joined(immediate, path),
        output_file_meta_types: joined(outputs, meta_type),
        output_file_swids: joined(outputs, swid),
        output_file_paths: joined(outputs, path),
        workflow_run_time: time(provenance),
    }
}

fn joined<T>(values: &[T], text: impl Fn(&T) -> String) -> String {
    values.iter().map(text).collect::<Vec<_>>().join(",")
}

fn meta_type(file: &ReportedFile) -> String {
    file.meta_type.clone()
}

fn swid(file: &ReportedFile) -> String {
    file.swid.to_string()
}

fn path(file: &ReportedFile) -> String {
    file.path.clone()
}

/// Writes the time from the first start to the last end, where something ended.
fn time(provenance: &Provenance) -> String {
    let (Some(from), Some(to)) = (provenance.started_at, provenance.ended_at) else {
        return String::new();
    };
    let seconds = to.micros_since(from) / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m {seconds}s"),
        (_, _) => format!("{hours}h {minutes}m {seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use niassa_model::time::Timestamp;

    use super::*;

    #[test]
    fn times_are_written_as_people_say_them_however_long() {
        let time = |seconds: i64| {
            time(&Provenance {
                started_at: Some(Timestamp::from_micros(0)),
                ended_at: Some(Timestamp::from_micros(seconds * 1_000_000)),
                ..Provenance::default()
            })
        };
        assert_eq!(time(0), "0s");
        assert_eq!(time(59), "59s");
        assert_eq!(time(120), "2m 0s");
        assert_eq!(time(3_723), "1h 2m 3s");
        assert_eq!(time(40 * 86_400 + 1), "960h 0m 1s");
        assert_eq!(super::time(&Provenance::default()), "");
    }

    #[test]
    fn a_word_that_is_no_status_is_refused() {
        assert!(statuses(Some("done")).is_err());
        assert_eq!(statuses(None).unwrap(), None);
        assert_eq!(statuses(Some("failed")).unwrap().unwrap().len(), 1);
    }
}
