//! Bundles: the archives of workflows, stored by their content.

use niassa_model::accession::Accession;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How to install the archive in the body of the request (`application/zip`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InstallQuery {
    /// As a development version `<version>+dev.<8 hex>`, hidden from lists (`1`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub development: Option<u8>,
}

/// A bundle is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstalledBundle {
    /// The workflow's accession.
    #[schema(value_type = i64)]
    pub swid: Accession,
    /// The workflow's name.
    pub name: String,
    /// The version it was installed as.
    pub version: String,
    /// SHA-256 of the archive as it is stored.
    pub sha256: String,
    /// Whether it was there before with the same content.
    pub installed: Installed,
}

/// Whether an installation added anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Installed {
    /// It is new.
    Now,
    /// The same content was there before.
    Before,
}
