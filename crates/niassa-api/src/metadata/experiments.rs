//! Experiments within studies.

use niassa_model::accession::Accession;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateExperiment {
    /// Its study.
    #[schema(value_type = i64)]
    pub study: Accession,
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// The number of the sequencing platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_id: Option<i64>,
}
