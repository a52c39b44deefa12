//! The typed HTTP client: one method per route, named like the use case.
//!
//! Making a client costs nothing but reading the address: connections, certificates and the TLS
//! configuration are made at the first call. The client neither prints nor reads the environment.

mod accounts;
mod audit;
mod claims;
mod error;
mod events;
mod grants;
mod hosts;
mod limits;
mod logs;
mod metadata;
mod query;
mod recovery;
mod runs;
mod transport;
mod workflows;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use niassa_model::time::Timestamp;
use reqwest::Url;
use uuid::Uuid;

use crate::service::DEPLOYMENT_HEADER;

pub use error::ClientError;
pub use events::{EventStream, StreamEvent};
pub use workflows::Archive;

/// Where the service is and who is calling.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The service's address, such as `https://niassa.lab.net`; it may have a path.
    pub url: String,
    /// What to sign in with.
    pub credentials: Credentials,
    /// A file with the certificates (PEM) that alone are trusted; without it the system's are.
    pub ca: Option<PathBuf>,
    /// Where `http` without TLS is spoken.
    pub plain_http: PlainHttp,
    /// How the client names itself in the service's log.
    pub user_agent: String,
    /// The id under which logs find what is asked; without one the service draws one per request.
    pub trace: Option<Uuid>,
}

impl ClientConfig {
    /// Makes the configuration of a client that trusts the system's certificates and speaks `http`
    /// only to this machine.
    pub fn new(url: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            url: url.into(),
            credentials,
            ca: None,
            plain_http: PlainHttp::OnlyLoopback,
            user_agent: concat!("seqware/", env!("CARGO_PKG_VERSION")).to_owned(),
            trace: None,
        }
    }
}

/// What a client signs in with.
#[derive(Clone)]
pub enum Credentials {
    /// An account's address and password.
    Basic {
        /// The address.
        user: String,
        /// The password.
        password: String,
    },
    /// A token: `nia_...`.
    Token(String),
    /// Nothing; enough for `/livez`.
    None,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user, .. } => write!(formatter, "Basic({user}, ...)"),
            Self::Token(_) => formatter.write_str("Token(...)"),
            Self::None => formatter.write_str("None"),
        }
    }
}

/// Where `http` without TLS is spoken. A password travels in every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// To this machine only.
    OnlyLoopback,
    /// Anywhere: the network between is trusted.
    Anywhere,
}

/// A client of one service, for one account. Copies share their connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    base: Url,
    config: ClientConfig,
    http: OnceLock<reqwest::Client>,
    /// The service's time in its latest answer, and when that came.
    told: Mutex<Option<(Timestamp, Instant)>>,
    /// Which deployment the service is, as its latest answer said.
    deployment: Mutex<Option<String>>,
}

impl Client {
    /// Makes a client; connects to nothing yet.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let base = parse_base(&config)?;
        Ok(Self {
            shared: Arc::new(Shared {
                base,
                config,
                http: OnceLock::new(),
                told: Mutex::new(None),
                deployment: Mutex::new(None),
            }),
        })
    }

    /// Returns the time by the service's clock, to the second; `None` before its first answer.
    pub fn service_time(&self) -> Option<Timestamp> {
        let told = *self.shared.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.map(|(time, at)| {
            let since = i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX);
            Timestamp::from_micros(time.as_micros().saturating_add(since))
        })
    }

    /// Returns what tells the service's deployment from every other one; nothing before its first answer,
    /// and nothing where an older service does not say it.
    pub fn deployment(&self) -> Option<String> {
        self.shared.deployment.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the time that an answer tells, and of which deployment it is.
    fn heard(&self, headers: &reqwest::header::HeaderMap) {
        let id = headers.get(DEPLOYMENT_HEADER).and_then(|id| id.to_str().ok());
        if let Some(id) = id.filter(|id| is_deployment(id)) {
            let mut known = self.shared.deployment.lock().unwrap_or_else(PoisonError::into_inner);
            if known.as_deref() != Some(id) {
                *known = Some(id.to_owned());
            }
        }
        let date = headers.get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
        if let Some(time) = date.and_then(Timestamp::from_http_date) {
            let mut told = self.shared.told.lock().unwrap_or_else(PoisonError::into_inner);
            *told = Some((time, Instant::now()));
        }
    }

    /// Returns the service's address, without credentials.
    pub fn url(&self) -> &str {
        self.shared.base.as_str().trim_end_matches('/')
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("config", &self.shared.config).finish()
    }
}

/// Reads the address and refuses to send a password over an open network.
fn parse_base(config: &ClientConfig) -> Result<Url, ClientError> {
    let invalid = |why: String| ClientError::InvalidUrl { url: config.url.clone(), why };
    let base = Url::parse(config.url.trim()).map_err(|error| invalid(error.to_string()))?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(invalid(
            "it holds credentials, which belong into settings of their own".into(),
        ));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(invalid("it has a query or a fragment".into()));
    }
    match base.scheme() {
        "https" => Ok(base),
        "http" if config.plain_http == PlainHttp::Anywhere || is_loopback(&base) => Ok(base),
        "http" => Err(ClientError::PlainHttp { url: config.url.clone() }),
        other => Err(invalid(format!("`{other}` is neither https nor http"))),
    }
}

/// It becomes the name of a file.
fn is_deployment(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(url: &str, plain_http: PlainHttp) -> Result<Client, ClientError> {
        Client::new(ClientConfig { plain_http, ..ClientConfig::new(url, Credentials::None) })
    }

    #[test]
    fn an_id_that_could_lead_astray_is_none() {
        for (id, is_one) in
            [("1f", true), ("", false), ("../x", false), ("a-b", false), (&"a".repeat(65), false)]
        {
            assert_eq!(is_deployment(id), is_one, "{id}");
        }
    }

    #[test]
    fn a_password_never_crosses_an_open_network() {
        for url in
            ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1", "https://a.net/x"]
        {
            assert!(made(url, PlainHttp::OnlyLoopback).is_ok(), "{url}");
        }
        for url in ["http://lab.net", "http://127.0.0.1.lab.net", "http://localhost.lab.net"] {
            let refused = made(url, PlainHttp::OnlyLoopback);
            assert!(matches!(refused, Err(ClientError::PlainHttp { .. })), "{url}");
            assert!(made(url, PlainHttp::Anywhere).is_ok(), "{url}");
        }
    }

    #[test]
    fn addresses_that_are_none_are_refused() {
        for url in ["", "lab.net", "ftp://lab.net", "https://bob:secret@lab.net", "https://a?b"] {
            let refused = made(url, PlainHttp::Anywhere);
            assert!(matches!(refused, Err(ClientError::InvalidUrl { .. })), "{url}");
        }
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let password = "hunter2".to_owned();
        let basic = Credentials::Basic { user: "bob@lab.net".to_owned(), password };
        let client = Client::new(ClientConfig::new("https://a.net", basic)).unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
        assert!(!format!("{:?}", Credentials::Token("nia_x".to_owned())).contains("nia_x"));
    }
}
