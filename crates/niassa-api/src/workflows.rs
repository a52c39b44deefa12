//! Installed workflows and their parameters.

use niassa_model::accession::Accession;
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A workflow: one name and version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Workflow {
    /// Its accession.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does.
    pub description: String,
    /// The SHA-256 of its bundle; absent for a workflow whose runs happened elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_sha256: Option<String>,
    /// The account that owns the name.
    pub owner: String,
    /// When it was installed.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
}

/// A workflow with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkflowDetail {
    /// The workflow.
    pub workflow: Workflow,
    /// Its parameters, in the order of the manifest.
    pub parameters: Vec<WorkflowParameter>,
}

/// One parameter of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkflowParameter {
    /// Its name.
    pub name: String,
    /// Its type, as the manifest writes it.
    pub kind: String,
    /// Its default as ini text, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Whether a value must be given.
    pub required: bool,
}

/// Which workflows to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WorkflowQuery {
    /// Only workflows of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Development versions and retired ones as well (`1`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<u8>,
    /// Rows of the page: 50, at most 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Records a workflow whose runs happen elsewhere: it has no bundle and cannot be scheduled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateWorkflow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does.
    pub description: String,
}
