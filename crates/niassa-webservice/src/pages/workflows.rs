//! Workflows: the list, and one with its parameters, its plan and its runs as a grid.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_api::runs::Run;
use niassa_api::workflows::WorkflowParameter;
use niassa_metadb::steps::GridCell;
use niassa_metadb::workflows::{Shown, StoredWorkflow, WorkflowFilter, WorkflowState};
use niassa_model::account::Action;
use niassa_model::limits::PAGE;
use niassa_model::step::StepStatus;

use super::answer::{Frame, Unanswered, page};
use super::form::query;
use super::run::Named;
use super::visitor::Visitor;
use super::words;
use super::words::{Badge, Moment, moment, run_badge, shown, shown_within, span, step_badge};
use crate::app::App;
use crate::http::extract::{page as cut, page_after};
use crate::usecases::{describe_workflow, survey};

/// Characters of a description in a list.
const DESCRIPTION: usize = 160;
/// Names of steps of a grid; it is a picture of what often fails, not of every plan.
const NAMES: usize = 100;

#[derive(Template)]
#[template(path = "workflows.html")]
struct WorkflowsPage {
    frame: Frame,
    rows: Vec<Row>,
    name: String,
    shows_all: bool,
    next: Option<String>,
}

struct Row {
    swid: i64,
    name: String,
    version: String,
    description: String,
    owner: String,
    created: Moment,
    can_run: bool,
}

#[derive(Template)]
#[template(path = "workflow.html")]
struct WorkflowPage {
    frame: Frame,
    row: Row,
    state: &'static str,
    bundle: Option<String>,
    parameters: Vec<WorkflowParameter>,
    names: Vec<String>,
    runs: Vec<GridRun>,
    hidden: usize,
}

/// A run as a row of a grid.
struct GridRun {
    swid: i64,
    badge: Badge,
    cells: Vec<Option<Cell>>,
}

/// How the steps of one name stand in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    badge: Badge,
    count: String,
    longest: Option<String>,
}

/// Lists workflows, newest first.
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, Unanswered> {
    visitor.may(Action::Read)?;
    let (name, all) =
        (visitor.query.text("name").trim().replace('\0', ""), visitor.query.text("all"));
    let filter = WorkflowFilter {
        name: Some(name.clone()).filter(|name| !name.is_empty()),
        shown: if all == "1" { Shown::All } else { Shown::Usual },
        before: page_after(visitor.query.get("after"))?,
        limit: PAGE + 1,
    };
    let found = cut(app.metadb.workflows(&filter).await?, PAGE, |workflow| workflow.swid.get());
    let next = found.next.map(|next| {
        format!("/workflows?{}", query([("name", &*name), ("all", all), ("after", &next)]))
    });
    Ok(page(&WorkflowsPage {
        frame: Frame::of(&visitor, "Workflows"),
        rows: found.items.iter().map(row).collect(),
        shows_all: all == "1",
        name,
        next,
    }))
}

/// Shows a workflow.
pub(super) async fn one(
    State(app): State<App>,
    visitor: Visitor,
    Named(swid): Named,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let (workflow, parameters) = describe_workflow::describe_workflow(&app, swid).await?;
    let (runs, cells) = survey::grid(&app, &access, swid).await?;
    let names = names(&cells);
    Ok(page(&WorkflowPage {
        frame: Frame::of(&visitor, shown(&format!("{} {}", workflow.name, workflow.version))),
        row: row(&workflow),
        state: match workflow.state {
            WorkflowState::Installed => "installed",
            WorkflowState::Development => "a development version",
            WorkflowState::Retired => "retired: no run of it can be scheduled",
            WorkflowState::External => "its runs happen elsewhere",
        },
        bundle: workflow.bundle_sha256,
        parameters,
        runs: grid(&runs, &cells, &names),
        hidden: names.len().saturating_sub(NAMES),
        names: names.iter().take(NAMES).map(|name| shown(name)).collect(),
    }))
}

fn row(workflow: &StoredWorkflow) -> Row {
    Row {
        swid: workflow.swid.get(),
        name: shown(&workflow.name),
        version: shown(&workflow.version),
        description: shown_within(&workflow.description, DESCRIPTION),
        owner: shown(&workflow.owner),
        created: moment(workflow.created_at),
        can_run: matches!(workflow.state, WorkflowState::Installed | WorkflowState::Development),
    }
}

/// The names of steps, in the order of the newest plan that has them.
fn names(cells: &[GridCell]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for cell in cells {
        if !names.contains(&cell.name) {
            names.push(cell.name.clone());
        }
    }
    names
}

fn grid(runs: &[Run], cells: &[GridCell], names: &[String]) -> Vec<GridRun> {
    let mut by_run: BTreeMap<(i64, &str), Vec<&GridCell>> = BTreeMap::new();
    for cell in cells {
        by_run.entry((cell.run.get(), &cell.name)).or_default().push(cell);
    }
    let row = |run: &Run| GridRun {
        swid: run.swid.get(),
        badge: run_badge(run.status),
        cells: names
            .iter()
            .take(NAMES)
            .map(|name| by_run.get(&(run.swid.get(), name.as_str())).map(|cells| cell(cells)))
            .collect(),
    };
    runs.iter().map(row).collect()
}

/// One cell of all that steps of a name came to: what is wrong is what is shown.
fn cell(cells: &[&GridCell]) -> Cell {
    let order = [
        StepStatus::Failed,
        StepStatus::Lost,
        StepStatus::Running,
        StepStatus::Pending,
        StepStatus::Cancelled,
        StepStatus::Skipped,
        StepStatus::Success,
    ];
    let worst = order.into_iter().find_map(|status| cells.iter().find(|c| c.status == status));
    let total: u64 = cells.iter().map(|cell| cell.steps).sum();
    let (status, steps) = worst.map_or((StepStatus::Pending, 0), |cell| (cell.status, cell.steps));
    Cell {
        badge: step_badge(status),
        count: if total > 1 { format!("{steps} of {total}") } else { String::new() },
        longest: cells.iter().filter_map(|cell| cell.longest_micros).max().map(span),
    }
}

#[cfg(test)]
mod tests;
