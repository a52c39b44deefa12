//! Hosts: who schedules for which label, which launcher serves it as whom, and what waits.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_metadb::launchers::Host;
use niassa_model::account::Action;
use niassa_model::limits::PAGE_MOST;

use super::answer::{Frame, Unanswered, page};
use super::form::query;
use super::visitor::Visitor;
use super::words::{Moment, moment, shown};
use crate::app::App;

#[derive(Template)]
#[template(path = "hosts.html")]
struct HostsPage {
    frame: Frame,
    rows: Vec<Row>,
}

struct Row {
    user: String,
    account: String,
    host: String,
    runs_of_host: String,
    os_user: String,
    machine: String,
    seen: Option<Moment>,
    waiting: u64,
    waiting_since: Option<Moment>,
    held_because: Option<String>,
}

/// Shows hosts.
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let hosts = app.metadb.hosts(&access, PAGE_MOST, 0).await?;
    let frame = Frame::of(&visitor, "Hosts");
    let rows = hosts.iter().map(row).collect();
    Ok(page(&HostsPage { frame, rows }))
}

fn row(host: &Host) -> Row {
    let label = host.host.as_str();
    let search = format!("host:\"{label}\"");
    let launcher = host.launcher.as_ref();
    Row {
        user: host.user.as_deref().map(shown).unwrap_or_default(),
        account: host.account.as_deref().map(shown).unwrap_or_default(),
        host: shown(label),
        runs_of_host: format!("/runs?{}", query([("q", search.as_str())])),
        os_user: launcher.map(|launcher| shown(&launcher.os_user)).unwrap_or_default(),
        machine: launcher.map(|launcher| shown(&launcher.machine)).unwrap_or_default(),
        seen: host.seen_at.map(moment),
        waiting: host.waiting,
        waiting_since: host.oldest_waiting.map(moment),
        held_because: host.held_because.as_deref().map(shown),
    }
}
