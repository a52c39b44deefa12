//! The route of metrics, in Prometheus' text form.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use niassa_api::error::Problem;
use niassa_api::paths;
use niassa_metadb::gauges::Gauges;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use axum::extract::FromRequestParts;

use super::auth::{SignedIn, peer};
use crate::app::App;
use crate::error::Failed;

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
    write_gauges(&app.metadb.gauges().await?, &mut text);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}

fn write_gauges(gauges: &Gauges, text: &mut String) {
    text.push_str("# HELP niassa_runs Runs, by status.\n# TYPE niassa_runs gauge\n");
    for (status, runs) in &gauges.runs {
        // Writing to a string does not fail, here and below.
        let _ = writeln!(text, "niassa_runs{{status=\"{}\"}} {runs}", status.as_str());
    }
    text.push_str("# HELP niassa_waiting_runs Runs that wait for a launcher, by host label.\n");
    text.push_str("# TYPE niassa_waiting_runs gauge\n");
    for waiting in &gauges.waiting {
        let host = escaped(&waiting.host);
        let _ = writeln!(text, "niassa_waiting_runs{{host=\"{host}\"}} {}", waiting.runs);
    }
    text.push_str("# HELP niassa_waiting_seconds How long the first of them has waited.\n");
    text.push_str("# TYPE niassa_waiting_seconds gauge\n");
    for waiting in &gauges.waiting {
        let seconds = gauges.now.micros_since(waiting.since) / 1_000_000;
        let host = escaped(&waiting.host);
        let _ = writeln!(text, "niassa_waiting_seconds{{host=\"{host}\"}} {seconds}");
    }
}

/// Escapes a label's value; it holds no line break.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use niassa_metadb::gauges::Waiting;
    use niassa_model::run::RunStatus;
    use niassa_model::time::Timestamp;

    use super::*;

    #[test]
    fn labels_are_escaped_and_ages_counted_in_seconds() {
        let gauges = Gauges {
            runs: vec![(RunStatus::Completed, 3)],
            waiting: vec![Waiting {
                host: "a \"b\" \\c".to_owned(),
                runs: 2,
                since: Timestamp::from_micros(1_000_000),
            }],
            now: Timestamp::from_micros(8_500_000),
        };
        let mut text = String::new();
        write_gauges(&gauges, &mut text);
        assert!(text.contains("niassa_runs{status=\"completed\"} 3\n"));
        assert!(text.contains("niassa_waiting_runs{host=\"a \\\"b\\\" \\\\c\"} 2\n"));
        assert!(text.contains("niassa_waiting_seconds{host=\"a \\\"b\\\" \\\\c\"} 7\n"));
    }
}
