//! Problems as answers (RFC 9457), and the id of the request that they carry.

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use niassa_api::error::{PROBLEM_JSON, ProblemCode};
use uuid::Uuid;

use crate::error::Failed;

tokio::task_local! {
    /// The request that this task answers.
    pub(super) static REQUEST: Asked;
}

/// What is known of a request wherever it is answered.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Its id.
    pub(super) id: Uuid,
    /// The version of the program that asks, where that is newer than this one.
    pub(super) newer_client: Option<String>,
}

/// Returns the id of the request that this task answers, if it answers one.
pub(crate) fn request_id() -> Option<Uuid> {
    REQUEST.try_with(|asked| asked.id).ok()
}

/// Answers a path that no route has.
pub(crate) fn no_such_route(request: &Request) -> Failed {
    let detail = format!("there is no route {}", request.uri().path());
    let failed = Failed::new(ProblemCode::NotFound, detail);
    match too_new() {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

/// Says what to do about a program that asks for what only its own version knows.
fn too_new() -> Option<String> {
    let newer = REQUEST.try_with(|asked| asked.newer_client.clone()).ok().flatten()?;
    let own = env!("CARGO_PKG_VERSION");
    Some(format!("you use seqware {newer}, the service is {own}: update the service first"))
}

/// Answers a method that the route has not.
pub(super) async fn no_such_method(request: Request) -> Failed {
    let detail = format!("{} has no method {}", request.uri().path(), request.method());
    Failed::new(ProblemCode::BadRequest, detail)
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut problem = self.0;
        problem.request_id = request_id().map(|id| id.to_string());
        if matches!(problem.code, ProblemCode::BadRequest | ProblemCode::Invalid) {
            problem.hint = problem.hint.or_else(too_new);
        }
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match problem.code {
            ProblemCode::NotSignedIn => {
                let basic = HeaderValue::from_static(r#"Basic realm="Niassa", charset="UTF-8""#);
                headers.insert(WWW_AUTHENTICATE, basic);
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            ProblemCode::TooMany => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
            }
            ProblemCode::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            ProblemCode::BadRequest
            | ProblemCode::Invalid
            | ProblemCode::NotAllowed
            | ProblemCode::NotFound
            | ProblemCode::Conflict
            | ProblemCode::IdempotencyMismatch
            | ProblemCode::TooLarge
            | ProblemCode::Internal => {}
        }
        response
    }
}
