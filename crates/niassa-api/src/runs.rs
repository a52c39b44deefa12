//! Workflow runs: scheduling, listing, looking at, cancelling, retrying.

use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::place::{EngineKind, Place};
use niassa_model::run::{Mark, RunStatus, RunTag};
use niassa_model::step::{AttemptNumber, StepIndex, StepReason, StepStatus};
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::claims::{Desire, SchedulerOptions};
use crate::facts::Need;

/// Asks for a run of a workflow. One request, one transaction: all of it happens or nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleRun {
    /// The workflow.
    #[schema(value_type = i64)]
    pub workflow: Accession,
    /// What the run descends from: any objects but workflows.
    #[serde(default)]
    #[schema(value_type = Vec<i64>)]
    pub parents: Vec<Accession>,
    /// Files that are its inputs, for provenance.
    #[serde(default)]
    #[schema(value_type = Vec<i64>)]
    pub input_files: Vec<Accession>,
    /// IUS and lanes to link it to.
    #[serde(default)]
    #[schema(value_type = Vec<i64>)]
    pub link_to: Vec<Accession>,
    /// The label of the launchers that may launch it.
    #[schema(value_type = String)]
    pub host: HostLabel,
    /// The engine demanded; without one the launcher's default decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub engine: Option<EngineKind>,
    /// Options for the scheduler.
    #[serde(default)]
    pub options: SchedulerOptions,
    /// Ini files and parameter files, in the order in which they override each other.
    #[serde(default)]
    pub sources: Vec<ValueSource>,
    /// `key=value`, over everything else.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// Of several of the account's runs that wait for a label the highest is launched first.
    #[serde(default)]
    pub priority: i32,
    /// Creates the run already claimed by this holder, so that no other launcher can take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_for: Option<String>,
}

/// A file of parameter values, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValueSource {
    /// The file's name, for error messages.
    pub name: String,
    /// How it is written.
    pub format: SourceFormat,
    /// Its text.
    pub text: String,
}

/// How a file of parameter values is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceFormat {
    /// Java properties with Niassa's variables.
    Ini,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// A run was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduledRun {
    /// Its accession.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its tag.
    #[schema(value_type = String)]
    pub tag: RunTag,
    /// What the user should know, such as keys that look misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Asks for a new run with the sources of an old one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct RescheduleRun {
    /// Another host label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub host: Option<HostLabel>,
    /// Another engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub engine: Option<EngineKind>,
}

/// Which runs to list. All conditions must hold; newest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Only runs that may still change without a person (`1`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<u8>,
    /// Only the caller's own runs (`1`), whatever else it may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mine: Option<u8>,
    /// Only runs with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub status: Option<RunStatus>,
    /// Only runs of this workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<i64>)]
    pub workflow: Option<Accession>,
    /// Only runs for this host label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Only runs at this place: the text of `Place::key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Only runs with this mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub mark: Option<Mark>,
    /// Only these runs, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessions: Option<String>,
    /// Rows of the page: 50, at most 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A workflow run as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its accession.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its tag.
    #[schema(value_type = String)]
    pub tag: RunTag,
    /// Its status.
    #[schema(value_type = String)]
    pub status: RunStatus,
    /// Of several that wait the highest is launched first.
    #[serde(default)]
    pub priority: i32,
    /// What people should know about it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The workflow.
    #[schema(value_type = i64)]
    pub workflow: Accession,
    /// The workflow's name.
    pub workflow_name: String,
    /// The workflow's version.
    pub workflow_version: String,
    /// The label it was scheduled for.
    #[schema(value_type = String)]
    pub host: HostLabel,
    /// The engine demanded, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub engine: Option<EngineKind>,
    /// Where it was launched, once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub place: Option<Place>,
    /// The run directory, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The machine of the launcher that placed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched_on: Option<String>,
    /// The account it belongs to.
    pub account: String,
    /// What people want of it.
    pub desire: Desire,
    /// Whether it waits for the holder of a claim.
    pub need: Need,
    /// The marks that people gave it, by their words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<GivenMark>,
    /// How many steps stand where.
    pub steps: StepCounts,
    /// When it was accepted, in microseconds.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
    /// When its status last changed.
    #[schema(value_type = i64)]
    pub updated_at: Timestamp,
    /// When anything was last heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub seen_at: Option<Timestamp>,
    /// What the run was rescheduled from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub rescheduled_from: Option<Accession>,
}

/// A mark of a run: a short word that somebody gave it, to find it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GivenMark {
    /// The word.
    #[schema(value_type = String)]
    pub mark: Mark,
    /// The account that gave it.
    pub account: String,
    /// When, in microseconds.
    #[schema(value_type = i64)]
    pub at: Timestamp,
}

/// How many steps of a run have each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct StepCounts {
    /// Steps of the plan; 0 before it is planned.
    pub total: u32,
    /// Not started.
    pub pending: u32,
    /// Running.
    pub running: u32,
    /// Ended with success.
    pub success: u32,
    /// Ended otherwise.
    pub failed: u32,
    /// Behind a step without success.
    pub skipped: u32,
    /// Cancelled.
    pub cancelled: u32,
    /// Without a known result.
    pub lost: u32,
}

/// Names runs to cancel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CancelRuns {
    /// The runs.
    #[schema(value_type = Vec<i64>)]
    pub accessions: Vec<Accession>,
}

/// Names runs whose place is gone for good: they end without a launcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndDeadRuns {
    /// The runs.
    #[schema(value_type = Vec<i64>)]
    pub accessions: Vec<Accession>,
}

/// Says how urgent runs are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrioritizeRuns {
    /// The runs.
    #[schema(value_type = Vec<i64>)]
    pub accessions: Vec<Accession>,
    /// Of several that wait the highest is launched first; -1,000 to 1,000, usually 0.
    pub priority: i32,
}

/// Gives marks to runs, and takes marks away. A mark is a word of 1 to 40 letters and digits, with
/// `-_.:/+#@` between; capitals become small. A run has at most 20.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MarkRuns {
    /// The runs.
    #[schema(value_type = Vec<i64>)]
    pub accessions: Vec<Accession>,
    /// Marks that they shall have.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub add: Vec<Mark>,
    /// Marks that they shall not have; of one that is in both lists too.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub remove: Vec<Mark>,
}

/// Names runs to try again. The client draws the id before it asks, so that a repeated request is
/// the same retry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetryRuns {
    /// The runs.
    #[schema(value_type = Vec<i64>)]
    pub accessions: Vec<Accession>,
    /// A random id of this request.
    pub id: String,
}

/// What became of a request for several runs, one by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunResults {
    /// One per run, in the order asked.
    pub results: Vec<RunResult>,
}

/// What became of the request for one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunResult {
    /// The run.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its status now, where it may be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub status: Option<RunStatus>,
    /// Why nothing was done; absent when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The steps of a run, in the order of the plan, a page at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// Its index in the plan.
    #[schema(value_type = u32)]
    pub index: StepIndex,
    /// Its processing accession.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its name, with the element's number in a `foreach`.
    pub label: String,
    /// What it waits for.
    #[schema(value_type = Vec<u32>)]
    pub after: Vec<StepIndex>,
    /// What is known of it.
    #[schema(value_type = String)]
    pub status: StepStatus,
    /// Why, unless it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reason: Option<StepReason>,
    /// Threads asked for.
    pub threads: u32,
    /// Memory asked for, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<i64>,
    /// Time asked for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Its attempts, first to last.
    pub attempts: Vec<Attempt>,
}

/// One attempt of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Which one.
    #[schema(value_type = u32)]
    pub number: AttemptNumber,
    /// What is known of it.
    #[schema(value_type = String)]
    pub status: StepStatus,
    /// Why, unless it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reason: Option<StepReason>,
    /// The exit code, where it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// What the scheduler, or whoever closed it, said about its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The engine's id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_id: Option<String>,
    /// The machine it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub ended_at: Option<Timestamp>,
    /// Processor time used, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_micros: Option<i64>,
    /// Peak memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<i64>,
}

/// Which part of a run's steps or logs to show.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StepQuery {
    /// Only steps with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub status: Option<StepStatus>,
    /// Rows of the page: 50, at most 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The ends of both streams of a step's last attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepLog {
    /// The step.
    #[schema(value_type = u32)]
    pub index: StepIndex,
    /// Its name.
    pub label: String,
    /// The attempt.
    #[schema(value_type = u32)]
    pub attempt: AttemptNumber,
    /// Its status.
    #[schema(value_type = String)]
    pub status: StepStatus,
    /// The machine where the whole files lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<crate::facts::LogTail>,
    /// Standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<crate::facts::LogTail>,
}

/// The effective ini of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunIni {
    /// Java properties.
    pub text: String,
}

/// One row of a run's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunLogEntry {
    /// Rises over all runs; what `Last-Event-ID` refers to.
    pub sequence: i64,
    /// The run.
    #[schema(value_type = i64)]
    pub run: Accession,
    /// When it was recorded, by the service's clock.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// What happened: an event of the status machine, or `note`.
    pub event: String,
    /// The status before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<RunStatus>,
    /// The status after; the same where the event changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to: Option<RunStatus>,
    /// The account that acted: the run's own, an administrator's, or one that may launch the run.
    pub account: String,
    /// Why, and the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
