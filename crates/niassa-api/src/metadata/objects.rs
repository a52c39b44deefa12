//! Any object by its accession, and runs that happened elsewhere.

use niassa_model::accession::{Accession, ObjectKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An object was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Created {
    /// Its accession.
    #[schema(value_type = i64)]
    pub swid: Accession,
}

/// An object, whatever it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Object {
    /// Its accession.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// What it is.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// Its fields, as its own routes name them.
    #[schema(value_type = Object)]
    pub fields: serde_json::Value,
}

/// Records a run that happened elsewhere: completed, with one processing and its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportRun {
    /// The workflow that was run.
    #[schema(value_type = i64)]
    pub workflow: Accession,
    /// What the run descends from; at least one.
    #[schema(value_type = Vec<i64>)]
    pub parents: Vec<Accession>,
    /// Files that were its inputs.
    #[serde(default)]
    #[schema(value_type = Vec<i64>)]
    pub input_files: Vec<Accession>,
    /// Files that it made.
    #[serde(default)]
    pub files: Vec<crate::files::CreateFile>,
}

/// A run that happened elsewhere was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportedRun {
    /// The run.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Its processing.
    #[schema(value_type = i64)]
    pub processing: Accession,
}
