//! Facts: what files and engines positively say of attempts. They need no claim and only rise.

use niassa_model::accession::Accession;
use niassa_model::file::OutputFile;
use niassa_model::place::EngineKind;
use niassa_model::run::{RunStatus, RunTag};
use niassa_model::step::{AttemptNumber, StepIndex, StepReason, StepStatus};
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// At most 1,000 facts and 1,000 notes; each may be sent late, repeatedly, and by anyone who may
/// record the run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct RecordFacts {
    /// The facts, in any order.
    #[serde(default)]
    pub facts: Vec<AttemptFact>,
    /// Notes beside the status of runs; of several for one run the last counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<RunNote>,
    /// How often the programs of schedulers were called since this was told last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheduler: Vec<SchedulerUse>,
}

/// How often the programs of one scheduler were called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SchedulerUse {
    /// The engine: `slurm` or `sge`.
    #[schema(value_type = String)]
    pub engine: EngineKind,
    /// How often.
    pub calls: u64,
    /// How often in vain: a program was not there, did not answer, or refused.
    pub errors: u64,
}

/// What people should know of a run now. It is no verdict and needs no claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunNote {
    /// The run; one that is over takes no note.
    #[schema(value_type = i64)]
    pub run: Accession,
    /// Its tag.
    #[schema(value_type = String)]
    pub tag: RunTag,
    /// The note, of which 16 KiB are kept; an empty one removes what is there.
    pub note: String,
}

/// What is known of one attempt of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptFact {
    /// The run.
    #[schema(value_type = i64)]
    pub run: Accession,
    /// Its tag: a fact of another MetaDB's run with the same accession is refused.
    #[schema(value_type = String)]
    pub tag: RunTag,
    /// The step.
    #[schema(value_type = u32)]
    pub step: StepIndex,
    /// The attempt.
    #[schema(value_type = u32)]
    pub attempt: AttemptNumber,
    /// What it is; a final status never changes again.
    #[schema(value_type = String)]
    pub status: StepStatus,
    /// Why, unless it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reason: Option<StepReason>,
    /// The exit code of the command, where it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// What the scheduler, or whoever closed it, said about its end, for people; 4 KiB are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it started, by the clock of its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub started_at: Option<Timestamp>,
    /// When it ended, by the clock of its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub ended_at: Option<Timestamp>,
    /// The machine it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Processor time used, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_micros: Option<i64>,
    /// Peak memory of its largest process, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<i64>,
    /// Standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<LogTail>,
    /// Standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<LogTail>,
    /// The outputs, for an attempt that succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub outputs: Vec<OutputFile>,
}

/// The end of a stream and where the rest lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogTail {
    /// The whole file, on the file system of the run.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its last 64 KiB at most; bytes that are not UTF-8 are replaced.
    pub tail: String,
}

/// What the service made of the facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FactsRecorded {
    /// Every run that was named, as it is now.
    pub runs: Vec<RunAfterFacts>,
    /// Facts that were not taken, by their position, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedFact>,
    /// Notes that were not taken, by their position among the notes, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_notes: Vec<RefusedFact>,
}

/// A run after facts were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunAfterFacts {
    /// The run.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its status now.
    #[schema(value_type = String)]
    pub status: RunStatus,
    /// Whether somebody has to claim it and act.
    pub need: Need,
}

/// Whether a run needs an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// It goes on by itself, or is over.
    Nothing,
    /// A cancel, a retry, or steps behind a failed one wait for the holder of a claim.
    Action,
}

/// A fact or a note that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedFact {
    /// Its position in its list of the request, from 0.
    pub position: u32,
    /// Why.
    pub why: String,
}
