//! Hosts: who schedules for which label, which launcher serves it as whom, and what waits; holding
//! labels and releasing them.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_api::error::ProblemCode;
use niassa_metadb::launchers::Host;
use niassa_model::account::Action;
use niassa_model::host::HostLabel;
use niassa_model::limits::PAGE_MOST;

use super::answer::{Frame, Told, Unanswered, page, page_with, see_other, status};
use super::form::query;
use super::visitor::{Posted, Visitor};
use super::words::{Moment, moment, shown};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::hold_host;

#[derive(Template)]
#[template(path = "hosts.html")]
struct HostsPage {
    frame: Frame,
    rows: Vec<Row>,
    failed: Option<Told>,
    said: Option<&'static str>,
    /// Whether labels can be held.
    administers: bool,
    /// What was typed, so that nothing of it is lost.
    host: String,
    reason: String,
}

struct Row {
    user: String,
    account: String,
    /// As it is, for forms.
    label: String,
    /// As it is shown.
    host: String,
    runs_of_host: String,
    os_user: String,
    machine: String,
    seen: Option<Moment>,
    waiting: u64,
    waiting_since: Option<Moment>,
    held_because: Option<String>,
    /// Whether it is the first row of its label, where the label is held and released.
    is_first: bool,
}

/// Shows hosts.
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, Unanswered> {
    let mut hosts = hosts(&app, &visitor).await?;
    hosts.said = match visitor.query.text("said") {
        "held" => Some("The label gives out nothing new from now on; what runs goes on."),
        "released" => Some("The label gives out launches again."),
        _ => None,
    };
    visitor.query.text("hold").clone_into(&mut hosts.host);
    Ok(page(&hosts))
}

/// Holds a label, or releases it.
pub(super) async fn hold(State(app): State<App>, posted: Posted) -> Result<Response, Unanswered> {
    let access = posted.may(Action::Administer)?;
    let (label, reason) = (posted.form.text("host"), posted.form.text("reason"));
    let releases = posted.form.text("do") == "release";
    let done = match label.parse::<HostLabel>() {
        Err(error) => Err(Failed::new(ProblemCode::Invalid, error.to_string())),
        Ok(host) if releases => hold_host::release(&app, &access, &host).await,
        Ok(_) if reason.trim().is_empty() => {
            let detail = "a label is held for a reason, which everybody sees who waits";
            Err(Failed::new(ProblemCode::Invalid, detail))
        }
        Ok(host) => hold_host::hold(&app, &access, &host, reason).await,
    };
    let Err(failed) = done else {
        return Ok(see_other(if releases { "/hosts?said=released" } else { "/hosts?said=held" }));
    };
    let mut hosts = hosts(&app, &posted.visitor).await?;
    label.clone_into(&mut hosts.host);
    reason.clone_into(&mut hosts.reason);
    hosts.failed = Some(Told::from(&failed));
    Ok(page_with(status(&failed), &hosts))
}

async fn hosts(app: &App, visitor: &Visitor) -> Result<HostsPage, Failed> {
    let access = visitor.may(Action::Read)?;
    let found = app.metadb.hosts(&access, PAGE_MOST, 0).await?;
    let mut rows: Vec<Row> = found.iter().map(row).collect();
    for at in 1..rows.len() {
        rows[at].is_first = rows[at - 1].label != rows[at].label;
    }
    Ok(HostsPage {
        frame: Frame::of(visitor, "Hosts"),
        rows,
        failed: None,
        said: None,
        administers: visitor.caller.is_administrator(),
        host: String::new(),
        reason: String::new(),
    })
}

fn row(host: &Host) -> Row {
    let label = host.host.as_str();
    let search = format!("host:\"{label}\"");
    let launcher = host.launcher.as_ref();
    Row {
        user: host.user.as_deref().map(shown).unwrap_or_default(),
        account: host.account.as_deref().map(shown).unwrap_or_default(),
        label: label.to_owned(),
        host: shown(label),
        runs_of_host: format!("/runs?{}", query([("q", search.as_str())])),
        os_user: launcher.map(|launcher| shown(&launcher.os_user)).unwrap_or_default(),
        machine: launcher.map(|launcher| shown(&launcher.machine)).unwrap_or_default(),
        seen: host.seen_at.map(moment),
        waiting: host.waiting,
        waiting_since: host.oldest_waiting.map(moment),
        held_because: host.held_because.as_deref().map(shown),
        is_first: true,
    }
}

#[cfg(test)]
mod tests;
