//! Host labels, the launchers that serve them, and the runs that wait.

use niassa_model::host::HostLabel;
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A label with a launcher that serves it, or with runs that no launcher ever asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// The account that schedules; absent where nothing but a hold is known of the label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The account that the launcher signs in with; absent where none was ever seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The label.
    #[schema(value_type = String)]
    pub host: HostLabel,
    /// The OS user that the launcher runs as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_user: Option<String>,
    /// The machine or cluster that it launches on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// When it asked for runs last, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub last_seen: Option<Timestamp>,
    /// How long the oldest run had waited for it then, in microseconds; 0 where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_waiting_micros: Option<i64>,
    /// How many runs of the user wait for the label now.
    pub waiting: u64,
    /// When the oldest of them was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub oldest_waiting: Option<Timestamp>,
    /// Why the label gives out no launches, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_because: Option<String>,
}

/// Holds a label: it gives out no new launches until it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldHost {
    /// Why, for whoever waits.
    pub reason: String,
}
