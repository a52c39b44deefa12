//! What surrounds every request: its id, the time it may take, panics, counting, safe headers.
//!
//! All of it is one function rather than six layers: requests are many and small.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use niassa_api::error::ProblemCode;
use niassa_api::paths;
use niassa_api::service::DEPLOYMENT_HEADER;
use niassa_model::limits::REQUEST_TIMEOUT;
use tracing::Instrument;
use uuid::Uuid;

use super::problem::{Asked, REQUEST};
use crate::app::App;
use crate::error::Failed;
use crate::pages;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static DEPLOYMENT: HeaderName = HeaderName::from_static(DEPLOYMENT_HEADER);

/// Answers a request under an id of its own.
pub(super) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = asked_id(request.headers()).unwrap_or_else(Uuid::new_v4);
    let path = request.uri().path();
    let newer_client = newer_client(request.headers());
    let changes = !request.method().is_safe();
    let span = tracing::debug_span!("request", %id, method = %request.method(), path);
    let answer = async {
        let mut response = answer(&app, request, next).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        app.metrics.count(response.status());
        if changes && response.status().is_success() {
            app.changed.send_replace(());
        }
        seal(response.headers_mut(), id);
        tell_deployment(response.headers_mut(), &app.deployment);
        response
    };
    REQUEST.scope(Asked { id, newer_client }, answer.instrument(span)).await
}

/// Returns the id that the client drew, so that its own log and this one agree. Only an id of the usual
/// form is taken: what it says goes into logs, and into the environment of steps.
fn asked_id(headers: &HeaderMap) -> Option<Uuid> {
    headers.get(&REQUEST_ID)?.to_str().ok()?.parse().ok()
}

/// Returns the version of a `seqware` that asks, where it is newer than this program.
fn newer_client(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(USER_AGENT)?.to_str().ok()?;
    let version = agent.strip_prefix("seqware/")?.split(' ').next()?;
    (numbers(version)? > numbers(env!("CARGO_PKG_VERSION"))?).then(|| version.to_owned())
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|number| number.parse().ok()).collect()
}

async fn answer(app: &App, request: Request, next: Next) -> Response {
    if request.uri().path() != paths::LIVEZ {
        match app.has_accounts().await {
            Ok(true) => {}
            Ok(false) if pages::is_person(&request) => return pages::told(nobody()).await,
            Ok(false) => return nobody().into_response(),
            Err(failed) => return failed.into_response(),
        }
    }
    // An archive takes as long as the network needs; its handler watches each piece instead.
    let is_archive = request.uri().path().starts_with(paths::BUNDLES);
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answered = if is_archive {
        answered.await
    } else {
        match tokio::time::timeout(REQUEST_TIMEOUT, answered).await {
            Ok(answered) => answered,
            Err(_) => return too_slow().into_response(),
        }
    };
    answered.unwrap_or_else(|panic| panicked(panic.as_ref()).into_response())
}

/// Answers are data for the one who asked: nobody keeps them, guesses their type or frames them.
fn seal(headers: &mut HeaderMap, id: Uuid) {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    if let Ok(id) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)) {
        headers.insert(&REQUEST_ID, id);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
}

/// Launchers note in their work directories whose runs are in there.
fn tell_deployment(headers: &mut HeaderMap, deployment: &str) {
    if let Ok(deployment) = HeaderValue::from_str(deployment) {
        headers.insert(&DEPLOYMENT, deployment);
    }
}

/// Whoever asks may be anybody, so that the hint does not say where the MetaDB is; the log does.
fn nobody() -> Failed {
    Failed::new(ProblemCode::Unavailable, "this service has no account yet")
        .hint("on the service's machine: seqware metadb init --metadb LOCATION --admin EMAIL")
}

fn too_slow() -> Failed {
    tracing::warn!("a request took longer than {} seconds", REQUEST_TIMEOUT.as_secs());
    let detail = format!("no answer was found within {} seconds", REQUEST_TIMEOUT.as_secs());
    Failed::new(ProblemCode::Unavailable, detail)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failed {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let error = std::io::Error::other(format!("panicked: {}", text.unwrap_or("without a word")));
    Failed::internal(&error)
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use axum::{Router, middleware};
    use niassa_api::error::Problem;
    use tower::ServiceExt;

    use super::*;
    use crate::testing::service;

    /// A bug in a handler, standing in for any of them.
    async fn boom() {
        panic!("the secret is 42");
    }

    #[tokio::test]
    async fn a_panic_is_answered_vaguely_under_its_id() {
        let app = service().await.app;
        let router: Router = Router::new()
            .route("/boom", get(boom))
            .layer(middleware::from_fn_with_state(app.clone(), observe))
            .with_state(app);
        let request = Request::get("/boom").body(axum::body::Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let id = response.headers().get(&REQUEST_ID).unwrap().to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem.code, ProblemCode::Internal);
        assert_eq!(problem.request_id, Some(id));
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
}
