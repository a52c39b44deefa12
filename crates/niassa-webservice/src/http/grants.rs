//! Routes of grants: who may launch the runs of others.

use axum::extract::{Path, State};
use axum::{Json, http::StatusCode};
use niassa_api::error::Problem;
use niassa_api::grants::{GrantLaunch, LaunchGrant};
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_metadb::grants::LaunchGrant as Stored;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Origin, SignedIn};
use super::extract::{Keyed, PageQuery, Params, page, page_after, page_size};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::grant_launch;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// Lists grants by the caller and to the caller, or all for an administrator, newest first.
#[utoipa::path(get, path = paths::LAUNCH_GRANTS, tag = "grants", params(PageQuery),
    responses((status = 200, description = "Grants.", body = Page<LaunchGrant>)))]
async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<LaunchGrant>>, Failed> {
    let access = signed_in.may(Action::ManageSelf)?;
    let (size, before) = (page_size(query.limit), page_after(query.after.as_deref())?);
    let rows = app.metadb.launch_grants(&access, before, size + 1).await?;
    Ok(Json(page(rows, size, |grant| grant.id).map(shown)))
}

/// Lets an account claim, record and read the runs of another one with a label.
#[utoipa::path(post, path = paths::LAUNCH_GRANTS, tag = "grants", request_body = GrantLaunch,
    responses((status = 201, description = "The grant.", body = LaunchGrant),
        (status = 404, description = "There is no such account.", body = Problem)))]
async fn create(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Keyed { once, request }: Keyed<GrantLaunch>,
) -> Result<(StatusCode, Json<LaunchGrant>), Failed> {
    let access = signed_in.may(Action::ManageSelf)?.coming_from(origin);
    let caller = &signed_in.0.email;
    let grant = grant_launch::grant_launch(&app, &access, caller, request, once).await?;
    Ok((StatusCode::CREATED, Json(shown(grant))))
}

/// Revokes a grant; it is worth nothing at the next call.
#[utoipa::path(delete, path = paths::LAUNCH_GRANT, tag = "grants",
    params(("id" = i64, Path, description = "The grant's id.")),
    responses((status = 204, description = "It is good for nothing any more."),
        (status = 404, description = "The caller gave no such grant.", body = Problem)))]
async fn revoke(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Path(id): Path<String>,
) -> Result<StatusCode, Failed> {
    let access = signed_in.may(Action::ManageSelf)?.coming_from(origin);
    grant_launch::revoke(&app, &access, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(grant: Stored) -> LaunchGrant {
    LaunchGrant {
        id: grant.id,
        from: grant.owner,
        to: grant.grantee,
        host: grant.host,
        granted_by: grant.granted_by,
        granted_at: grant.granted_at,
        expires_at: grant.expires_at,
        revoked_at: grant.revoked_at,
    }
}

#[cfg(test)]
mod tests;
