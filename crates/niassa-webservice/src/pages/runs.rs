//! The list of runs: searched by one box, watched as it changes, a page at a time.

use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_api::page::Page;
use niassa_api::runs::Run;
use niassa_metadb::runs::RunFilter;
use niassa_model::account::Action;
use niassa_model::limits::PAGE;

use super::answer::{Frame, Unanswered, page};
use super::form::query;
use super::live::{Listened, Live};
use super::marks::{Chip, chips};
use super::search;
use super::visitor::Visitor;
use super::words::{Badge, Moment, moment, run_badge, shown};
use crate::app::App;
use crate::http::extract::{page as cut, page_after};
use crate::usecases::look;

/// A list that takes longer is asked for less often.
const LIGHT: Duration = Duration::from_millis(100);

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    frame: Frame,
    text: String,
    /// Searches that are one click away: their name, their address, and whether it is this one.
    views: [(&'static str, String, bool); 4],
    errors: Vec<String>,
    live: Live,
    as_of: Moment,
}

#[derive(Template)]
#[template(path = "runs_table.html")]
struct Table {
    rows: Vec<Row>,
    is_searched: bool,
    older: Option<String>,
    /// Where to go on where not all runs were looked through.
    further: Option<String>,
    newest: Option<String>,
}

/// A run as lists show it.
pub(super) struct Row {
    pub(super) swid: i64,
    pub(super) badge: Badge,
    pub(super) workflow: String,
    pub(super) host: String,
    pub(super) account: String,
    pub(super) steps: String,
    pub(super) created: Moment,
    pub(super) note: Option<String>,
    pub(super) marks: Vec<Chip>,
}

/// Shows a page of runs.
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let text = visitor.query.text("q").to_owned();
    let after = page_after(visitor.query.get("after").filter(|after| !after.is_empty()))?;
    let now = app.clock.now();
    let (began, mut behind) = (Instant::now(), None);
    let (found, errors) = match search::parse(&text, now) {
        Ok(filter) => {
            let filter = RunFilter { before: after, ..filter };
            let (rows, end) = look::newest(&app, &access, &filter, PAGE + 1).await?;
            behind = end;
            (cut(rows, PAGE, |run| run.swid.get()), Vec::new())
        }
        Err(errors) => (Page { items: Vec::new(), next: None }, errors),
    };
    let after = after.map(|after| after.to_string()).unwrap_or_default();
    let every = if began.elapsed() < LIGHT { 2 } else { 10 };
    let table = table(found, &text, &after, behind);
    let path = format!("/runs?{}", query([("part", "list"), ("q", &text), ("after", &after)]));
    let live = Live::new("runs", &path, Listened::Runs, every, &table)?;
    if visitor.query.get("part") == Some("list") {
        return live.again(visitor.query.get("seen"));
    }
    let errors = errors.iter().map(|error| shown(error)).collect();
    let frame = Frame::of(&visitor, "Runs");
    let views = views(&text);
    Ok(page(&RunsPage { frame, text, views, errors, live, as_of: moment(now) }))
}

fn views(text: &str) -> [(&'static str, String, bool); 4] {
    [("All", ""), ("Active", "is:active"), ("Failed", "status:failed"), ("Mine", "is:mine")]
        .map(|(word, search)| (word, address(search, ""), text.trim() == search))
}

/// Where the runs of a search are, from one of them on.
fn address(text: &str, after: &str) -> String {
    match query([("q", text), ("after", after)]).as_str() {
        "" => "/runs".to_owned(),
        query => format!("/runs?{query}"),
    }
}

fn table(found: Page<Run>, text: &str, after: &str, behind: Option<i64>) -> Table {
    let address = |after: &str| address(text, after);
    Table {
        rows: found.items.iter().map(row).collect(),
        is_searched: !text.trim().is_empty(),
        further: behind
            .filter(|_| found.next.is_none())
            .map(|behind| address(&behind.saturating_add(1).to_string())),
        older: found.next.map(|next| address(&next)),
        newest: (!after.is_empty()).then(|| address("")),
    }
}

/// Writes a run.
pub(super) fn row(run: &Run) -> Row {
    let steps = run.steps;
    Row {
        swid: run.swid.get(),
        badge: run_badge(run.status),
        workflow: shown(&format!("{} {}", run.workflow_name, run.workflow_version)),
        host: shown(run.host.as_str()),
        account: shown(&run.account),
        steps: match steps.total {
            0 => String::new(),
            total => format!("{} of {total}", steps.success),
        },
        created: moment(run.created_at),
        note: run.note.as_deref().map(shown),
        marks: chips(run),
    }
}

#[cfg(test)]
mod tests;
