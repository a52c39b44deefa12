//! Claims: a launcher's lease on runs, and what the holder of one records.

use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::place::{EngineKind, Place};
use niassa_model::plan::RetryPolicy;
use niassa_model::resources::Resources;
use niassa_model::run::{RunStatus, RunTag};
use niassa_model::step::{AttemptNumber, StepIndex, StepReason, StepStatus};
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for runs to work on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClaimRuns {
    /// Random per process; fenced records must come from the same holder.
    pub holder: String,
    /// Runs to launch, or launched runs that need an action.
    pub want: ClaimWant,
    /// For `launch`: the label to serve. For `act`: only runs of this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub host: Option<HostLabel>,
    /// Only these runs; the label is then ignored, the account never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<i64>>)]
    pub accessions: Option<Vec<Accession>>,
    /// The places the caller serves; a run that has another place is not offered.
    #[schema(value_type = Vec<Object>)]
    pub places: Vec<Place>,
    /// At most so many runs.
    pub limit: u32,
}

/// What a claim is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimWant {
    /// Runs in `submitted` or `submitted_retry`.
    Launch,
    /// Active runs that have a place.
    Act,
}

/// The runs a launcher now holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Claimed {
    /// How many runs were waiting for this caller before the call; of each account ten thousand at most.
    pub waiting: u64,
    /// How long each claim lasts unless renewed.
    pub lease_seconds: u64,
    /// The runs.
    pub claims: Vec<Claim>,
}

/// One claimed run with all that is needed to act on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Claim {
    /// The run.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its tag.
    #[schema(value_type = String)]
    pub tag: RunTag,
    /// Rises at each claim; fenced records must carry it.
    pub epoch: i64,
    /// When the claim lapses, by the service's clock, in microseconds.
    #[schema(value_type = i64)]
    pub until: Timestamp,
    /// The run's status when it was claimed.
    #[schema(value_type = String)]
    pub status: RunStatus,
    /// What people want of the run.
    pub desire: Desire,
    /// Retry requests that no launcher has answered.
    #[serde(default)]
    pub retries: Vec<String>,
    /// Where it was launched before, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub place: Option<Place>,
    /// The plan recorded before, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_sha256: Option<String>,
    /// What to run.
    pub workflow: ClaimedWorkflow,
    /// The values as resolved when the run was scheduled.
    #[schema(value_type = Object)]
    pub values: serde_json::Value,
    /// The engine asked for; without one the launcher's default counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub engine: Option<EngineKind>,
    /// What was asked of the scheduler.
    pub options: SchedulerOptions,
    /// On whose behalf.
    pub account: String,
    /// The label it was scheduled for; kept in its directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub host: Option<HostLabel>,
    /// The id of the request by which it was asked for: logs have it, and its steps are given it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// What it descends from; kept in its directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<i64>)]
    pub parents: Vec<Accession>,
}

/// What people want of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Desire {
    /// That it runs to its end.
    Launch,
    /// That it stops.
    Cancel,
    /// That its steps without success are tried again.
    Retry,
}

/// The workflow of a claimed run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClaimedWorkflow {
    /// The workflow.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of its archive.
    pub bundle_sha256: String,
}

/// Options passed on to a cluster's scheduler: each `[A-Za-z0-9_.,+-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SchedulerOptions {
    /// Slurm's partition, Grid Engine's queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Slurm's account, Grid Engine's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Slurm's quality of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<String>,
}

/// Names claims to renew or to give back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeldClaims {
    /// The holder of all of them.
    pub holder: String,
    /// The claims.
    pub runs: Vec<HeldClaim>,
}

/// One claim, as its holder knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldClaim {
    /// The run.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// The epoch of the claim.
    pub epoch: i64,
}

/// What became of each claim, in the order asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClaimStates {
    /// One per claim.
    pub states: Vec<ClaimState>,
}

/// Whether a claim still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// It does.
    Held,
    /// It does not; its holder must not touch the run any more.
    Stale,
}

/// What the holder of claims did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordActions {
    /// The holder.
    pub holder: String,
    /// In the order in which they were done; those of one run take effect in this order.
    pub actions: Vec<RunAction>,
}

/// One thing done to one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunAction {
    /// The run.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// The epoch of the claim it was done under.
    pub epoch: i64,
    /// What was done.
    pub done: Done,
}

/// What can be done to a run under a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The run has a place and a directory. The first one recorded stays.
    Placed(Placed),
    /// The plan is stored in the run directory.
    Planned(Planned),
    /// Steps of the plan, at most 1,000 at a time; the answer carries their accessions.
    Steps(Vec<StepRecord>),
    /// Everything due was handed to the engine.
    Launched(Launched),
    /// Attempts after the first, and the retry request they answer, in one record.
    Attempts(NewAttempts),
    /// Verdicts on steps that have no intent: skipped or cancelled.
    Verdicts(Vec<Verdict>),
    /// The run cannot be planned or prepared; it fails, and only it.
    CouldNotPlan(CouldNotPlan),
    /// Something people should know; replaces the note before it. Empty removes it.
    Note(String),
}

/// Where a run was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Placed {
    /// The place.
    #[schema(value_type = Object)]
    pub place: Place,
    /// The run directory's absolute path.
    pub directory: String,
    /// The machine the launcher ran on.
    pub launched_on: String,
}

/// That a plan was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Planned {
    /// SHA-256 of `plan.json`.
    pub sha256: String,
    /// How many steps it has.
    pub steps: u32,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepRecord {
    /// Its index.
    #[schema(value_type = u32)]
    pub index: StepIndex,
    /// Its name in the manifest.
    pub name: String,
    /// Which element of a `foreach` it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<u32>,
    /// What it waits for.
    #[serde(default)]
    #[schema(value_type = Vec<u32>)]
    pub after: Vec<StepIndex>,
    /// What it asks for.
    #[schema(value_type = Object)]
    pub resources: Resources,
    /// When it is tried again without a person.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub retry: RetryPolicy,
}

/// That everything due was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Launched {
    /// The engine's ids where they differ from the key; empty for the local engine.
    #[serde(default)]
    pub ids: Vec<EngineId>,
}

/// The engine's id of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EngineId {
    /// The step.
    #[schema(value_type = u32)]
    pub step: StepIndex,
    /// The attempt.
    #[schema(value_type = u32)]
    pub attempt: AttemptNumber,
    /// The engine's id.
    pub id: String,
}

/// Attempts that follow earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewAttempts {
    /// The retry request that they answer; none when a step's policy made them.
    #[serde(default)]
    pub answered: Vec<String>,
    /// The attempts.
    pub attempts: Vec<NewAttempt>,
}

/// One further attempt of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewAttempt {
    /// The step.
    #[schema(value_type = u32)]
    pub step: StepIndex,
    /// Its new attempt.
    #[schema(value_type = u32)]
    pub attempt: AttemptNumber,
    /// What the attempt may use.
    #[schema(value_type = Object)]
    pub resources: Resources,
}

/// What is decided of a step that was never handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// The step.
    #[schema(value_type = u32)]
    pub step: StepIndex,
    /// `skipped` or `cancelled`.
    #[schema(value_type = String)]
    pub status: StepStatus,
    /// Why.
    #[schema(value_type = String)]
    pub reason: StepReason,
}

/// Why a run cannot be planned or prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CouldNotPlan {
    /// `provision_in` for an unreadable input, else `could_not_start`.
    #[schema(value_type = String)]
    pub reason: StepReason,
    /// What, where and why, for people.
    pub detail: String,
}

/// What the service says to each action, in the order sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionAnswers {
    /// One per action.
    pub answers: Vec<ActionAnswer>,
}

/// What the service says to one action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActionAnswer {
    /// Whether to go on.
    pub word: Word,
    /// For `steps`: the accession of each, in the order sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<i64>)]
    pub accessions: Vec<Accession>,
}

/// Whether the holder of a claim goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Go on; after `launched` this is the permission to release.
    Go,
    /// Recorded, but somebody asked to cancel: release nothing.
    Cancel,
    /// Not recorded: the claim is not this holder's any more.
    Stale,
}
