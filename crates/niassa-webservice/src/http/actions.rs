//! The route of actions.

use axum::Json;
use axum::extract::State;
use niassa_api::claims::{ActionAnswers, RecordActions};
use niassa_api::error::Problem;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{Body, RUN_BYTES};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::act;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(actions))
}

/// Records what the holder of claims did; after `launched` the answer is the permission to release.
#[utoipa::path(post, path = niassa_api::paths::ACTIONS, tag = "claims",
    request_body = RecordActions,
    responses((status = 200, body = ActionAnswers), (status = "default", body = Problem)))]
async fn actions(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(request): Body<RecordActions, RUN_BYTES>,
) -> Result<Json<ActionAnswers>, Failed> {
    let access = signed_in.may(Action::Launch)?;
    act::actions(&app, &access, &signed_in.0.launch_hosts(), request).await.map(Json)
}
