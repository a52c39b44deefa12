//! Routes of runs: scheduling, listing, looking at one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use niassa_api::error::Problem;
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_api::runs::{RescheduleRun, Run, RunIni, RunQuery, ScheduleRun, ScheduledRun};
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{Keyed, Params, RUN_BYTES, Swid, page_after, page_as_far, page_size, plain};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::look::{self, Part};
use crate::usecases::{reschedule, schedule};

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, schedule))
        .routes(routes!(run))
        .routes(routes!(ini))
        .routes(routes!(reschedule))
}

/// Lists runs that the caller may see, newest first.
///
/// A page is not always full: where conditions leave little of many runs, only some thousands are looked
/// through at once, and `next` goes on behind them. The list ends where there is no `next`.
#[utoipa::path(get, path = paths::RUNS, tag = "runs", params(RunQuery),
    responses((status = 200, description = "Runs.", body = Page<Run>)))]
async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(mut query): Params<RunQuery>,
) -> Result<Json<Page<Run>>, Failed> {
    let access = signed_in.may(Action::Read)?;
    query.host = query.host.map(plain).transpose()?;
    query.place = query.place.map(plain).transpose()?;
    let size = page_size(query.limit);
    let part = Part { limit: size + 1, after: page_after(query.after.as_deref())? };
    let (runs, behind) = look::runs(&app, &access, &query, part).await?;
    Ok(Json(page_as_far(runs, size, behind, |run| run.swid.get())))
}

/// Schedules a run. All of it happens or nothing.
#[utoipa::path(post, path = paths::RUNS, tag = "runs", request_body = ScheduleRun,
    responses((status = 201, description = "The run was accepted.", body = ScheduledRun),
        (status = 404, description = "Something that was named is not there.", body = Problem),
        (status = 409, description = "The workflow cannot be scheduled.", body = Problem),
        (status = 422, description = "Values do not fit: all errors.", body = Problem)))]
async fn schedule(
    State(app): State<App>,
    signed_in: SignedIn,
    Keyed { once, request }: Keyed<ScheduleRun, RUN_BYTES>,
) -> Result<(StatusCode, Json<ScheduledRun>), Failed> {
    let access = signed_in.may(Action::Schedule)?;
    if request.claim_for.is_some() {
        // The run is created claimed, and claims are for those who launch.
        signed_in.may(Action::Launch)?;
    }
    let run = schedule::schedule(&app, &access, request, once).await?;
    Ok((StatusCode::CREATED, Json(run)))
}

/// Returns a run.
#[utoipa::path(get, path = paths::RUN, tag = "runs",
    params(("swid" = i64, Path, description = "The run's accession.")),
    responses((status = 200, description = "The run.", body = Run),
        (status = 404, description = "There is no such run.", body = Problem)))]
async fn run(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(run): Swid,
) -> Result<Json<Run>, Failed> {
    let access = signed_in.may(Action::Read)?;
    look::run(&app, &access, run).await.map(Json)
}

/// Returns the effective ini of a run.
#[utoipa::path(get, path = paths::RUN_INI, tag = "runs",
    params(("swid" = i64, Path, description = "The run's accession.")),
    responses((status = 200, description = "Java properties.", body = RunIni),
        (status = 404, description = "There is no such run.", body = Problem)))]
async fn ini(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(run): Swid,
) -> Result<Json<RunIni>, Failed> {
    let access = signed_in.may(Action::Read)?;
    look::ini(&app, &access, run).await.map(Json)
}

/// Schedules a new run with the sources of an old one.
#[utoipa::path(post, path = paths::RUN_RESCHEDULE, tag = "runs", request_body = RescheduleRun,
    params(("swid" = i64, Path, description = "The old run's accession.")),
    responses((status = 201, description = "The new run was accepted.", body = ScheduledRun),
        (status = 404, description = "There is no such run.", body = Problem),
        (status = 409, description = "It cannot be scheduled again.", body = Problem)))]
async fn reschedule(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(run): Swid,
    Keyed { once, request }: Keyed<RescheduleRun>,
) -> Result<(StatusCode, Json<ScheduledRun>), Failed> {
    let access = signed_in.may(Action::Schedule)?;
    let run = reschedule::reschedule(&app, &access, run, request, once).await?;
    Ok((StatusCode::CREATED, Json(run)))
}

#[cfg(test)]
mod tests;
