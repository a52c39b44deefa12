//! The audit log: who did what to what, when, and from where.

use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An entry of the audit log.
///
/// `sha256` is the digest of the JSON array `[previous, at, account, action, subject, detail, origin]`,
/// written without spaces; `previous` is the `sha256` of the entry before, empty for the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Rises; numbers may be left out.
    pub sequence: i64,
    /// When, in microseconds by the database's clock.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// Who: an address.
    pub account: String,
    /// What was done, as a word.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More about it.
    pub detail: Option<String>,
    /// The address that the request came from.
    pub origin: Option<String>,
    /// The digest of the entry before.
    pub previous: String,
    /// The digest of this entry.
    pub sha256: String,
}

/// What looking through the whole log found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditChecked {
    /// How many entries there are.
    pub entries: u64,
    /// The digest of the last one; empty where there is none.
    pub head: String,
    /// The number of the first entry that does not fit, if one does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<i64>,
}
