//! Routes of limits.

use axum::extract::State;
use axum::{Json, http::StatusCode};
use niassa_api::error::Problem;
use niassa_api::limits::{LimitOn, RunLimit, SetLimit};
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_metadb::limits;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Origin, SignedIn};
use super::extract::Body;
use crate::app::App;
use crate::error::Failed;
use crate::usecases::set_limit;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, set))
}

/// Lists all limits; there are few. Only for administrators.
#[utoipa::path(get, path = paths::LIMITS, tag = "limits",
    responses((status = 200, description = "Limits.", body = Page<RunLimit>)))]
async fn list(State(app): State<App>, signed_in: SignedIn) -> Result<Json<Page<RunLimit>>, Failed> {
    signed_in.may(Action::Administer)?;
    let limits = app.metadb.limits().await?;
    Ok(Json(Page { items: limits.into_iter().map(shown).collect(), next: None }))
}

/// Sets how many runs of a workflow, of an account or with a label may run at a time; or removes
/// that. Only for administrators.
#[utoipa::path(put, path = paths::LIMITS, tag = "limits", request_body = SetLimit,
    responses((status = 204, description = "It holds from the next launch on."),
        (status = 404, description = "There is no such thing, or no limit.", body = Problem)))]
async fn set(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Body(request): Body<SetLimit>,
) -> Result<StatusCode, Failed> {
    let access = signed_in.may(Action::Administer)?.coming_from(origin);
    set_limit::set_limit(&app, &access, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(limit: limits::RunLimit) -> RunLimit {
    RunLimit {
        on: match limit.on {
            limits::LimitOn::Workflow(swid) => LimitOn::Workflow(swid),
            limits::LimitOn::Account(email) => LimitOn::Account(email),
            limits::LimitOn::Host(label) => LimitOn::Host(label),
        },
        runs: limit.runs,
        running: limit.running,
        set_by: limit.set_by,
        set_at: limit.set_at,
    }
}

#[cfg(test)]
mod tests;
