//! Who is asking, as an argument of a handler.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_model::account::{Action, Caller};

use crate::app::App;
use crate::error::Failed;
use crate::sign_in;

/// The address at the other end of the connection; put into each request by the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A caller whose credentials are right.
pub(crate) struct SignedIn(pub(crate) Arc<Caller>);

impl SignedIn {
    /// Returns what the caller may see and touch, if its role and scopes allow the action at all.
    pub(crate) fn may(&self, action: Action) -> Result<Access, Failed> {
        may(&self.0, action)
    }
}

/// Returns what a caller may see and touch, if its role and scopes allow the action at all.
pub(crate) fn may(caller: &Caller, action: Action) -> Result<Access, Failed> {
    if caller.may(action) {
        return Ok(Access::of(caller));
    }
    let why = match (action, &caller.scopes) {
        (Action::Administer, None) => "only an administrator may do this",
        (_, None) => "this account may not do this",
        (_, Some(_)) => "this token is not good for this",
    };
    let failed = Failed::new(ProblemCode::NotAllowed, why);
    Err(match (action, &caller.scopes) {
        (_, None) => failed,
        (Action::Read, _) => failed.hint("seqware token create --scope read"),
        (Action::Schedule, _) => failed.hint("seqware token create --scope schedule"),
        (Action::Launch, _) => failed.hint("seqware token create --scope launch:HOST"),
        (Action::Administer | Action::ManageSelf, _) => {
            failed.hint("sign in with a password, or a token with the scope admin")
        }
    })
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let header = parts.headers.get(AUTHORIZATION).ok_or_else(sign_in::missing)?;
        let client = app.proxies.client(peer(parts), &parts.headers);
        app.sign_in.caller(&app.metadb, header.as_bytes(), client).await.map(Self)
    }
}

/// The address that a request came from, for the audit log.
pub(crate) struct Origin(pub(crate) IpAddr);

impl FromRequestParts<App> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(app.proxies.client(peer(parts), &parts.headers)))
    }
}

/// Returns the address of the peer. A request that came through no connection is this process' own.
pub(crate) fn peer(parts: &Parts) -> IpAddr {
    parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0)
}

#[cfg(test)]
mod tests;
