//! Accounts of the Web Service: who may do what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::host::HostLabel;
use crate::time::Timestamp;

/// An account's own number. It is not an accession: accounts take none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

/// The e-mail address an account signs in with, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// Text that is no e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an e-mail address")]
pub struct EmailError(String);

impl Email {
    /// Returns the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = EmailError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == ':');
        match text.split_once('@') {
            Some((name, domain))
                if plain
                    && !name.is_empty()
                    && !domain.is_empty()
                    && !domain.contains('@')
                    && text.len() <= 254 =>
            {
                Ok(Self(text.to_lowercase()))
            }
            _ => Err(EmailError(text)),
        }
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Schedules, installs, and launches its own runs.
    Member,
    /// Sees and does everything.
    Administrator,
}

impl Role {
    /// Returns the word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Administrator => "administrator",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "member" => Ok(Self::Member),
            "administrator" => Ok(Self::Administrator),
            other => Err(format!("`{other}` is not a role")),
        }
    }
}

/// What a token is good for. Written `read`, `schedule`, `launch:HOST` or `admin`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Reading what the account may see.
    Read,
    /// Scheduling, cancelling, retrying, installing and annotating; includes reading.
    Schedule,
    /// Claiming and recording runs of one host label; sees only those runs.
    Launch(HostLabel),
    /// Whatever the account may do.
    Admin,
}

/// Text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope: read, schedule, launch:HOST or admin")]
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "read" => Ok(Self::Read),
            "schedule" => Ok(Self::Schedule),
            "admin" => Ok(Self::Admin),
            other => other
                .strip_prefix("launch:")
                .and_then(|label| label.parse().ok())
                .map(Self::Launch)
                .ok_or_else(|| ScopeError(other.to_owned())),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => formatter.write_str("read"),
            Self::Schedule => formatter.write_str("schedule"),
            Self::Launch(host) => write!(formatter, "launch:{host}"),
            Self::Admin => formatter.write_str("admin"),
        }
    }
}

/// Who is asking: an account, and the scopes of the token it signed in with, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// Its address, for logs and events.
    pub email: Email,
    /// What the account is.
    pub role: Role,
    /// What the token is good for; a password is good for everything the account may do.
    pub scopes: Option<Vec<Scope>>,
    /// When the token stops being good; none with a password.
    pub token_expires_at: Option<Timestamp>,
}

/// What a request wants to do, as far as scopes are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read objects, runs and reports.
    Read,
    /// Change metadata: schedule, install, create, cancel, retry.
    Schedule,
    /// Claim runs and record what became of them.
    Launch,
    /// Administer accounts and everybody's objects.
    Administer,
    /// Manage one's own tokens and password.
    ManageSelf,
}

/// Which host labels a caller may launch for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchHosts {
    /// Every label.
    Any,
    /// Only these.
    Only(Vec<HostLabel>),
}

impl Caller {
    /// Tells whether the caller's role and scopes allow the action at all.
    ///
    /// Which objects it may touch is decided where the objects are, in the query.
    pub fn may(&self, action: Action) -> bool {
        if action == Action::Administer && self.role != Role::Administrator {
            return false;
        }
        let Some(scopes) = &self.scopes else { return true };
        scopes.iter().any(|scope| match scope {
            Scope::Admin => true,
            Scope::Schedule => matches!(action, Action::Schedule | Action::Read),
            Scope::Read => action == Action::Read,
            Scope::Launch(_) => matches!(action, Action::Launch | Action::Read),
        })
    }

    /// Tells whether the caller sees and does everything: an administrator whose token allows it.
    pub fn is_administrator(&self) -> bool {
        self.may(Action::Administer)
    }

    /// Returns the host labels the caller may launch for.
    pub fn launch_hosts(&self) -> LaunchHosts {
        let Some(scopes) = &self.scopes else { return LaunchHosts::Any };
        if scopes.contains(&Scope::Admin) {
            return LaunchHosts::Any;
        }
        let hosts = scopes.iter().filter_map(|scope| match scope {
            Scope::Launch(host) => Some(host.clone()),
            Scope::Read | Scope::Schedule | Scope::Admin => None,
        });
        LaunchHosts::Only(hosts.collect())
    }

    /// Returns the labels that narrow what the caller *sees*: a token made only for launching sees
    /// only the runs it may launch. `None` means no narrowing.
    pub fn sees_only_hosts(&self) -> Option<Vec<HostLabel>> {
        let scopes = self.scopes.as_ref()?;
        let reads_all =
            scopes.iter().any(|s| matches!(s, Scope::Read | Scope::Schedule | Scope::Admin));
        if reads_all {
            return None;
        }
        match self.launch_hosts() {
            LaunchHosts::Any => None,
            LaunchHosts::Only(hosts) => Some(hosts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role, scopes: Option<&[&str]>) -> Caller {
        Caller {
            account: AccountId(1),
            email: "bob@lab.net".parse().expect("an address"),
            role,
            scopes: scopes.map(|s| s.iter().map(|s| s.parse().expect("a scope")).collect()),
            token_expires_at: None,
        }
    }

    #[test]
    fn a_token_does_only_what_it_is_for() {
        let schedules = caller(Role::Member, Some(&["schedule"]));
        assert!(schedules.may(Action::Schedule) && schedules.may(Action::Read));
        assert!(!schedules.may(Action::Launch) && !schedules.may(Action::ManageSelf));

        let launches = caller(Role::Member, Some(&["launch:server2"]));
        assert!(launches.may(Action::Launch) && !launches.may(Action::Schedule));
        let server2 = vec!["server2".parse().expect("a label")];
        assert_eq!(launches.launch_hosts(), LaunchHosts::Only(server2.clone()));
        assert_eq!(launches.sees_only_hosts(), Some(server2));
    }

    #[test]
    fn only_an_administrator_administers_and_only_with_a_token_for_it() {
        assert!(caller(Role::Administrator, None).is_administrator());
        assert!(caller(Role::Administrator, Some(&["admin"])).is_administrator());
        assert!(!caller(Role::Administrator, Some(&["schedule"])).is_administrator());
        assert!(!caller(Role::Member, Some(&["admin"])).is_administrator());
    }

    #[test]
    fn scopes_read_back() {
        for text in ["read", "schedule", "admin", "launch:s3://bucket/a b"] {
            assert_eq!(text.parse::<Scope>().expect("a scope").to_string(), text);
        }
        for text in ["", "launch:", "launch", "write"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_compared_in_lower_case() {
        assert_eq!("Bob@Lab.net".parse::<Email>().expect("an address").as_str(), "bob@lab.net");
        for text in ["bob", "@lab.net", "bob@", "a@b@c", "b ob@lab.net", "b:ob@lab.net"] {
            assert!(text.parse::<Email>().is_err(), "{text}");
        }
    }
}
