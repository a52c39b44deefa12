//! Samples of experiments, and samples made of samples.

use niassa_model::accession::Accession;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateSample {
    /// Its experiment.
    #[schema(value_type = i64)]
    pub experiment: Accession,
    /// The sample it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub parent: Option<Accession>,
    /// Its title.
    pub title: String,
    /// What it is.
    pub description: String,
    /// The number of the organism.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organism_id: Option<i64>,
}
