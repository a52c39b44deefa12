//! Routes of what people want of runs: that they stop, are tried again, or have marks.

use axum::Json;
use axum::extract::State;
use niassa_api::error::Problem;
use niassa_api::runs::{CancelRuns, EndDeadRuns, MarkRuns, PrioritizeRuns, RetryRuns, RunResults};
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Origin, SignedIn};
use super::extract::Body;
use crate::app::App;
use crate::error::Failed;
use crate::usecases::{cancel, mark, prioritize, retry};

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(cancel))
        .routes(routes!(it_is_dead))
        .routes(routes!(marks))
        .routes(routes!(priority))
        .routes(routes!(retry))
}

/// Asks for runs to be cancelled. A run that cannot be does not fail the call.
#[utoipa::path(post, path = niassa_api::paths::RUNS_CANCEL, tag = "runs",
    request_body = CancelRuns,
    responses((status = 200, body = RunResults), (status = "default", body = Problem)))]
async fn cancel(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Body(request): Body<CancelRuns>,
) -> Result<Json<RunResults>, Failed> {
    let access = signed_in.may(Action::Schedule)?.coming_from(origin);
    cancel::cancel(&app, &access, request).await.map(Json)
}

/// Ends runs whose place is gone for good, without a launcher. A run that cannot be ended so does
/// not fail the call.
#[utoipa::path(post, path = niassa_api::paths::RUNS_DEAD, tag = "runs",
    request_body = EndDeadRuns,
    responses((status = 200, body = RunResults), (status = "default", body = Problem)))]
async fn it_is_dead(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Body(request): Body<EndDeadRuns>,
) -> Result<Json<RunResults>, Failed> {
    let access = signed_in.may(Action::Schedule)?.coming_from(origin);
    cancel::end_dead(&app, &access, request).await.map(Json)
}

/// Gives marks to runs, and takes them away. A run that cannot be marked does not fail the call.
#[utoipa::path(post, path = niassa_api::paths::RUNS_MARKS, tag = "runs", request_body = MarkRuns,
    responses((status = 200, body = RunResults), (status = "default", body = Problem)))]
async fn marks(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(request): Body<MarkRuns>,
) -> Result<Json<RunResults>, Failed> {
    let access = signed_in.may(Action::Schedule)?;
    mark::mark(&app, &access, request).await.map(Json)
}

/// Says how urgent runs are. A run whose priority cannot be changed does not fail the call.
#[utoipa::path(post, path = niassa_api::paths::RUNS_PRIORITY, tag = "runs",
    request_body = PrioritizeRuns,
    responses((status = 200, body = RunResults), (status = "default", body = Problem)))]
async fn priority(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(request): Body<PrioritizeRuns>,
) -> Result<Json<RunResults>, Failed> {
    let access = signed_in.may(Action::Schedule)?;
    prioritize::prioritize(&app, &access, request).await.map(Json)
}

/// Asks for runs to be tried again. A run that cannot be does not fail the call.
#[utoipa::path(post, path = niassa_api::paths::RUNS_RETRY, tag = "runs", request_body = RetryRuns,
    responses((status = 200, body = RunResults), (status = "default", body = Problem)))]
async fn retry(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Body(request): Body<RetryRuns>,
) -> Result<Json<RunResults>, Failed> {
    let access = signed_in.may(Action::Schedule)?.coming_from(origin);
    retry::retry(&app, &access, request).await.map(Json)
}

#[cfg(test)]
mod tests;
