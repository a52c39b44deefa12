//! What is answered to a browser: a page, a way to another page, or a page that says why not.

use askama::Template;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use niassa_api::error::ProblemCode;
use niassa_metadb::MetaDbError;

use super::assets::{PATHS, Paths};
use super::visitor::Visitor;
use super::words::{sentence, shown};
use crate::error::Failed;
use crate::http::problem;

/// Scripts, styles and pictures are files of this service; nothing else loads, runs or frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What stands around the content of every page.
pub(super) struct Frame {
    /// The title.
    pub(super) title: String,
    /// The address of who is signed in.
    pub(super) who: Option<String>,
    /// Whether the way to the administration is shown.
    pub(super) administers: bool,
    /// The part of the pages that this one belongs to.
    section: String,
    /// Where styles and scripts lie.
    pub(super) paths: &'static Paths,
}

/// Why no page is shown.
pub(super) enum Unanswered {
    /// The browser goes elsewhere.
    Elsewhere(String),
    /// A script asked in the name of nobody: whoever looks at its page signs in again.
    SignedOut,
    /// A page instead of the one that was asked for.
    Instead(Box<Response>),
    /// A problem, in the words of the API.
    Problem(Failed),
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    failed: Told,
}

/// A problem as people read it.
pub(super) struct Told {
    pub(super) detail: String,
    pub(super) hint: Option<String>,
    pub(super) errors: Vec<String>,
    pub(super) request: Option<String>,
}

impl Frame {
    /// Makes the frame of a page for nobody in particular.
    pub(super) fn public(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            who: None,
            administers: false,
            section: String::new(),
            paths: &PATHS,
        }
    }

    /// Makes the frame of a page for somebody.
    pub(super) fn of(visitor: &Visitor, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            who: Some(shown(visitor.caller.email.as_str())),
            administers: visitor.caller.is_administrator(),
            section: visitor.section.clone(),
            paths: &PATHS,
        }
    }

    /// Whether the page belongs to a part that the main navigation leads to.
    pub(super) fn is_at(&self, section: &str) -> bool {
        self.section == section
    }
}

impl From<&Failed> for Told {
    fn from(failed: &Failed) -> Self {
        let problem = &failed.0;
        Self {
            detail: sentence(&shown(&problem.detail)),
            hint: problem.hint.as_deref().map(shown),
            errors: problem.errors.iter().map(|error| shown(error)).collect(),
            request: (problem.code == ProblemCode::Internal)
                .then(problem::request_id)
                .flatten()
                .map(|id| id.to_string()),
        }
    }
}

impl From<Failed> for Unanswered {
    fn from(failed: Failed) -> Self {
        Self::Problem(failed)
    }
}

impl From<MetaDbError> for Unanswered {
    fn from(error: MetaDbError) -> Self {
        Self::Problem(error.into())
    }
}

impl From<Response> for Unanswered {
    fn from(response: Response) -> Self {
        Self::Instead(Box::new(response))
    }
}

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        match self {
            Self::Elsewhere(path) => see_other(&path),
            Self::SignedOut => (StatusCode::UNAUTHORIZED, "signed out").into_response(),
            Self::Instead(response) => *response,
            Self::Problem(failed) => {
                let page = ProblemPage {
                    frame: Frame::public("That did not work"),
                    failed: Told::from(&failed),
                };
                let mut response = page_with(status(&failed), &page);
                let code = failed.0.code;
                if code == ProblemCode::TooMany || code == ProblemCode::Unavailable {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
                }
                response
            }
        }
    }
}

/// Returns the status of a problem.
pub(super) fn status(failed: &Failed) -> StatusCode {
    StatusCode::from_u16(failed.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Answers with a page.
pub(super) fn page(template: &impl Template) -> Response {
    page_with(StatusCode::OK, template)
}

/// Answers with a page and a status.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => Failed::internal(&error).into_response(),
    }
}

/// Sends the browser to another page, which it asks for anew.
pub(super) fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static(super::HOME));
    response.headers_mut().insert(LOCATION, location);
    response
}

/// Adds the headers that every page has.
pub(super) async fn seal(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(&OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
