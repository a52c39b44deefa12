//! Routes of the steps of a run and of the ends of their streams.

use axum::Json;
use axum::extract::State;
use niassa_api::error::Problem;
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_api::runs::{Step, StepLog, StepQuery};
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{Params, Swid, page, page_after, page_size};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::look::{self, Part};

/// Most steps of a page of streams: each may bring 128 KiB.
const STREAMS_MOST: u32 = 50;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(steps)).routes(routes!(logs))
}

/// Lists the steps of a run with their attempts, in the order of the plan.
#[utoipa::path(get, path = paths::RUN_STEPS, tag = "runs",
    params(("swid" = i64, Path, description = "The run's accession."), StepQuery),
    responses((status = 200, description = "Steps.", body = Page<Step>),
        (status = 404, description = "There is no such run.", body = Problem)))]
async fn steps(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(run): Swid,
    Params(query): Params<StepQuery>,
) -> Result<Json<Page<Step>>, Failed> {
    let access = signed_in.may(Action::Read)?;
    let size = page_size(query.limit);
    let part = Part { limit: size + 1, after: page_after(query.after.as_deref())? };
    let steps = look::steps(&app, &access, run, &query, part).await?;
    Ok(Json(page(steps, size, |step| step.index.0.into())))
}

/// Lists the ends of the streams of a run's steps, in the order of the plan; at most 50 at a time.
#[utoipa::path(get, path = paths::RUN_LOGS, tag = "runs",
    params(("swid" = i64, Path, description = "The run's accession."), StepQuery),
    responses((status = 200, description = "The last attempt of each step.", body = Page<StepLog>),
        (status = 404, description = "There is no such run.", body = Problem)))]
async fn logs(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(run): Swid,
    Params(query): Params<StepQuery>,
) -> Result<Json<Page<StepLog>>, Failed> {
    let access = signed_in.may(Action::Read)?;
    let size = page_size(query.limit).min(STREAMS_MOST);
    let part = Part { limit: size + 1, after: page_after(query.after.as_deref())? };
    let logs = look::logs(&app, &access, run, &query, part).await?;
    Ok(Json(page(logs, size, |log| log.index.0.into())))
}
