//! Reports: what people read, years later, about runs.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::runs::{Run, Step};

/// Niassa's report of a run: its 22 columns, with several values joined by commas.
///
/// Columns whose objects are not there yet are present and empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ReportRow {
    /// Name, a blank, version.
    pub workflow: String,
    /// The run's accession.
    pub workflow_run_swid: String,
    /// The run's status.
    pub workflow_run_status: String,
    /// When the run was accepted, RFC 3339.
    pub workflow_run_create_timestamp: String,
    /// The label it was scheduled for.
    pub workflow_run_host: String,
    /// Its run directory.
    pub workflow_run_working_dir: String,
    /// The engine's name and its id of the run, where it has one.
    pub workflow_run_engine_id: String,
    /// Root samples the run descends from.
    pub library_sample_names: String,
    /// Their accessions.
    pub library_sample_swids: String,
    /// Samples the run is linked to.
    pub identity_sample_names: String,
    /// Their accessions.
    pub identity_sample_swids: String,
    /// IUS and their LIMS keys, as JSON.
    pub ius_lims_keys: String,
    /// Types of all files the run descends from.
    pub input_file_meta_types: String,
    /// Their accessions.
    pub input_file_swids: String,
    /// Their paths.
    pub input_file_paths: String,
    /// Types of the files it was given directly.
    pub immediate_input_file_meta_types: String,
    /// Their accessions.
    pub immediate_input_file_swids: String,
    /// Their paths.
    pub immediate_input_file_paths: String,
    /// Types of the files it made.
    pub output_file_meta_types: String,
    /// Their accessions.
    pub output_file_swids: String,
    /// Their paths.
    pub output_file_paths: String,
    /// From the first start to the last end, such as `1h 2m 3s`.
    pub workflow_run_time: String,
}

/// The report of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunReport {
    /// The 22 columns.
    pub row: ReportRow,
    /// The run.
    pub run: Run,
    /// The first 500 steps with what they asked for and what they used.
    pub steps: Vec<Step>,
}

/// Which runs of a workflow to report on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// Only runs with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Only runs accepted at or after this time, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// Only runs accepted before this time, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// Rows of the page: 50, at most 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
