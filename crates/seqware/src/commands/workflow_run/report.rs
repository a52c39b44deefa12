//! `seqware workflow-run report`.

use std::fs;
use std::path::{Path, PathBuf};

use niassa_api::client::Client;
use niassa_api::reports::{ReportRow, RunReport};
use niassa_api::runs::{Attempt, Run, RunQuery, Step};
use niassa_model::accession::Accession;
use niassa_model::limits::PAGE_MOST;
use niassa_model::run::Mark;
use niassa_model::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing, Record, snake_case};
use crate::ui::{Format, Look};

/// Reports on one run: Niassa's 22 columns and what each step asked for and used.
///
/// Without --accession, lists the last 20 runs with their notes.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run report
  $ seqware workflow-run report --active
  $ seqware workflow-run report --mark urgent
  $ seqware workflow-run report --accession 7
  $ seqware workflow-run report --accession 7 --tsv --out run7.tsv")]
pub struct Args {
    /// The run
    #[arg(long, value_name = "SWID")]
    accession: Option<Accession>,
    /// List every run that is not over, instead of the last 20
    #[arg(long, conflicts_with = "accession")]
    active: bool,
    /// List runs with this mark only
    #[arg(long, value_name = "MARK", conflicts_with = "accession")]
    mark: Option<Mark>,
    /// Write to a file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Reports on a run, or lists the last ones.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let look = look(args.out.as_deref(), context);
    let format = context.ui.format();
    let text = if let Some(accession) = args.accession {
        of_run(&client.run_report(accession).await?, format, look)
    } else {
        let (most, limit) = if args.active { (usize::MAX, PAGE_MOST) } else { (20, 20) };
        let query = RunQuery {
            mine: Some(1),
            active: args.active.then_some(1),
            mark: args.mark,
            limit: Some(limit),
            ..RunQuery::default()
        };
        of_runs(&newest(&client, query, most).await?, context.now()).render(format, look)
    };
    print(&text, args.out.as_deref(), context)?;
    Ok(Exit::Done)
}

/// Lists runs, the newest first, at most so many. A page may hold fewer than were asked for and have a next.
async fn newest(client: &Client, mut query: RunQuery, most: usize) -> Result<Vec<Run>, Failure> {
    let mut runs = Vec::new();
    loop {
        let page = client.runs(&query).await?;
        runs.extend(page.items);
        match page.next {
            Some(next) if runs.len() < most => query.after = Some(next),
            _ => break,
        }
    }
    runs.truncate(most);
    Ok(runs)
}

/// Writes Niassa's columns of several runs.
pub fn print_rows(
    rows: &[ReportRow],
    out: Option<&Path>,
    context: &mut Context,
) -> Result<(), Failure> {
    let look = look(out, context);
    let text = match context.ui.format() {
        Format::Table if rows.is_empty() => "no runs".to_owned(),
        Format::Table => {
            let blocks: Vec<String> =
                rows.iter().map(|row| shown_record(row).render(Format::Table, look)).collect();
            blocks.join("\n\n")
        }
        Format::Json => {
            let rows: Vec<Value> = rows.iter().map(|row| Value::Object(object(row))).collect();
            serde_json::to_string_pretty(&rows).unwrap_or_default()
        }
        Format::Tsv => {
            let titles = columns(&ReportRow::default()).map(|(title, _)| title).join("\t");
            let lines = rows
                .iter()
                .map(|row| columns(row).map(|(_, value)| Cell::text(value).tsv()).join("\t"));
            std::iter::once(titles).chain(lines).collect::<Vec<_>>().join("\n")
        }
        Format::Quiet => {
            rows.iter().map(|row| row.workflow_run_swid.as_str()).collect::<Vec<_>>().join("\n")
        }
    };
    print(&text, out, context)
}

/// A file has no width and no colours.
fn look(out: Option<&Path>, context: &Context) -> Look {
    match out {
        Some(_) => Look { width: None, color: false, live: false, ..context.ui.look() },
        None => context.ui.look(),
    }
}

fn print(text: &str, out: Option<&Path>, context: &mut Context) -> Result<(), Failure> {
    let Some(out) = out else { return context.ui.text(text) };
    fs::write(out, format!("{text}\n"))
        .map_err(|error| Failure::io(format_args!("write {}", out.display()), error))?;
    let line = format!("Created '{}'.", out.display());
    context.ui.did(&line, None, &json!({ "created": out }))
}

fn of_run(report: &RunReport, format: Format, look: Look) -> String {
    match format {
        Format::Table => {
            let steps = steps_listing(&report.steps);
            let note = report.run.note.as_ref().map(|note| format!("\n{note}\n"));
            format!(
                "{}\n{}\n{}",
                shown_record(&report.row).render(format, look),
                note.unwrap_or_default(),
                steps.render(format, look)
            )
        }
        Format::Json => {
            let mut fields = object(&report.row);
            fields.insert("run".to_owned(), json!(report.run));
            fields.insert("steps".to_owned(), json!(report.steps));
            serde_json::to_string_pretty(&Value::Object(fields)).unwrap_or_default()
        }
        Format::Tsv => record(&report.row).render(format, look),
        Format::Quiet => report.row.workflow_run_swid.clone(),
    }
}

/// Returns a row for people, who read a list of paths more easily line by line.
fn shown_record(row: &ReportRow) -> Record {
    let fields = columns(row).map(|(title, value)| {
        let value =
            if title.ends_with("Paths") { value.replace(',', "\n") } else { value.to_owned() };
        (title.to_owned(), Cell::Text(value))
    });
    Record { fields: fields.into() }
}

fn record(row: &ReportRow) -> Record {
    let fields = columns(row).map(|(title, value)| (title.to_owned(), Cell::text(value)));
    Record { fields: fields.into() }
}

fn object(row: &ReportRow) -> Map<String, Value> {
    columns(row).into_iter().map(|(title, value)| (snake_case(title), json!(value))).collect()
}

/// Returns Niassa's columns with their titles, in their order.
pub fn columns(row: &ReportRow) -> [(&'static str, &str); 22] {
    [
        ("Workflow", &row.workflow),
        ("Workflow Run SWID", &row.workflow_run_swid),
        ("Workflow Run Status", &row.workflow_run_status),
        ("Workflow Run Create Timestamp", &row.workflow_run_create_timestamp),
        ("Workflow Run Host", &row.workflow_run_host),
        ("Workflow Run Working Dir", &row.workflow_run_working_dir),
        ("Workflow Run Engine ID", &row.workflow_run_engine_id),
        ("Library Sample Names", &row.library_sample_names),
        ("Library Sample SWIDs", &row.library_sample_swids),
        ("Identity Sample Names", &row.identity_sample_names),
        ("Identity Sample SWIDs", &row.identity_sample_swids),
        ("IUS-LimsKeys", &row.ius_lims_keys),
        ("Input File Meta-Types", &row.input_file_meta_types),
        ("Input File SWIDs", &row.input_file_swids),
        ("Input File Paths", &row.input_file_paths),
        ("Immediate Input File Meta-Types", &row.immediate_input_file_meta_types),
        ("Immediate Input File SWIDs", &row.immediate_input_file_swids),
        ("Immediate Input File Paths", &row.immediate_input_file_paths),
        ("Output File Meta-Types", &row.output_file_meta_types),
        ("Output File SWIDs", &row.output_file_swids),
        ("Output File Paths", &row.output_file_paths),
        ("Workflow Run Time", &row.workflow_run_time),
    ]
}

const RUN_COLUMNS: &[Column] = &[
    Column::short("SWID"),
    Column::long("Workflow"),
    Column::short("Status"),
    Column::short("Steps"),
    Column::short("Changed"),
    Column::long("Note"),
    Column::short("Host").wide(),
    Column::short("Account").wide(),
    Column::short("Created").data(),
    Column::long("Directory").data(),
];

/// Lists runs with where they stand.
pub fn of_runs(runs: &[Run], now: Timestamp) -> Listing {
    let mut listing = Listing::new(
        RUN_COLUMNS,
        "no runs yet; schedule one: seqware workflow schedule --accession N --host LABEL",
    );
    listing.rows = runs
        .iter()
        .map(|run| {
            let steps = match run.steps.total {
                0 => Cell::Empty,
                total => Cell::Share(run.steps.success, total),
            };
            vec![
                Cell::Swid(run.swid),
                Cell::Text(format!("{} {}", run.workflow_name, run.workflow_version)),
                Cell::Run(run.status),
                steps,
                Cell::Ago(run.updated_at, now),
                Cell::maybe(run.note.clone()),
                Cell::text(&run.host),
                Cell::Text(run.account.clone()),
                Cell::At(run.created_at),
                Cell::maybe(run.directory.clone()),
            ]
        })
        .collect();
    listing
}

const STEP_COLUMNS: &[Column] = &[
    Column::long("Step"),
    Column::short("Status"),
    Column::short("Reason"),
    Column::short("Tries"),
    Column::short("Time"),
    Column::short("CPU"),
    Column::short("Threads"),
    Column::short("Peak"),
    Column::short("Asked"),
    Column::short("Limit").wide(),
    Column::short("Machine").wide(),
    Column::short("SWID").data(),
];

/// Lists steps with what they asked for and what their last attempt used.
fn steps_listing(steps: &[Step]) -> Listing {
    let mut listing = Listing::new(STEP_COLUMNS, "no steps yet");
    listing.rows = steps.iter().map(step_row).collect();
    listing
}

fn step_row(step: &Step) -> Vec<Cell> {
    let last = step.attempts.last();
    let wall = last.and_then(wall_micros);
    let of_last = |field: fn(&Attempt) -> Option<i64>| last.and_then(field);
    vec![
        Cell::Text(step.label.clone()),
        Cell::Step(step.status),
        Cell::maybe(step.reason.map(crate::ui::words::reason)),
        Cell::Number(i64::try_from(step.attempts.len()).unwrap_or(i64::MAX)),
        wall.map_or(Cell::Empty, Cell::Micros),
        of_last(|attempt| attempt.cpu_micros).map_or(Cell::Empty, Cell::Micros),
        Cell::Number(i64::from(step.threads)),
        of_last(|attempt| attempt.peak_memory_bytes).map_or(Cell::Empty, Cell::Bytes),
        step.memory_bytes.map_or(Cell::Empty, Cell::Bytes),
        step.seconds.map_or(Cell::Empty, |seconds| Cell::Micros(seconds.saturating_mul(1_000_000))),
        Cell::maybe(last.and_then(|attempt| attempt.machine.clone())),
        Cell::Swid(step.swid),
    ]
}

/// Returns how long an attempt took, once it ended.
pub fn wall_micros(attempt: &Attempt) -> Option<i64> {
    Some(attempt.ended_at?.micros_since(attempt.started_at?))
}

#[cfg(test)]
mod tests;
