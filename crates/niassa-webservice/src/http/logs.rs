//! Routes of whole logs: a reader asks for a part, an agent answers.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use niassa_api::error::{Problem, ProblemCode};
use niassa_api::logs::{LogAnswer, LogPart, LogQuery};
use niassa_api::paths;
use niassa_model::accession::Accession;
use niassa_model::account::Action;
use niassa_model::step::StepIndex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::SignedIn;
use super::extract::{Body, Params};
use crate::app::App;
use crate::error::Failed;
use crate::log_exchange::Credentials;
use crate::usecases::read_log;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(part)).routes(routes!(answer))
}

/// Returns a part of the log of a step, as an agent at the place of the run reads it.
///
/// Where no agent answers within ten seconds, or none serves the place, the answer is the end of the log that
/// the MetaDB has, and why.
#[utoipa::path(get, path = paths::RUN_STEP_LOG, tag = "runs",
    params(("swid" = i64, Path, description = "The run's accession."),
        ("index" = u32, Path, description = "The step's index in the plan."), LogQuery),
    responses((status = 200, description = "A part of the log.", body = LogPart),
        (status = 404, description = "There is no such run, step or attempt.", body = Problem),
        (status = 503, description = "Too many read logs just now.", body = Problem)))]
async fn part(
    State(app): State<App>,
    signed_in: SignedIn,
    Path((run, step)): Path<(String, String)>,
    Params(query): Params<LogQuery>,
) -> Result<Json<LogPart>, Failed> {
    let access = signed_in.may(Action::Read)?;
    let bad = |detail: String| Failed::new(ProblemCode::BadRequest, detail);
    let run: Accession = run.parse().map_err(|error| bad(format!("{error}")))?;
    let step = step.parse().map_err(|_| bad("a step has an index, counted from 0".to_owned()))?;
    read_log::read(&app, &access, run, StepIndex(step), &query).await.map(Json)
}

/// Answers a request to read a part of a log. For agents that may launch the run; the first answer counts.
#[utoipa::path(post, path = paths::LOG_ANSWER, tag = "events", request_body = LogAnswer,
    params(("id" = String, Path, description = "The request's id.")),
    responses((status = 204, description = "The reader has it."),
        (status = 404, description = "Nobody waits for it.", body = Problem)))]
async fn answer(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Body(answer): Body<LogAnswer>,
) -> Result<StatusCode, Failed> {
    let access = signed_in.may(Action::Launch)?;
    let bad = |_| Failed::new(ProblemCode::BadRequest, "the id of a request is a UUID");
    let id: Uuid = id.parse().map_err(bad)?;
    let who = Credentials { access, hosts: signed_in.0.launch_hosts() };
    read_log::answer(&app, &who, id, answer).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests;
