//! Exit codes, and what every failure means for them.

use std::error::Error;
use std::fmt;
use std::io;

use niassa_api::client::ClientError;
use niassa_api::error::ProblemCode;

use crate::settings::SettingsError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or there was nothing to do.
    Done,
    /// Something happened that nobody foresaw.
    Unexpected,
    /// The command line or what it names cannot be used.
    Usage,
    /// There is no such thing, or the account may not see it.
    NotFound,
    /// Not signed in, or not allowed.
    NotAllowed,
    /// The state of the thing does not allow it.
    Conflict,
    /// The Web Service cannot be reached.
    ServiceUnreachable,
    /// The scheduler cannot be reached.
    SchedulerUnreachable,
    /// Some of it was done.
    Partly,
    /// A check found a fault.
    FaultFound,
    /// The run failed.
    RunFailed,
    /// The run was cancelled.
    RunCancelled,
    /// The time given to wait is over.
    TimeOver,
    /// Interrupted; what was started goes on.
    Interrupted,
}

impl Exit {
    /// Returns the number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 4,
            Self::Conflict => 5,
            Self::ServiceUnreachable => 6,
            Self::SchedulerUnreachable => 7,
            Self::Partly => 8,
            Self::FaultFound => 9,
            Self::RunFailed => 10,
            Self::RunCancelled => 11,
            Self::TimeOver => 12,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The reader of the output went away; nobody wants to know.
    BrokenPipe,
    /// A failure of a kind, with what to do next.
    Other(Box<Trouble>),
}

/// What is told about a failure.
#[derive(Debug)]
pub struct Trouble {
    /// What it means for the exit code.
    pub exit: Exit,
    /// What, where and why.
    pub what: String,
    /// Every single error, where there are several.
    pub details: Vec<String>,
    /// The next command, where we know it.
    pub hint: Option<String>,
}

impl Failure {
    /// Makes a failure.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        let what = what.into();
        Self::Other(Box::new(Trouble { exit, what, details: Vec::new(), hint: None }))
    }

    /// Makes a failure of the command line or of what it names.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Makes a failure of the file system.
    #[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`, the last owner")]
    pub fn io(doing: impl fmt::Display, error: io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            io::ErrorKind::PermissionDenied => Exit::NotAllowed,
            io::ErrorKind::AlreadyExists => Exit::Conflict,
            _ => Exit::Unexpected,
        };
        Self::new(exit, format!("cannot {doing}: {error}"))
    }

    /// Makes a failure of an error and all it came from.
    pub fn of(exit: Exit, error: &dyn Error) -> Self {
        Self::new(exit, chain(error))
    }

    /// Says what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Other(trouble) = &mut self {
            trouble.hint = Some(hint.into());
        }
        self
    }

    /// Adds the single errors.
    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        if let Self::Other(trouble) = &mut self {
            trouble.details = details;
        }
        self
    }

    /// Says first what was being done.
    #[must_use]
    pub fn while_doing(mut self, doing: impl fmt::Display) -> Self {
        if let Self::Other(trouble) = &mut self {
            trouble.what = format!("{doing}: {}", trouble.what);
        }
        self
    }

    /// Returns how the command ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::BrokenPipe => Exit::Done,
            Self::Other(trouble) => trouble.exit,
        }
    }

    /// Tells whether nothing is said about it.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::BrokenPipe)
    }

    /// Returns what, where and why.
    pub fn explain(&self) -> &str {
        match self {
            Self::BrokenPipe => "the reader of the output went away",
            Self::Other(trouble) => &trouble.what,
        }
    }

    /// Returns every single error, where there are several.
    pub fn details(&self) -> &[String] {
        match self {
            Self::BrokenPipe => &[],
            Self::Other(trouble) => &trouble.details,
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::BrokenPipe => None,
            Self::Other(trouble) => trouble.hint.as_deref(),
        }
    }
}

/// Writes an error and everything it came from in one line. Layers that only repeat what is below
/// them are left out.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        source = error.source();
    }
    text
}

/// Returns the error that everything else came from.
fn root_cause(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = exit_of_client(&error);
        match error {
            ClientError::Problem(problem) => {
                let mut failure = Self::new(exit, problem.detail).with_details(problem.errors);
                if let Some(hint) = problem.hint.or_else(|| hint_of_problem(problem.code)) {
                    failure = failure.with_hint(hint);
                }
                match (problem.code, problem.request_id) {
                    (ProblemCode::Internal, Some(id)) => {
                        let hint = format!("look for request {id} in the service's log");
                        failure.with_hint(hint)
                    }
                    _ => failure,
                }
            }
            ClientError::Unreachable { ref source, .. } => {
                Self::new(exit, format!("{error}: {}", root_cause(source)))
                    .with_hint("seqware check")
            }
            ClientError::PlainHttp { .. } => Self::of(exit, &error).with_hint(
                "use https, or SW_REST_ALLOW_HTTP=true where the network between is trusted",
            ),
            ClientError::InvalidUrl { .. }
            | ClientError::ReadCa { .. }
            | ClientError::SetUp(_)
            | ClientError::Malformed { .. }
            | ClientError::TimedOut { .. } => Self::of(exit, &error).with_hint("seqware check"),
            ClientError::ReadFile { .. } | ClientError::WriteFile { .. } => Self::of(exit, &error),
        }
    }
}

fn exit_of_client(error: &ClientError) -> Exit {
    match error {
        ClientError::Problem(problem) => exit_of_problem(problem.code),
        ClientError::InvalidUrl { .. }
        | ClientError::PlainHttp { .. }
        | ClientError::ReadCa { .. }
        | ClientError::SetUp(_)
        | ClientError::ReadFile { .. } => Exit::Usage,
        ClientError::Unreachable { .. }
        | ClientError::TimedOut { .. }
        | ClientError::Malformed { .. } => Exit::ServiceUnreachable,
        ClientError::WriteFile { .. } => Exit::Unexpected,
    }
}

/// Returns what a problem that the service answered with means here.
pub fn exit_of_problem(code: ProblemCode) -> Exit {
    match code {
        ProblemCode::BadRequest
        | ProblemCode::Invalid
        | ProblemCode::IdempotencyMismatch
        | ProblemCode::TooLarge => Exit::Usage,
        ProblemCode::NotSignedIn | ProblemCode::NotAllowed => Exit::NotAllowed,
        ProblemCode::NotFound => Exit::NotFound,
        ProblemCode::Conflict => Exit::Conflict,
        ProblemCode::TooMany | ProblemCode::Unavailable => Exit::ServiceUnreachable,
        ProblemCode::Internal => Exit::Unexpected,
    }
}

fn hint_of_problem(code: ProblemCode) -> Option<String> {
    match code {
        ProblemCode::NotSignedIn => Some("seqware check --settings".to_owned()),
        ProblemCode::BadRequest
        | ProblemCode::Invalid
        | ProblemCode::IdempotencyMismatch
        | ProblemCode::TooLarge
        | ProblemCode::NotAllowed
        | ProblemCode::NotFound
        | ProblemCode::Conflict
        | ProblemCode::TooMany
        | ProblemCode::Unavailable
        | ProblemCode::Internal => None,
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let exit = match error {
            SettingsError::Read { .. }
            | SettingsError::OpenToOthers { .. }
            | SettingsError::NotYours { .. }
            | SettingsError::SecretForAll { .. } => Exit::NotAllowed,
            SettingsError::NotThere(_)
            | SettingsError::Parse { .. }
            | SettingsError::Missing(_)
            | SettingsError::Wrong { .. } => Exit::Usage,
        };
        Self::of(exit, &error).with_hint(error.hint())
    }
}

#[cfg(test)]
mod tests {
    use niassa_api::error::Problem;

    use super::*;

    #[test]
    fn problems_have_their_documented_codes() {
        let cases = [
            (ProblemCode::BadRequest, 2),
            (ProblemCode::Invalid, 2),
            (ProblemCode::IdempotencyMismatch, 2),
            (ProblemCode::TooLarge, 2),
            (ProblemCode::NotFound, 3),
            (ProblemCode::NotSignedIn, 4),
            (ProblemCode::NotAllowed, 4),
            (ProblemCode::Conflict, 5),
            (ProblemCode::Unavailable, 6),
            (ProblemCode::TooMany, 6),
            (ProblemCode::Internal, 1),
        ];
        for (code, expected) in cases {
            let failure = Failure::from(ClientError::from(Problem::new(code, "what")));
            assert_eq!(failure.exit().code(), expected, "{code:?}");
            assert_eq!(failure.explain(), "what");
        }
    }

    #[test]
    fn everything_the_service_says_is_kept() {
        let problem = Problem::new(ProblemCode::Invalid, "2 values are wrong")
            .with_hint("seqware workflow ini --accession 1")
            .with_errors(vec!["a.ini:3: `threads` is no number".to_owned(), "b".to_owned()]);
        let failure = Failure::from(ClientError::from(problem));
        assert_eq!(failure.details().len(), 2);
        assert_eq!(failure.hint(), Some("seqware workflow ini --accession 1"));
    }

    #[test]
    fn files_that_are_missing_or_closed_have_codes_of_their_own() {
        let failed = |kind: io::ErrorKind| Failure::io("read x", kind.into()).exit().code();
        assert_eq!(failed(io::ErrorKind::NotFound), 3);
        assert_eq!(failed(io::ErrorKind::PermissionDenied), 4);
        assert_eq!(failed(io::ErrorKind::AlreadyExists), 5);
        assert_eq!(failed(io::ErrorKind::StorageFull), 1);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        assert_eq!(Failure::BrokenPipe.exit().code(), 0);
        assert!(Failure::BrokenPipe.is_silent());
    }
}
