//! Routes of reports.

use axum::Json;
use axum::extract::State;
use niassa_api::error::Problem;
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_api::reports::{ReportQuery, ReportRow, RunReport};
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{Params, Swid, page, page_after, page_size};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::look::Part;
use crate::usecases::report;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(run)).routes(routes!(workflow))
}

/// Reports on a run: Niassa's 22 columns and its first 500 steps.
#[utoipa::path(get, path = paths::RUN_REPORT, tag = "reports",
    params(("swid" = i64, Path, description = "The run's accession.")),
    responses((status = 200, description = "The report.", body = RunReport),
        (status = 404, description = "There is no such run.", body = Problem)))]
async fn run(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(run): Swid,
) -> Result<Json<RunReport>, Failed> {
    let access = signed_in.may(Action::Read)?;
    report::run(&app, &access, run).await.map(Json)
}

/// Reports on the runs of a workflow that the caller may see, newest first.
#[utoipa::path(get, path = paths::WORKFLOW_REPORT, tag = "reports",
    params(("swid" = i64, Path, description = "The workflow's accession."), ReportQuery),
    responses((status = 200, description = "A row per run.", body = Page<ReportRow>),
        (status = 404, description = "There is no such workflow.", body = Problem)))]
async fn workflow(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(workflow): Swid,
    Params(query): Params<ReportQuery>,
) -> Result<Json<Page<ReportRow>>, Failed> {
    let access = signed_in.may(Action::Read)?;
    let size = page_size(query.limit);
    let part = Part { limit: size + 1, after: page_after(query.after.as_deref())? };
    let rows = report::workflow(&app, &access, workflow, &query, part).await?;
    Ok(Json(page(rows, size, |(run, _)| run.get()).map(|(_, row)| row)))
}
