//! Grants of launching: who may launch whose runs for which label; giving one and withdrawing it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use niassa_api::error::ProblemCode;
use niassa_api::grants::GrantLaunch;
use niassa_metadb::grants::LaunchGrant;
use niassa_model::account::{Action, Email};
use niassa_model::host::HostLabel;
use niassa_model::limits::PAGE;

use super::answer::{Frame, Told, Unanswered, page, page_with, see_other, status};
use super::form::{Form, query};
use super::visitor::{Posted, Visitor};
use super::words::{Moment, moment, shown};
use crate::app::App;
use crate::error::Failed;
use crate::http::extract::{page as cut, page_after};
use crate::usecases::grant_launch;

const DAY: i64 = 24 * 3_600;

#[derive(Template)]
#[template(path = "grants.html")]
struct GrantsPage {
    frame: Frame,
    rows: Vec<Row>,
    failed: Option<Told>,
    said: Option<&'static str>,
    /// Whether grants in the name of others can be given.
    administers: bool,
    typed: Typed,
    older: Option<String>,
}

/// What was typed, so that nothing of it is lost.
#[derive(Default)]
struct Typed {
    from: String,
    to: String,
    host: String,
    days: String,
}

struct Row {
    id: i64,
    from: String,
    to: String,
    host: String,
    granted_by: String,
    granted: Moment,
    expires: Option<Moment>,
    /// What became of it, where it is not good any more.
    ended: Option<Moment>,
    /// Whether the visitor may withdraw it.
    is_ours: bool,
}

/// Lists grants.
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, Unanswered> {
    let mut grants = grants(&app, &visitor).await?;
    grants.said = match visitor.query.text("said") {
        "given" => Some("The grant is given; it counts from now on."),
        "withdrawn" => Some("The grant is withdrawn; it is worth nothing any more."),
        _ => None,
    };
    Ok(page(&grants))
}

/// Gives a grant.
pub(super) async fn give(State(app): State<App>, posted: Posted) -> Result<Response, Unanswered> {
    let access = posted.may(Action::ManageSelf)?;
    let caller = &posted.visitor.caller.email;
    let given = match asked(&posted.form) {
        Ok(asked) => grant_launch::grant_launch(&app, &access, caller, asked, None).await,
        Err(failed) => Err(failed),
    };
    let Err(failed) = given else { return Ok(see_other("/grants?said=given")) };
    let mut grants = grants(&app, &posted.visitor).await?;
    let typed = |name| posted.form.text(name).to_owned();
    grants.typed =
        Typed { from: typed("from"), to: typed("to"), host: typed("host"), days: typed("days") };
    grants.failed = Some(Told::from(&failed));
    Ok(page_with(status(&failed), &grants))
}

/// Withdraws a grant.
pub(super) async fn withdraw(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let access = posted.may(Action::ManageSelf)?;
    grant_launch::revoke(&app, &access, &id).await?;
    Ok(see_other("/grants?said=withdrawn"))
}

async fn grants(app: &App, visitor: &Visitor) -> Result<GrantsPage, Failed> {
    let access = visitor.may(Action::ManageSelf)?;
    let before = page_after(visitor.query.get("after"))?;
    let rows = app.metadb.launch_grants(&access, before, PAGE + 1).await?;
    let found = cut(rows, PAGE, |grant| grant.id);
    let administers = visitor.caller.is_administrator();
    let caller = visitor.caller.email.as_str();
    let now = app.metadb.now().await?;
    let row = |grant: &LaunchGrant| Row {
        id: grant.id,
        from: shown(&grant.owner),
        to: shown(&grant.grantee),
        host: shown(grant.host.as_str()),
        granted_by: shown(&grant.granted_by),
        granted: moment(grant.granted_at),
        expires: grant.expires_at.map(moment),
        ended: grant.revoked_at.or(grant.expires_at.filter(|end| *end <= now)).map(moment),
        is_ours: administers || grant.owner == caller,
    };
    Ok(GrantsPage {
        frame: Frame::of(visitor, "Grants"),
        rows: found.items.iter().map(row).collect(),
        failed: None,
        said: None,
        administers,
        typed: Typed::default(),
        older: found.next.map(|next| format!("/grants?{}", query([("after", &*next)]))),
    })
}

/// Reads whom the form lets launch what, with all that is wrong at once.
fn asked(form: &Form) -> Result<GrantLaunch, Failed> {
    let mut errors = Vec::new();
    let mut address = |name: &str, label: &str| {
        let read = form.text(name).trim().parse::<Email>();
        read.map_err(|error| errors.push(format!("{label}: {error}"))).ok()
    };
    let to = address("to", "may be launched by");
    let from = match form.text("from").trim() {
        "" => None,
        _ => address("from", "runs of"),
    };
    let host = form.text("host").parse::<HostLabel>();
    let host = host.map_err(|error| errors.push(format!("host label: {error}"))).ok();
    let days = form.text("days").trim();
    let seconds = days.parse::<i64>().ok().map(|days| days.saturating_mul(DAY));
    if seconds.is_none() && !days.is_empty() {
        errors.push(format!("`{}` is no number of days", shown(days)));
    }
    match (to, host) {
        (Some(to), Some(host)) if errors.is_empty() => Ok(GrantLaunch { from, to, host, seconds }),
        _ => {
            let failed = Failed::new(ProblemCode::Invalid, "the grant cannot be given so");
            Err(failed.errors(errors))
        }
    }
}

#[cfg(test)]
mod tests;
