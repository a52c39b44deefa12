//! Routes of runs that the MetaDB forgot. Only for administrators.

use axum::Json;
use axum::extract::State;
use niassa_api::error::Problem;
use niassa_api::paths;
use niassa_api::recovery::{FindRuns, FoundRuns, RecoverRun, RecoveredRun};
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{Body, FACTS_BYTES};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::recover_run;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(find)).routes(routes!(recover))
}

/// Says which runs are known, by their tags.
#[utoipa::path(post, path = paths::RUNS_FIND, tag = "recovery", request_body = FindRuns,
    responses((status = 200, description = "Those that are.", body = FoundRuns)))]
async fn find(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(request): Body<FindRuns>,
) -> Result<Json<FoundRuns>, Failed> {
    let access = signed_in.may(Action::Administer)?;
    recover_run::find(&app, &access, &request).await.map(Json)
}

/// Takes in a run from its directory: accepted after the backup that the MetaDB was restored from.
/// Telling it again changes nothing; further facts may follow.
#[utoipa::path(post, path = paths::RUNS_RECOVER, tag = "recovery", request_body = RecoverRun,
    responses((status = 200, description = "It is there.", body = RecoveredRun),
        (status = 404, description = "Its account or its workflow is not there.", body = Problem)))]
async fn recover(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(request): Body<RecoverRun, FACTS_BYTES>,
) -> Result<Json<RecoveredRun>, Failed> {
    let access = signed_in.may(Action::Administer)?;
    recover_run::recover(&app, &access, request).await.map(Json)
}
