//! The service itself: what it is, and what whoever looks after it has to know.

use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The header of every answer that tells which deployment gave it.
pub const DEPLOYMENT_HEADER: &str = "niassa-deployment";

/// What the service says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceState {
    /// The version of the program.
    pub version: String,
    /// What tells this deployment from every other one; each answer has it as its header
    /// `niassa-deployment` too. Absent in the answers of older services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// The version of the MetaDB's schema.
    pub schema_version: i64,
    /// The database's time, in microseconds.
    #[schema(value_type = i64)]
    pub now: Timestamp,
    /// When the last backup of the MetaDB was made; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub last_backup_at: Option<Timestamp>,
}
