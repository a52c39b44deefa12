//! Sessions of people on the pages: beginning, knowing, listing and ending them.

use std::net::IpAddr;

use niassa_metadb::Access;
use niassa_metadb::sessions::{NewSession, SessionCaller, SessionLimits, StoredSession};
use niassa_model::account::Caller;
use niassa_model::limits::{SESSION_IDLE, SESSION_LONGEST};

use crate::app::App;
use crate::error::Failed;
use crate::sign_in::{self, sha256_hex};

/// Most bytes of what a browser says of itself that are kept.
const CLIENT_BYTES: usize = 200;
/// Most sessions that are listed; nobody has as many browsers.
const LISTED: u32 = 200;

/// How long sessions last.
const LIMITS: SessionLimits = SessionLimits { idle: SESSION_IDLE, longest: SESSION_LONGEST };

/// Where somebody signs in.
#[derive(Debug, Clone)]
pub(crate) struct From {
    /// The browser, in its own words.
    pub(crate) client: String,
    /// Its address.
    pub(crate) address: IpAddr,
    /// The secret of the session it had before, which the new one replaces.
    pub(crate) replaces: Option<String>,
}

/// Begins a session of somebody whose password is right, and returns its secret.
pub(crate) async fn begin(app: &App, caller: &Caller, from: From) -> Result<String, Failed> {
    let secret = sign_in::new_secret();
    let new = NewSession {
        secret_sha256: sha256_hex(secret.as_bytes()),
        client: client(&from.client),
        address: from.address.to_string(),
    };
    let replaces = from.replaces.map(|secret| sha256_hex(secret.as_bytes()));
    let begun = app.metadb.begin_session(caller.account, &new, replaces.as_deref(), LIMITS).await?;
    begun.map(|_| secret).ok_or_else(sign_in::refused)
}

/// Returns who has a session with this secret.
pub(crate) async fn caller(app: &App, secret: &str) -> Result<Option<SessionCaller>, Failed> {
    Ok(app.metadb.caller_of_session(&sha256_hex(secret.as_bytes()), SESSION_IDLE).await?)
}

/// Lists the caller's sessions, newest first.
pub(crate) async fn list(app: &App, access: &Access) -> Result<Vec<StoredSession>, Failed> {
    Ok(app.metadb.sessions(access, SESSION_IDLE, LISTED).await?)
}

/// Ends one of the caller's sessions.
pub(crate) async fn end(app: &App, access: &Access, id: i64) -> Result<(), Failed> {
    if app.metadb.end_session(access, id).await? {
        return Ok(());
    }
    Err(Failed::not_found(format!("session {id}")))
}

/// Shortens what a browser says of itself, and leaves out what no database keeps.
fn client(said: &str) -> String {
    let mut kept: String = said.chars().filter(|c| !c.is_control()).collect();
    kept.truncate(kept.floor_char_boundary(CLIENT_BYTES));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_says_is_cut() {
        assert_eq!(client("Browser\0 1\n"), "Browser 1");
        assert_eq!(client(&"ü".repeat(200)).len(), CLIENT_BYTES);
    }
}
