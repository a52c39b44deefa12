//! Routes of host labels and their launchers.

use axum::Json;
use axum::extract::State;
use niassa_api::hosts::Host;
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_metadb::launchers;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{PageQuery, Params, page_after, page_size};
use crate::app::App;
use crate::error::Failed;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
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
    }
}

#[cfg(test)]
mod tests;
