//! The error of every use case and handler: a problem that the caller is told.
//!
//! What is expected becomes its own code. What is not is logged here, once and with its whole chain,
//! and answered vaguely: the caller gets the request's id, under which the log has it.

use std::error::Error;
use std::fmt::Write;

use niassa_api::error::{Problem, ProblemCode};
use niassa_metadb::MetaDbError;
use niassa_metadb::idempotency::Once;

use crate::http::problem;

/// Why a request was not done.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) Box<Problem>);

impl Failed {
    /// Makes the failure of a code, with what is wrong in this case.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(code, detail)))
    }

    /// Says that there is no such thing, or that the caller may not see it.
    pub(crate) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(ProblemCode::NotFound, format!("there is no {what}, or you may not see it"))
    }

    /// Logs an error nobody foresaw, once and with its chain, and answers vaguely.
    pub(crate) fn internal(error: &(dyn Error + 'static)) -> Self {
        let request = problem::request_id().map(tracing::field::display);
        tracing::error!(request, "{}", chain(error));
        Self::new(ProblemCode::Internal, "something went wrong inside the service")
            .hint("the service's log has it under the id of this request")
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the single errors.
    #[must_use]
    pub(crate) fn errors(mut self, errors: Vec<String>) -> Self {
        self.0.errors = errors;
        self
    }
}

impl From<MetaDbError> for Failed {
    fn from(error: MetaDbError) -> Self {
        if error.is_retryable() || error.is_unavailable() {
            tracing::warn!("{}", chain(&error));
            return Self::new(ProblemCode::Unavailable, "the MetaDB cannot answer now")
                .hint("try again in a moment");
        }
        Self::internal(&error)
    }
}

/// Returns what was done, unless the `Idempotency-Key` stands for another request.
pub(crate) fn done<T>(once: Once<T>) -> Result<T, Failed> {
    match once {
        Once::Done(answer) => Ok(answer),
        Once::Mismatch => {
            let detail = "this Idempotency-Key was used before for another request";
            Err(Failed::new(ProblemCode::IdempotencyMismatch, detail).hint("draw a new key"))
        }
    }
}

/// Writes an error and what caused it on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string does not fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
