//! Problems: what the service answers when it does not do what was asked (RFC 9457).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The closed list of what can be wrong. Programs branch on this, people read the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The request itself is wrong: 400.
    BadRequest,
    /// A value in the request is wrong; `errors` says which: 422.
    Invalid,
    /// No credentials, or wrong ones: 401.
    NotSignedIn,
    /// The account or its token may not do this: 403.
    NotAllowed,
    /// There is no such thing, or the account may not see it: 404.
    NotFound,
    /// The state of the thing does not allow it: 409.
    Conflict,
    /// An `Idempotency-Key` was used before with another body: 422.
    IdempotencyMismatch,
    /// The request is larger than allowed: 413.
    TooLarge,
    /// Too many requests: 429.
    TooMany,
    /// The service cannot do it now, for instance because no account exists: 503.
    Unavailable,
    /// Something went wrong inside; the log has it under the request's id: 500.
    Internal,
}

impl ProblemCode {
    /// Returns the HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NotSignedIn => 401,
            Self::NotAllowed => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Invalid | Self::IdempotencyMismatch => 422,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// Returns a short title that does not depend on the case at hand.
    pub fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "the request cannot be read",
            Self::NotSignedIn => "not signed in",
            Self::NotAllowed => "not allowed",
            Self::NotFound => "not found",
            Self::Conflict => "the state of the thing does not allow this",
            Self::TooLarge => "too large",
            Self::Invalid => "a value is not valid",
            Self::IdempotencyMismatch => "this idempotency key was used with another request",
            Self::TooMany => "too many requests",
            Self::Internal => "internal error",
            Self::Unavailable => "not available now",
        }
    }
}

/// What went wrong, in a form for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What is wrong, for programs.
    pub code: ProblemCode,
    /// A title that does not depend on the case.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong in this case: what, where and why.
    pub detail: String,
    /// What to do next, where we know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Every single error, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// The id of the request in the service's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// Makes a problem with a detail.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            hint: None,
            errors: Vec::new(),
            request_id: None,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the single errors.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<String>) -> Self {
        self.errors = errors;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}
