//! One run: what became of it, first of all why it failed; its plan, its times, and what to do.

mod failure;
mod graph;
mod groups;
mod log;
mod parts;
mod steps;
mod timeline;

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use niassa_api::runs::{Run, Step, StepQuery};
use niassa_metadb::Access;
use niassa_metadb::steps::OutlinedStep;
use niassa_model::accession::Accession;
use niassa_model::account::Action;
use niassa_model::run::{RunEvent, RunStatus};
use niassa_model::step::{StepIndex, StepStatus};
use niassa_model::time::Timestamp;

use super::answer::{Frame, Unanswered, page};
use super::live::{Listened, Live};
use super::marks::{Chip, chips};
use super::visitor::Visitor;
use super::words::{Badge, Moment, bytes, moment, run_badge, shown, span, step_badge};
use crate::app::App;
use crate::error::Failed;
use crate::sign_in::sha256_hex;
use crate::usecases::look::{self, Part};
use failure::Failure;
use graph::Graph;
use groups::Group;
pub(super) use log::log;
pub(super) use parts::{events, files, logs, values};
pub(super) use steps::steps;
use timeline::{Paths, Stretch, Timeline, Times};

/// Most steps that one page looks at.
const STEPS: u32 = 10_000;
/// Steps that stand on the overview.
const OVERVIEW: u32 = 100;
/// Seconds after which bars of what still runs are drawn anew although nothing was heard.
const DRAWN_EVERY: i64 = 10;

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    head: Head,
    live: Live,
    as_of: Moment,
}

/// What stands above every page of a run.
pub(super) struct Head {
    swid: i64,
    workflow: String,
    tab: &'static str,
}

/// What is told of a run and refreshed.
#[derive(Template)]
#[template(path = "run_overview.html")]
struct Overview {
    swid: i64,
    badge: Badge,
    note: Option<String>,
    tiles: Vec<(Badge, u32)>,
    failure: Option<Failure>,
    /// Whether it failed without any step that did: it could not be planned or prepared.
    has_failed_unplanned: bool,
    can_retry: bool,
    can_cancel: bool,
    retry_id: String,
    facts: Vec<(&'static str, String)>,
    marks: Vec<Chip>,
    from: Option<i64>,
    workflow: i64,
    created: Moment,
    updated: Moment,
    seen: Option<Moment>,
    graph: Option<Graph>,
    groups: Vec<GroupRow>,
    timeline: Option<Timeline>,
    steps: Vec<StepRow>,
    more_steps: usize,
    /// How many steps are looked at, and of how many, where these are not all.
    looked_at: Option<(u32, u32)>,
}

/// A group of steps in the table beside the picture.
struct GroupRow {
    /// The whole name, for the link.
    name: String,
    label: String,
    badge: Badge,
    done: String,
    waited: String,
    took: String,
    needs: String,
}

/// A step in a table.
pub(super) struct StepRow {
    index: u32,
    label: String,
    badge: Badge,
    reason: Option<&'static str>,
    attempts: usize,
    waited: String,
    ran: String,
    is_critical: bool,
    memory: String,
    time: String,
    cpu: String,
}

/// A run in the path.
pub(super) struct Named(pub(super) Accession);

impl axum::extract::FromRequestParts<App> for Named {
    type Rejection = Unanswered;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        app: &App,
    ) -> Result<Self, Unanswered> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        let text = text.map(|text| text.0).unwrap_or_default();
        let named = text.parse().map(Self);
        named.map_err(|_| Failed::not_found(format!("object {}", shown(&text))).into())
    }
}

/// Shows a run.
pub(super) async fn overview(
    State(app): State<App>,
    visitor: Visitor,
    Named(swid): Named,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let run = look::run(&app, &access, swid).await?;
    let now = app.clock.now();
    let digest = digest(&run, now);
    if visitor.query.get("part") == Some("run") && visitor.query.get("seen") == Some(&digest) {
        return Ok(Live::unchanged());
    }
    let overview = tell(&app, &access, &run, now).await?;
    let url = format!("/runs/{swid}?part=run");
    let live = Live::with_digest("run", &url, Listened::Run(swid), digest, &overview)?;
    if visitor.query.get("part") == Some("run") {
        return live.again(None);
    }
    let head = Head::of(&run, "overview");
    let frame = Frame::of(&visitor, format!("Run {swid}"));
    Ok(page(&RunPage { frame, head, live, as_of: moment(now) }))
}

async fn tell(app: &App, access: &Access, run: &Run, now: Timestamp) -> Result<Overview, Failed> {
    let all = outline(app, access, run.swid).await?;
    let failure = match failure::root(&all) {
        Some(root) if run.status == RunStatus::Failed => {
            told_failure(app, access, run, root, &all).await?
        }
        _ => None,
    };
    let groups = groups(app, run, &all).await;
    let first = Part { limit: OVERVIEW, after: None };
    let first = look::steps(app, access, run.swid, &StepQuery::default(), first).await?;
    let paths = Paths::of(&all);
    let times = timeline::times(&first, &paths, run.created_at, now);
    let stretches = timeline::stretches(&all, &paths, (run.created_at, now));
    // Some of the steps would make a picture of chance: of many it shows groups.
    let timeline = match first.len() == all.len() {
        true => timeline::draw(&first, &paths, run.created_at, now),
        false => timeline::draw_groups(&groups, &stretches, run.created_at),
    };
    let can = |event| run.status.after(event).is_some();
    Ok(Overview {
        swid: run.swid.get(),
        badge: run_badge(run.status),
        note: run.note.as_deref().map(shown),
        tiles: tiles(run),
        has_failed_unplanned: run.status == RunStatus::Failed && failure.is_none(),
        failure,
        can_retry: can(RunEvent::RetryRequested),
        can_cancel: can(RunEvent::CancelRequested),
        retry_id: retry_id(run),
        facts: facts(run),
        marks: chips(run),
        from: run.rescheduled_from.map(Accession::get),
        workflow: run.workflow.get(),
        created: moment(run.created_at),
        updated: moment(run.updated_at),
        seen: run.seen_at.map(moment),
        graph: graph::draw(&groups),
        groups: group_rows(&groups, &stretches),
        timeline,
        steps: first.iter().zip(&times).map(step_row).collect(),
        more_steps: (run.steps.total as usize).saturating_sub(first.len()),
        looked_at: looked_at(run),
    })
}

async fn told_failure(
    app: &App,
    access: &Access,
    run: &Run,
    root: StepIndex,
    all: &[OutlinedStep],
) -> Result<Option<Failure>, Failed> {
    let part = Part { limit: 1, after: failure::before(root) };
    let logs = look::logs(app, access, run.swid, &StepQuery::default(), part).await?;
    let log = logs.iter().find(|log| log.index == root);
    let steps = look::steps(app, access, run.swid, &StepQuery::default(), part).await?;
    Ok(steps.first().map(|root| failure::failure(root, all, log)))
}

/// The groups of the plan, or of the one that will be made.
async fn groups(app: &App, run: &Run, steps: &[OutlinedStep]) -> Vec<Group> {
    if !steps.is_empty() {
        return groups::of_steps(steps);
    }
    // A workflow whose runs happen elsewhere has no manifest, and nothing to draw.
    let workflow = app.workflows.find(&app.metadb, run.workflow).await;
    workflow.map(|workflow| groups::of_manifest(&workflow.manifest)).unwrap_or_default()
}

/// Returns the outline of a run as far as one page looks at it.
pub(super) async fn outline(
    app: &App,
    access: &Access,
    run: Accession,
) -> Result<Vec<OutlinedStep>, Failed> {
    look::outline(app, access, run, STEPS).await
}

/// Tells how many steps pages look at, and of how many, where the plan has more.
fn looked_at(run: &Run) -> Option<(u32, u32)> {
    (run.steps.total > STEPS).then_some((STEPS, run.steps.total))
}

/// Whether anything was heard of a run can be told without looking at its steps.
pub(super) fn digest(run: &Run, now: Timestamp) -> String {
    let drawn = if run.steps.running > 0 { now.as_micros() / 1_000_000 / DRAWN_EVERY } else { 0 };
    let text = format!("{run:?} {drawn}");
    sha256_hex(text.as_bytes()).chars().take(16).collect()
}

/// The same while nothing changes, so that two people who press the button ask for one retry.
fn retry_id(run: &Run) -> String {
    format!("page-{}-{}", run.swid, run.updated_at.as_micros())
}

/// How many steps have each status.
fn statuses(run: &Run) -> [(StepStatus, u32); 7] {
    let steps = run.steps;
    [
        (StepStatus::Failed, steps.failed),
        (StepStatus::Lost, steps.lost),
        (StepStatus::Running, steps.running),
        (StepStatus::Pending, steps.pending),
        (StepStatus::Success, steps.success),
        (StepStatus::Skipped, steps.skipped),
        (StepStatus::Cancelled, steps.cancelled),
    ]
}

fn tiles(run: &Run) -> Vec<(Badge, u32)> {
    let always = [StepStatus::Pending, StepStatus::Running, StepStatus::Success];
    let told = statuses(run)
        .into_iter()
        .filter(|(status, number)| run.steps.total > 0 && (*number > 0 || always.contains(status)));
    told.map(|(status, number)| (step_badge(status), number)).collect()
}

fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Account", shown(&run.account)), ("Host", shown(run.host.as_str()))];
    let place = run.place.as_ref();
    let engine = place.map(|place| place.engine).or(run.engine);
    let more = [
        ("Engine", engine.map(|engine| engine.to_string())),
        ("Launched on", run.launched_on.as_deref().map(shown)),
        ("OS user", place.map(|place| shown(&place.os_user))),
        ("Cluster", place.map(|place| shown(&place.cluster)).filter(|name| !name.is_empty())),
        ("Directory", run.directory.as_deref().map(shown)),
    ];
    facts.extend(more.into_iter().filter_map(|(name, text)| Some((name, text?))));
    facts
}

fn group_rows(groups: &[Group], stretches: &HashMap<String, Stretch>) -> Vec<GroupRow> {
    let name = |at: &usize| shown(&groups[*at].name);
    let row = |group: &Group| GroupRow {
        name: group.name.clone(),
        label: shown(&group.name),
        badge: step_badge(group.status()),
        done: match group.total() {
            0 => "not planned yet".to_owned(),
            total => format!("{} of {total}", group.count(StepStatus::Success)),
        },
        waited: stretches.get(&group.name).map(|one| span(one.waited())).unwrap_or_default(),
        took: stretches.get(&group.name).map(|one| span(one.took())).unwrap_or_default(),
        needs: group.after.iter().map(name).collect::<Vec<_>>().join(", "),
    };
    groups.iter().take(OVERVIEW as usize).map(row).collect()
}

fn step_row((step, times): (&Step, &Times)) -> StepRow {
    let used = |attempt: fn(&niassa_api::runs::Attempt) -> Option<i64>| {
        step.attempts.iter().filter_map(attempt).max()
    };
    let of = |used: Option<String>, asked: Option<String>| match (used, asked) {
        (Some(used), Some(asked)) => format!("{used} of {asked}"),
        (Some(used), None) => used,
        (None, Some(asked)) => format!("{asked} asked"),
        (None, None) => String::new(),
    };
    let seconds = |seconds: i64| span(seconds.saturating_mul(1_000_000));
    StepRow {
        index: step.index.0,
        label: shown(&step.label),
        badge: step_badge(step.status),
        reason: step.reason.map(failure::meaning),
        attempts: step.attempts.len(),
        waited: times.waited.map(span).unwrap_or_default(),
        ran: times.ran.map(span).unwrap_or_default(),
        is_critical: times.is_critical,
        memory: of(used(|a| a.peak_memory_bytes).map(bytes), step.memory_bytes.map(bytes)),
        time: of(times.ran.map(span), step.seconds.map(seconds)),
        cpu: used(|a| a.cpu_micros).map(span).unwrap_or_default(),
    }
}

impl StepRow {
    /// Where the page of streams begins that has the step.
    fn before(&self) -> i64 {
        i64::from(self.index) - 1
    }
}

impl Head {
    fn of(run: &Run, tab: &'static str) -> Self {
        Self {
            swid: run.swid.get(),
            workflow: shown(&format!("{} {}", run.workflow_name, run.workflow_version)),
            tab,
        }
    }

    /// The pages of a run: what they are called and where they are.
    fn tabs(&self) -> [(&'static str, String, bool); 6] {
        let tab = |name: &'static str, title, path: &str| {
            (title, format!("/runs/{}{path}", self.swid), self.tab == name)
        };
        [
            tab("overview", "Overview", ""),
            tab("steps", "Steps", "/steps"),
            tab("logs", "Logs", "/logs"),
            tab("files", "Files", "/files"),
            tab("values", "Parameters", "/values"),
            tab("events", "Events", "/events"),
        ]
    }
}

#[cfg(test)]
mod tests;
