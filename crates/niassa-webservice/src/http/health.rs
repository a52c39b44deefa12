//! Whether the service lives and is ready.

use axum::extract::State;
use niassa_api::error::{Problem, ProblemCode};
use niassa_api::paths;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::Failed;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(livez)).routes(routes!(readyz))
}

/// Answers while the process lives.
#[utoipa::path(get, path = paths::LIVEZ, tag = "service", security(()),
    responses((status = 200, description = "The process lives.", body = String)))]
async fn livez() -> &'static str {
    "ok\n"
}

/// Answers when the service can work: the MetaDB answers, is migrated, and has an account.
#[utoipa::path(get, path = paths::READYZ, tag = "service", security(()),
    responses((status = 200, description = "The service can work.", body = String),
        (status = 503, description = "It cannot now.", body = Problem)))]
async fn readyz(State(app): State<App>) -> Result<&'static str, Failed> {
    if app.stopping.is_cancelled() {
        return Err(Failed::new(ProblemCode::Unavailable, "the service is stopping"));
    }
    if !app.metadb.is_migrated().await {
        let detail = "the MetaDB does not answer, or is not migrated to this version";
        return Err(Failed::new(ProblemCode::Unavailable, detail)
            .hint("on the service's machine: seqware metadb migrate --metadb LOCATION"));
    }
    Ok("ready\n")
}

#[cfg(test)]
mod tests;
