//! On whose behalf a statement runs.

use std::net::IpAddr;

use niassa_model::account::{AccountId, Caller};
use niassa_model::host::HostLabel;

/// What a caller may see and touch, in the form statements bind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The account.
    pub account: AccountId,
    /// Its address, for the log of a run.
    pub email: String,
    /// Whether the account's own objects and shared studies bound what it sees.
    pub sees: Sees,
    /// Where a token narrows the caller to runs of some labels: these.
    pub hosts: Option<Vec<HostLabel>>,
    /// The address that the request came from, for the audit log.
    pub origin: Option<IpAddr>,
}

/// How far a caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// Its own objects and those of studies shared with it.
    Own,
    /// Everything.
    Everything,
}

impl Access {
    /// Makes the access of somebody who signed in.
    pub fn of(caller: &Caller) -> Self {
        Self {
            account: caller.account,
            email: caller.email.to_string(),
            sees: if caller.is_administrator() { Sees::Everything } else { Sees::Own },
            hosts: caller.sees_only_hosts(),
            origin: None,
        }
    }

    /// Returns the same access, for a request that came from an address.
    #[must_use]
    pub fn coming_from(self, origin: IpAddr) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// Returns 1 for whoever sees everything, else 0: the first parameter of `visible!`.
    pub(crate) fn everything(&self) -> i64 {
        match self.sees {
            Sees::Everything => 1,
            Sees::Own => 0,
        }
    }

    /// Returns the labels as a JSON array of arrays for `json_each`, or nothing where all count.
    pub(crate) fn hosts_json(&self) -> Option<String> {
        let hosts = self.hosts.as_ref()?;
        let rows: Vec<[&str; 1]> = hosts.iter().map(|host| [host.as_str()]).collect();
        Some(serde_json::json!(rows).to_string())
    }
}
