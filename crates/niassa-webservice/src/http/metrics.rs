//! The route of metrics, in Prometheus' text form.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use niassa_api::error::Problem;
use niassa_api::paths;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use axum::extract::FromRequestParts;

use super::auth::{SignedIn, peer};
use crate::app::App;
use crate::error::Failed;
use crate::metrics::gauges;

/// Headers by which a proxy says that it speaks for somebody.
const PROXIED: [&str; 4] = ["forwarded", "via", "x-real-ip", "x-client-ip"];
/// How others of them begin.
const PROXIED_PREFIX: &str = "x-forwarded-";

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Somebody who may look at metrics: an administrator, or a program on this machine.
struct Watcher;

impl FromRequestParts<App> for Watcher {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let is_proxied = parts.headers.keys().any(|name| {
            PROXIED.contains(&name.as_str()) || name.as_str().starts_with(PROXIED_PREFIX)
        });
        if peer(parts).to_canonical().is_loopback() && !is_proxied {
            return Ok(Self);
        }
        let signed_in = SignedIn::from_request_parts(parts, app).await?;
        signed_in.may(Action::Administer).map(|_| Self)
    }
}

/// Returns what was served and what waits. For administrators, and for programs on this machine.
#[utoipa::path(get, path = paths::METRICS, tag = "service",
    responses((status = 200, description = "Metrics, as Prometheus reads them.", body = String),
        (status = 403, description = "Not for this account.", body = Problem)))]
async fn metrics(State(app): State<App>, _: Watcher) -> Result<impl IntoResponse, Failed> {
    let mut text = String::new();
    app.metrics.write(&mut text);
    let ended = app.metrics.ended.counted(&*app.clock, app.metadb.ended_runs()).await?;
    gauges::write(&app.metadb.gauges().await?, &ended, &mut text);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}
