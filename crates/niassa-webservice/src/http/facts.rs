//! The route of facts.

use axum::Json;
use axum::extract::State;
use niassa_api::error::Problem;
use niassa_api::facts::{FactsRecorded, RecordFacts};
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{Body, FACTS_BYTES};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::record;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(facts))
}

/// Records what is positively known of attempts; recording it twice changes nothing.
#[utoipa::path(post, path = niassa_api::paths::FACTS, tag = "claims", request_body = RecordFacts,
    responses((status = 200, body = FactsRecorded), (status = "default", body = Problem)))]
async fn facts(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(request): Body<RecordFacts, FACTS_BYTES>,
) -> Result<Json<FactsRecorded>, Failed> {
    let access = signed_in.may(Action::Launch)?;
    record::facts(&app, &access, &signed_in.0.launch_hosts(), request).await.map(Json)
}

#[cfg(test)]
mod tests;
