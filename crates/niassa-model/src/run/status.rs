//! The eight statuses of a run and the one function that changes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a run stands: Niassa's eight words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted; no launcher has handed it to an engine.
    Submitted,
    /// Handed to an engine; no step has started.
    Pending,
    /// A step has started.
    Running,
    /// Every step succeeded. Never changes again.
    Completed,
    /// Every step is final and not all succeeded. May be retried.
    Failed,
    /// Somebody asked for the run to be cancelled; its steps may still be running.
    SubmittedCancel,
    /// Stopped: the engine shows none of its jobs any more. May be retried.
    Cancelled,
    /// Somebody asked for another try; no launcher has acted on it.
    SubmittedRetry,
}

/// What happened to a run. The service makes these of requests and of recorded facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// A launcher handed it to an engine.
    Launched,
    /// The first attempt of a step was claimed.
    Started,
    /// Every step succeeded.
    Succeeded,
    /// Every step is final, one did not succeed, and nobody asked to cancel.
    Failed,
    /// A person asked to cancel it.
    CancelRequested,
    /// The cancel is confirmed.
    Cancelled,
    /// A person asked to try again.
    RetryRequested,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Submitted,
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::SubmittedCancel,
        Self::Cancelled,
        Self::SubmittedRetry,
    ];

    /// Returns the status after an event, or nothing where the event changes nothing.
    ///
    /// An event that changes nothing is kept as evidence and is never an error.
    pub fn after(self, event: RunEvent) -> Option<Self> {
        match self {
            Self::Submitted | Self::SubmittedRetry => after_submitted(event),
            Self::Pending => match event {
                RunEvent::Started => Some(Self::Running),
                RunEvent::Succeeded => Some(Self::Completed),
                RunEvent::Failed => Some(Self::Failed),
                RunEvent::CancelRequested => Some(Self::SubmittedCancel),
                RunEvent::Launched | RunEvent::Cancelled | RunEvent::RetryRequested => None,
            },
            Self::Running => match event {
                RunEvent::Succeeded => Some(Self::Completed),
                RunEvent::Failed => Some(Self::Failed),
                RunEvent::CancelRequested => Some(Self::SubmittedCancel),
                RunEvent::Launched
                | RunEvent::Started
                | RunEvent::Cancelled
                | RunEvent::RetryRequested => None,
            },
            Self::SubmittedCancel => match event {
                RunEvent::Succeeded => Some(Self::Completed),
                RunEvent::Failed => Some(Self::Failed),
                RunEvent::Cancelled => Some(Self::Cancelled),
                RunEvent::Launched
                | RunEvent::Started
                | RunEvent::CancelRequested
                | RunEvent::RetryRequested => None,
            },
            Self::Failed | Self::Cancelled => match event {
                RunEvent::RetryRequested => Some(Self::SubmittedRetry),
                RunEvent::Launched
                | RunEvent::Started
                | RunEvent::Succeeded
                | RunEvent::Failed
                | RunEvent::CancelRequested
                | RunEvent::Cancelled => None,
            },
            Self::Completed => None,
        }
    }

    /// Tells whether a run with this status may still change without a person asking.
    pub fn is_active(self) -> bool {
        match self {
            Self::Submitted
            | Self::Pending
            | Self::Running
            | Self::SubmittedCancel
            | Self::SubmittedRetry => true,
            Self::Completed | Self::Failed | Self::Cancelled => false,
        }
    }

    /// Returns the word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::SubmittedCancel => "submitted_cancel",
            Self::Cancelled => "cancelled",
            Self::SubmittedRetry => "submitted_retry",
        }
    }
}

/// Both kinds of waiting for a launcher behave alike.
fn after_submitted(event: RunEvent) -> Option<RunStatus> {
    match event {
        RunEvent::Launched => Some(RunStatus::Pending),
        RunEvent::Started => Some(RunStatus::Running),
        RunEvent::Succeeded => Some(RunStatus::Completed),
        RunEvent::Failed => Some(RunStatus::Failed),
        RunEvent::CancelRequested => Some(RunStatus::SubmittedCancel),
        RunEvent::Cancelled | RunEvent::RetryRequested => None,
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a status of a run"))
    }
}

impl RunEvent {
    /// Every event.
    pub const ALL: [Self; 7] = [
        Self::Launched,
        Self::Started,
        Self::Succeeded,
        Self::Failed,
        Self::CancelRequested,
        Self::Cancelled,
        Self::RetryRequested,
    ];

    /// Returns the word kept in the run's log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launched => "launched",
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::CancelRequested => "cancel_requested",
            Self::Cancelled => "cancelled",
            Self::RetryRequested => "retry_requested",
        }
    }
}

impl fmt::Display for RunEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The table of the design, row by row, in the order of [`RunEvent::ALL`].
    const TABLE: [(RunStatus, [&str; 7]); 8] = [
        (
            RunStatus::Submitted,
            ["pending", "running", "completed", "failed", "submitted_cancel", "-", "-"],
        ),
        (
            RunStatus::SubmittedRetry,
            ["pending", "running", "completed", "failed", "submitted_cancel", "-", "-"],
        ),
        (RunStatus::Pending, ["-", "running", "completed", "failed", "submitted_cancel", "-", "-"]),
        (RunStatus::Running, ["-", "-", "completed", "failed", "submitted_cancel", "-", "-"]),
        (RunStatus::SubmittedCancel, ["-", "-", "completed", "failed", "-", "cancelled", "-"]),
        (RunStatus::Failed, ["-", "-", "-", "-", "-", "-", "submitted_retry"]),
        (RunStatus::Cancelled, ["-", "-", "-", "-", "-", "-", "submitted_retry"]),
        (RunStatus::Completed, ["-", "-", "-", "-", "-", "-", "-"]),
    ];

    #[test]
    fn every_cell_is_as_designed() {
        for (from, row) in TABLE {
            for (event, expected) in RunEvent::ALL.into_iter().zip(row) {
                let to = from.after(event).map_or("-", RunStatus::as_str);
                assert_eq!(to, expected, "{from} after {event}");
            }
        }
    }

    #[test]
    fn words_read_back() {
        for status in RunStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }

    proptest! {
        #[test]
        fn completed_is_for_ever_and_the_rest_needs_a_person(events in prop::collection::vec(0usize..7, 0..40)) {
            let mut status = RunStatus::Submitted;
            for event in events.into_iter().map(|index| RunEvent::ALL[index]) {
                let before = status;
                status = status.after(event).unwrap_or(status);
                if before == RunStatus::Completed {
                    prop_assert_eq!(status, RunStatus::Completed);
                }
                if !before.is_active() && status.is_active() {
                    prop_assert_eq!(event, RunEvent::RetryRequested);
                }
            }
        }
    }
}
