//! Studies: the root of metadata and the unit of sharing.

use niassa_model::account::Email;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes a study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateStudy {
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Its accession at another archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accession: Option<String>,
    /// The centre's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub center_name: Option<String>,
    /// The centre's name of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub center_project_name: Option<String>,
    /// Its type, such as `Whole Genome Sequencing`, or the number Niassa gives that type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study_type: Option<String>,
}

/// Lets an account read a study and everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddReader {
    /// The account.
    #[schema(value_type = String)]
    pub email: Email,
}
