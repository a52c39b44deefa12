//! Limits: how many runs of a workflow, of an account or with a label may run at a time.

use niassa_model::accession::Accession;
use niassa_model::account::Email;
use niassa_model::host::HostLabel;
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a limit is on: `{"workflow": 1}`, `{"account": "alice@lab.net"}` or `{"host": "server2"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOn {
    /// The runs of a workflow.
    Workflow(Accession),
    /// The runs of an account.
    Account(Email),
    /// The runs with a label.
    Host(HostLabel),
}

/// Sets or removes a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetLimit {
    /// What it is on: `{"workflow": 1}`, `{"account": "alice@lab.net"}` or `{"host": "server2"}`.
    #[schema(value_type = Object)]
    pub on: LimitOn,
    /// How many runs may be pending or running at a time; absent removes the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<u32>,
}

/// A limit as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunLimit {
    /// What it is on: `{"workflow": 1}`, `{"account": "alice@lab.net"}` or `{"host": "server2"}`.
    #[schema(value_type = Object)]
    pub on: LimitOn,
    /// How many runs may be pending or running at a time.
    pub runs: u32,
    /// How many are, with those that a launcher was given and has not recorded yet.
    pub running: u64,
    /// Who set it.
    pub set_by: String,
    /// When.
    #[schema(value_type = i64)]
    pub set_at: Timestamp,
}
