//! Routes of host labels and their launchers.

use axum::extract::State;
use axum::{Json, http::StatusCode};
use niassa_api::error::Problem;
use niassa_api::hosts::{HoldHost, Host};
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_metadb::launchers;
use niassa_model::account::Action;
use niassa_model::host::HostLabel;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Origin, SignedIn};
use super::extract::{Body, Named, PageQuery, Params, page_after, page_size};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::hold_host;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(hold, release))
}

/// Lists labels with the launchers that serve them and the runs that wait, sorted by label.
///
/// There are few, and they are walked by position.
#[utoipa::path(get, path = paths::HOSTS, tag = "hosts", params(PageQuery),
    responses((status = 200, description = "Labels and launchers.", body = Page<Host>)))]
async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<Host>>, Failed> {
    let access = signed_in.may(Action::Read)?;
    let size = page_size(query.limit);
    let behind = page_after(query.after.as_deref())?.unwrap_or(0).max(0);
    let mut rows = app.metadb.hosts(&access, size + 1, behind).await?;
    let has_next = rows.len() > usize::try_from(size).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let next = has_next.then(|| behind.saturating_add(i64::from(size)).to_string());
    Ok(Json(Page { items: rows.into_iter().map(shown).collect(), next }))
}

/// Holds a label: it gives out no new launches; what runs goes on. Only for administrators.
#[utoipa::path(put, path = paths::HOST_HOLD, tag = "hosts", request_body = HoldHost,
    params(("host" = String, Path, description = "The label.")),
    responses((status = 204, description = "It gives out nothing new.")))]
async fn hold(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Named(host): Named<HostLabel>,
    Body(request): Body<HoldHost>,
) -> Result<StatusCode, Failed> {
    let access = signed_in.may(Action::Administer)?.coming_from(origin);
    hold_host::hold(&app, &access, &host, &request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Releases a label. Only for administrators.
#[utoipa::path(delete, path = paths::HOST_HOLD, tag = "hosts",
    params(("host" = String, Path, description = "The label.")),
    responses((status = 204, description = "It gives out launches again."),
        (status = 404, description = "It is not held.", body = Problem)))]
async fn release(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Named(host): Named<HostLabel>,
) -> Result<StatusCode, Failed> {
    let access = signed_in.may(Action::Administer)?.coming_from(origin);
    hold_host::release(&app, &access, &host).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(host: launchers::Host) -> Host {
    let (os_user, machine) = host.launcher.map(|at| (at.os_user, at.machine)).unzip();
    Host {
        user: host.user,
        account: host.account,
        host: host.host,
        os_user,
        machine,
        last_seen: host.seen_at,
        oldest_waiting_micros: host.oldest_waiting_micros,
        waiting: host.waiting,
        oldest_waiting: host.oldest_waiting,
        held_because: host.held_because,
    }
}

#[cfg(test)]
mod tests;
