//! Runs that the MetaDB forgot: accepted after the backup that it was restored from.
//!
//! They live in run directories only. What is found there is told with these calls, for administrators.

use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::place::Place;
use niassa_model::run::{RunStatus, RunTag};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::claims::StepRecord;
use crate::facts::AttemptFact;

/// Asks which runs are known; at most 1,000.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindRuns {
    /// Their tags.
    #[schema(value_type = Vec<String>)]
    pub tags: Vec<RunTag>,
}

/// The runs that are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundRuns {
    /// Each with its tag; a tag that no run has is left out.
    pub runs: Vec<FoundRun>,
}

/// A run that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundRun {
    /// Its tag.
    #[schema(value_type = String)]
    pub tag: RunTag,
    /// Its accession.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its status.
    #[schema(value_type = String)]
    pub status: RunStatus,
}

/// A run as its directory has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecoverRun {
    /// The accession it had; it keeps it unless another object has it now.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its tag, which it keeps.
    #[schema(value_type = String)]
    pub tag: RunTag,
    /// The address of the account on whose behalf it was launched.
    pub account: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: String,
    /// The SHA-256 of its archive.
    pub bundle_sha256: String,
    /// The label it was scheduled for.
    #[schema(value_type = String)]
    pub host: HostLabel,
    /// What it descends from; what is not there any more is left out.
    #[serde(default)]
    #[schema(value_type = Vec<i64>)]
    pub parents: Vec<Accession>,
    /// The values as resolved when it was scheduled.
    #[schema(value_type = Object)]
    pub values: serde_json::Value,
    /// Where it was launched.
    #[schema(value_type = Object)]
    pub place: Place,
    /// Its directory.
    pub directory: String,
    /// The machine that tells.
    pub launched_on: String,
    /// The highest claim that its directory shows.
    pub epoch: i64,
    /// SHA-256 of `plan.json`.
    pub plan_sha256: String,
    /// All steps of its plan.
    pub steps: Vec<StepRecord>,
    /// The processing accession that each step had, where they were dealt out.
    #[serde(default)]
    #[schema(value_type = Vec<i64>)]
    pub accessions: Vec<Accession>,
    /// What is known of its attempts, at most 1,000; `run` is not looked at. More may follow in further
    /// calls with the same tag.
    #[serde(default)]
    pub facts: Vec<AttemptFact>,
}

/// What became of a run that was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecoveredRun {
    /// Its accession now.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its status now.
    #[schema(value_type = String)]
    pub status: RunStatus,
    /// Facts that were not taken, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}
