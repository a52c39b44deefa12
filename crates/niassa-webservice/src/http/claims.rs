//! Routes of claims: claiming, renewing, giving back.

use axum::Json;
use axum::extract::State;
use niassa_api::claims::{ClaimRuns, ClaimStates, Claimed, HeldClaims};
use niassa_api::error::Problem;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::Body;
use crate::app::App;
use crate::error::Failed;
use crate::usecases::claim;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(claim)).routes(routes!(renew)).routes(routes!(release))
}

/// Claims runs to launch, or launched runs that need an action.
#[utoipa::path(post, path = niassa_api::paths::CLAIMS, tag = "claims", request_body = ClaimRuns,
    responses((status = 200, body = Claimed), (status = "default", body = Problem)))]
async fn claim(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(request): Body<ClaimRuns>,
) -> Result<Json<Claimed>, Failed> {
    let access = signed_in.may(Action::Launch)?;
    claim::claim(&app, &access, &signed_in.0.launch_hosts(), request).await.map(Json)
}

/// Makes claims last longer.
#[utoipa::path(post, path = niassa_api::paths::CLAIMS_RENEW, tag = "claims",
    request_body = HeldClaims,
    responses((status = 200, body = ClaimStates), (status = "default", body = Problem)))]
async fn renew(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(request): Body<HeldClaims>,
) -> Result<Json<ClaimStates>, Failed> {
    let access = signed_in.may(Action::Launch)?;
    claim::renew(&app, &access, &signed_in.0.launch_hosts(), request).await.map(Json)
}

/// Gives claims back.
#[utoipa::path(post, path = niassa_api::paths::CLAIMS_RELEASE, tag = "claims",
    request_body = HeldClaims,
    responses((status = 200, body = ClaimStates), (status = "default", body = Problem)))]
async fn release(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(request): Body<HeldClaims>,
) -> Result<Json<ClaimStates>, Failed> {
    let access = signed_in.may(Action::Launch)?;
    claim::release(&app, &access, &signed_in.0.launch_hosts(), request).await.map(Json)
}

#[cfg(test)]
mod tests;
