//! Events: the log of all runs that a caller may see, as it grows, and what an agent is asked to read.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::logs::ReadLog;
use crate::runs::RunLogEntry;

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Only entries after this sequence number; the header `Last-Event-ID` wins over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// For agents: the keys of the places that it serves, one a line. It is told to read ranges of logs that
    /// lie there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<String>,
    /// Where no stream can be held: answer JSON with the first events, or with none after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
}

/// What happened, for a client that asks again and again instead of holding a stream.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// Where to go on.
    pub after: i64,
    /// Entries of the log.
    pub entries: Vec<RunLogEntry>,
    /// What the agent is asked to read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_logs: Vec<ReadLog>,
}
