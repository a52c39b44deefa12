//! What can go wrong between a client and its service.

use std::io;
use std::path::PathBuf;

use crate::error::{Problem, ProblemCode};

/// Why a call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be one of a service.
    #[error("`{url}` is not the address of a Web Service: {why}")]
    InvalidUrl {
        /// The address as configured.
        url: String,
        /// Why not.
        why: String,
    },
    /// Credentials would travel without TLS over a network.
    #[error(
        "{url} is neither https nor on this machine: passwords would cross the network in clear"
    )]
    PlainHttp {
        /// The address as configured.
        url: String,
    },
    /// The certificates to trust cannot be read.
    #[error("cannot read the certificates in {}", path.display())]
    ReadCa {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificates to trust are none, or TLS cannot be set up.
    #[error("cannot set up the HTTP client")]
    SetUp(#[source] reqwest::Error),
    /// The service gave no answer.
    #[error("cannot reach the Web Service at {url}")]
    Unreachable {
        /// The service's address.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The service did not answer in time; whether it did what was asked is not known.
    #[error("the Web Service at {url} did not answer within {seconds} seconds")]
    TimedOut {
        /// The service's address.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The service refused.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// Something answered, but not as the Web Service does.
    #[error("{url} answered {status} with something else than the Web Service does: {why}")]
    Malformed {
        /// The address that was called.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What is odd.
        why: String,
    },
    /// A file to send cannot be read.
    #[error("cannot read {}", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file to receive cannot be written.
    #[error("cannot write {}", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ClientError {
    /// Returns the code of a problem that the service answered with.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Problem(problem) => Some(problem.code),
            Self::InvalidUrl { .. }
            | Self::PlainHttp { .. }
            | Self::ReadCa { .. }
            | Self::SetUp(_)
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Malformed { .. }
            | Self::ReadFile { .. }
            | Self::WriteFile { .. } => None,
        }
    }

    /// Tells whether the service cannot be had now, so that trying later makes sense.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. })
            || matches!(self.code(), Some(ProblemCode::Unavailable | ProblemCode::TooMany))
    }
}

impl From<Problem> for ClientError {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}
