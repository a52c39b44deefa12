//! What can be done to many runs, and how pages call it.

use niassa_api::error::ProblemCode;
use niassa_model::run::{RunEvent, RunStatus};

use crate::error::Failed;
use crate::pages::form::Form;

/// What is to be done to runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Retry,
    Cancel,
    Mark,
}

/// Which runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Chosen,
    All,
}

/// Reads what a button asks for.
pub(super) fn asked(form: &Form) -> Result<(Deed, Which), Failed> {
    match form.text("do") {
        "retry" => Ok((Deed::Retry, Which::Chosen)),
        "cancel" => Ok((Deed::Cancel, Which::Chosen)),
        "mark" => Ok((Deed::Mark, Which::Chosen)),
        "retry-all" => Ok((Deed::Retry, Which::All)),
        "cancel-all" => Ok((Deed::Cancel, Which::All)),
        "mark-all" => Ok((Deed::Mark, Which::All)),
        _ => Err(Failed::new(ProblemCode::BadRequest, "nothing was asked for")),
    }
}

impl Deed {
    /// Tells whether the deed changes anything of a run with this status. Marks fit every run.
    pub(super) fn fits(self, status: RunStatus) -> bool {
        match self {
            Self::Retry => status.after(RunEvent::RetryRequested).is_some(),
            Self::Cancel => status.after(RunEvent::CancelRequested).is_some(),
            Self::Mark => true,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Mark => "mark",
        }
    }

    /// The word as buttons say it; a button to cancel runs must not read as one to go back.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Retry => "Retry",
            Self::Cancel => "Stop",
            Self::Mark => "Mark",
        }
    }

    pub(super) fn past(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Cancel => "cancelled",
            Self::Mark => "marked",
        }
    }

    /// What is true of the runs once it was asked for.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Retry => "will be retried",
            Self::Cancel => "will be cancelled",
            Self::Mark => "marked",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Retry => "Retry runs",
            Self::Cancel => "Cancel runs",
            Self::Mark => "Mark runs",
        }
    }
}
