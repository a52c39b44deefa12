//! Files of provenance.

use niassa_model::accession::Accession;
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A file with its place, type and checksums.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct File {
    /// Its accession.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// Where it lies.
    pub path: String,
    /// Its type.
    pub meta_type: String,
    /// Its size in bytes, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// SHA-256, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// MD5, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// The processing that made it, where one of ours did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub processing: Option<Accession>,
    /// When it was recorded.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
}

/// Records a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateFile {
    /// Where it lies: an absolute path or a URL.
    pub path: String,
    /// Its type.
    pub meta_type: String,
    /// Its size in bytes, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// SHA-256, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// MD5, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// What it descends from.
    #[serde(default)]
    #[schema(value_type = Vec<i64>)]
    pub parents: Vec<Accession>,
}
