//! Grants: an account lets another one launch its runs with a label.

use niassa_model::account::Email;
use niassa_model::host::HostLabel;
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Lets an account claim, record and read the runs of another one with a label. It may neither
/// schedule nor cancel nor retry them. A newer grant of the same takes the place of an older one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantLaunch {
    /// Whose runs; the caller's where absent. Others only administrators may name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<Email>,
    /// Who may launch them.
    #[schema(value_type = String)]
    pub to: Email,
    /// The label.
    #[schema(value_type = String)]
    pub host: HostLabel,
    /// How long, in seconds; until it is revoked where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
}

/// A grant as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaunchGrant {
    /// Its id.
    pub id: i64,
    /// Whose runs may be launched.
    pub from: String,
    /// Who may launch them.
    pub to: String,
    /// The label.
    #[schema(value_type = String)]
    pub host: HostLabel,
    /// Who allowed it.
    pub granted_by: String,
    /// When.
    #[schema(value_type = i64)]
    pub granted_at: Timestamp,
    /// When it stops being good, if by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, or a newer one took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub revoked_at: Option<Timestamp>,
}
