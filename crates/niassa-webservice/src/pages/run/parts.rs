//! The pages of a run beside the first and its steps: ends of streams, files, values and events.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_api::facts::LogTail;
use niassa_api::runs::{RunLogEntry, StepLog, StepQuery};
use niassa_bundle::ini;
use niassa_metadb::reports::ReportedFile;
use niassa_model::accession::Accession;
use niassa_model::account::Action;
use niassa_model::step::StepStatus;

use super::{Head, Named};
use crate::app::App;
use crate::error::Failed;
use crate::http::extract::{page as cut, page_after};
use crate::pages::answer::{Frame, Unanswered, page};
use crate::pages::form::query;
use crate::pages::live::{Listened, Live};
use crate::pages::visitor::Visitor;
use crate::pages::words::{
    Badge, Moment, bytes, moment, run_badge, shown, shown_block, shown_within, step_badge,
};
use crate::usecases::look::{self, Part};
use crate::usecases::report;

/// Steps of a page of streams: each may bring 128 KiB.
const STREAMS: u32 = 10;
/// Entries of a page of events.
const ENTRIES: u32 = 200;
/// Characters of a value that are shown.
const VALUE: usize = 2_000;

#[derive(Template)]
#[template(path = "run_logs.html")]
struct LogsPage {
    frame: Frame,
    head: Head,
    live: Live,
    as_of: Moment,
}

#[derive(Template)]
#[template(path = "run_streams.html")]
struct Streams {
    logs: Vec<Log>,
    next: Option<String>,
}

struct Log {
    index: u32,
    label: String,
    attempt: u32,
    badge: Badge,
    machine: Option<String>,
    streams: Vec<Stream>,
}

struct Stream {
    name: &'static str,
    id: String,
    path: String,
    size: String,
    text: String,
    is_cut: bool,
    /// Where the whole of it is shown.
    whole: String,
}

#[derive(Template)]
#[template(path = "run_files.html")]
struct FilesPage {
    frame: Frame,
    head: Head,
    tables: [(&'static str, Vec<FileRow>); 3],
    samples: Vec<(i64, String)>,
}

/// A file in a table.
struct FileRow {
    swid: i64,
    path: String,
    meta_type: String,
    size: String,
    sha256: Option<String>,
}

#[derive(Template)]
#[template(path = "run_values.html")]
struct ValuesPage {
    frame: Frame,
    head: Head,
    values: Vec<(String, String)>,
    text: String,
    why_none: Option<String>,
}

#[derive(Template)]
#[template(path = "run_events.html")]
struct EventsPage {
    frame: Frame,
    head: Head,
    entries: Vec<Entry>,
    next: Option<String>,
}

struct Entry {
    sequence: i64,
    at: Moment,
    event: String,
    change: Option<(Badge, Badge)>,
    account: String,
    detail: Option<String>,
}

/// Shows the ends of the streams of steps, and keeps them fresh.
pub(in crate::pages) async fn logs(
    State(app): State<App>,
    visitor: Visitor,
    Named(swid): Named,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let run = look::run(&app, &access, swid).await?;
    let after = visitor.query.text("after");
    let part = Part {
        limit: STREAMS + 1,
        after: page_after(Some(after).filter(|after| !after.is_empty()))?,
    };
    let logs = look::logs(&app, &access, swid, &StepQuery::default(), part).await?;
    let logs = cut(logs, STREAMS, |log| log.index.0.into());
    let next = logs.next.map(|next| format!("/runs/{swid}/logs?{}", query([("after", &*next)])));
    let streams = Streams { logs: logs.items.iter().map(|one| log(swid, one)).collect(), next };
    let url = format!("/runs/{swid}/logs?{}", query([("part", "logs"), ("after", after)]));
    let live = Live::new("logs", &url, Listened::Nothing, 2, &streams)?;
    if visitor.query.get("part") == Some("logs") {
        return live.again(visitor.query.get("seen"));
    }
    Ok(page(&LogsPage {
        frame: Frame::of(&visitor, format!("Logs of run {swid}")),
        head: Head::of(&run, "logs"),
        live,
        as_of: moment(app.clock.now()),
    }))
}

/// Shows what a run was given and what it made.
pub(in crate::pages) async fn files(
    State(app): State<App>,
    visitor: Visitor,
    Named(swid): Named,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let run = look::run(&app, &access, swid).await?;
    let provenance = report::provenance(&app, &access, swid).await?;
    let rows = |files: &[ReportedFile]| files.iter().map(file_row).collect();
    let samples = provenance.identity_samples.iter();
    Ok(page(&FilesPage {
        frame: Frame::of(&visitor, format!("Files of run {swid}")),
        head: Head::of(&run, "files"),
        tables: [
            ("Outputs", rows(&provenance.output_files)),
            ("Inputs", rows(&provenance.immediate_input_files)),
            ("Everything it descends from", rows(&provenance.input_files)),
        ],
        samples: samples.map(|sample| (sample.swid.get(), shown(&sample.title))).collect(),
    }))
}

/// Shows the values of a run.
pub(in crate::pages) async fn values(
    State(app): State<App>,
    visitor: Visitor,
    Named(swid): Named,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let run = look::run(&app, &access, swid).await?;
    let (text, why_none) = match look::ini(&app, &access, swid).await {
        Ok(ini) => (ini.text, None),
        Err(Failed(problem)) => (String::new(), Some(shown(&problem.detail))),
    };
    let entries = ini::parse(&text).unwrap_or_default();
    let value = |entry: ini::Entry| (shown(&entry.key), shown_within(&entry.value, VALUE));
    Ok(page(&ValuesPage {
        frame: Frame::of(&visitor, format!("Parameters of run {swid}")),
        head: Head::of(&run, "values"),
        values: entries.into_iter().map(value).collect(),
        text: shown_block(&text),
        why_none,
    }))
}

/// Shows what happened to a run, with the evidence.
pub(in crate::pages) async fn events(
    State(app): State<App>,
    visitor: Visitor,
    Named(swid): Named,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let run = look::run(&app, &access, swid).await?;
    let part = Part { limit: ENTRIES + 1, after: page_after(visitor.query.get("after"))? };
    let entries = look::log(&app, &access, swid, part).await?;
    let entries = cut(entries, ENTRIES, |entry| entry.sequence);
    let next =
        entries.next.map(|next| format!("/runs/{swid}/events?{}", query([("after", &*next)])));
    Ok(page(&EventsPage {
        frame: Frame::of(&visitor, format!("Events of run {swid}")),
        head: Head::of(&run, "events"),
        entries: entries.items.iter().map(entry).collect(),
        next,
    }))
}

fn log(run: Accession, log: &StepLog) -> Log {
    let stream = |name, id: &str, tail: &LogTail| Stream {
        name,
        id: format!("step-{}-{id}", log.index),
        path: shown_within(&tail.path, VALUE),
        size: bytes(i64::try_from(tail.size).unwrap_or(i64::MAX)),
        text: shown_block(&tail.tail),
        is_cut: tail.size > tail.tail.len() as u64,
        whole: format!("/runs/{run}/steps/{}/log?stream={id}&attempt={}", log.index, log.attempt),
    };
    let stdout = log.stdout.as_ref().map(|tail| stream("Standard output", "stdout", tail));
    let stderr = log.stderr.as_ref().map(|tail| stream("Standard error", "stderr", tail));
    Log {
        index: log.index.0,
        label: shown(&log.label),
        attempt: log.attempt.0,
        badge: step_badge(log.status),
        // What was skipped was nowhere.
        machine: log.machine.as_deref().filter(|_| log.status != StepStatus::Skipped).map(shown),
        streams: stderr.into_iter().chain(stdout).collect(),
    }
}

fn file_row(file: &ReportedFile) -> FileRow {
    FileRow {
        swid: file.swid.get(),
        path: shown_within(&file.path, VALUE),
        meta_type: shown(&file.meta_type),
        size: file.size.map(bytes).unwrap_or_default(),
        sha256: file.sha256.as_deref().map(shown),
    }
}

fn entry(entry: &RunLogEntry) -> Entry {
    let change = entry.from.zip(entry.to).filter(|(from, to)| from != to);
    Entry {
        sequence: entry.sequence,
        at: moment(entry.at),
        event: shown(&entry.event.replace('_', " ")),
        change: change.map(|(from, to)| (run_badge(from), run_badge(to))),
        account: shown(&entry.account),
        detail: entry.detail.as_deref().map(|detail| shown_within(detail, VALUE)),
    }
}
