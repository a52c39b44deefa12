//! Parts of pages that are asked for again when they may have changed, and sent only where they did:
//! nothing moves under the hands of who looks at them.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use niassa_model::accession::Accession;

use super::answer::Unanswered;
use crate::error::Failed;
use crate::sign_in::sha256_hex;

/// A part of a page that is watched.
#[derive(Template)]
#[template(path = "live.html")]
pub(super) struct Live {
    id: &'static str,
    url: String,
    /// Where the page listens for changes; empty where it asks instead.
    stream: String,
    /// How long it is left alone after it was asked for, in seconds.
    every: u32,
    digest: String,
    content: String,
}

/// What tells a page when to look again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Listened {
    /// Anything that happens to runs.
    Runs,
    /// What happens to one run.
    Run(Accession),
    /// Nothing: a log grows without an event, and is asked for again and again.
    Nothing,
}

impl Listened {
    fn path(self) -> String {
        match self {
            Self::Runs => "/live".to_owned(),
            Self::Run(run) => format!("/live?run={run}"),
            Self::Nothing => String::new(),
        }
    }
}

impl Live {
    /// Fills a part of a page; it is asked for again at `url`, which has a query.
    pub(super) fn new(
        id: &'static str,
        url: &str,
        listened: Listened,
        every: u32,
        content: &impl Template,
    ) -> Result<Self, Failed> {
        let content = content.render().map_err(|error| Failed::internal(&error))?;
        let digest: String = sha256_hex(content.as_bytes()).chars().take(16).collect();
        let (url, stream) = (format!("{url}&seen={digest}"), listened.path());
        Ok(Self { id, url, stream, every, digest, content })
    }

    /// Fills a part of which something smaller tells whether it changed.
    pub(super) fn with_digest(
        id: &'static str,
        url: &str,
        listened: Listened,
        digest: String,
        content: &impl Template,
    ) -> Result<Self, Failed> {
        let content = content.render().map_err(|error| Failed::internal(&error))?;
        let (url, stream) = (format!("{url}&seen={digest}"), listened.path());
        Ok(Self { id, url, stream, every: 2, digest, content })
    }

    /// Answers whoever has seen the part with this digest.
    pub(super) fn again(&self, seen: Option<&str>) -> Result<Response, Unanswered> {
        if seen == Some(&self.digest) {
            return Ok(Self::unchanged());
        }
        let text = self.render().map_err(|error| Failed::internal(&error))?;
        Ok(Html(text).into_response())
    }

    /// Says that the part is as it was.
    pub(super) fn unchanged() -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}
