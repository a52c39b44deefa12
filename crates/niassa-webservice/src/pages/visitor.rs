//! Who looks at a page, by the session of the browser.
//!
//! Whoever has none is sent to sign in and comes back to the same page. A form that was sent after
//! the session had ended is kept: it is sent again when its writer has signed in.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use niassa_metadb::Access;
use niassa_model::account::{Action, Caller};

use super::answer::Unanswered;
use super::cookie::Travel;
use super::form::{Form, query};
use super::sign_in;
use crate::app::{App, Scheme};
use crate::error::Failed;
use crate::http::auth::{may, peer};
use crate::http::extract::{collect, digest};
use crate::usecases::session;

/// Most bytes of a form.
const FORM_BYTES: usize = 4 * 1024 * 1024;

/// Somebody who is signed in.
pub(super) struct Visitor {
    /// The session.
    pub(super) session: i64,
    /// The account.
    pub(super) caller: Caller,
    /// What the URL asks for.
    pub(super) query: Form,
    /// The first word of the URL's path: the part of the pages that is looked at.
    pub(super) section: String,
}

/// A form of somebody who is signed in.
pub(super) struct Posted {
    /// Who sent it.
    pub(super) visitor: Visitor,
    /// What it says.
    pub(super) form: Form,
    /// The digest of all that was sent, by which a form that is sent twice is known.
    pub(super) digest: String,
    /// The browser.
    pub(super) browser: Browser,
}

/// What is known of a browser before anybody is.
pub(super) struct Browser {
    /// How its cookie travels.
    pub(super) travel: Travel,
    /// The secret it brought.
    pub(super) secret: Option<String>,
    /// Its address.
    pub(super) address: std::net::IpAddr,
    /// How the service is reached, as far as that is known.
    pub(super) over: Scheme,
    /// What it says of itself.
    client: String,
}

impl Visitor {
    /// Returns what the visitor may see and touch, if the account may do this at all.
    pub(super) fn may(&self, action: Action) -> Result<Access, Failed> {
        may(&self.caller, action)
    }
}

impl Posted {
    /// Returns what the sender may see and touch, if the account may do this at all; the audit log
    /// tells from where.
    pub(super) fn may(&self, action: Action) -> Result<Access, Failed> {
        Ok(self.visitor.may(action)?.coming_from(self.browser.address))
    }
}

impl Browser {
    /// Returns what is known of the sender of a request.
    pub(super) fn of(app: &App, parts: &Parts) -> Self {
        let peer = peer(parts);
        let travel = Travel::of(app.reached_over, peer, &parts.headers);
        let client = parts.headers.get(USER_AGENT).and_then(|client| client.to_str().ok());
        Self {
            travel,
            secret: travel.secret(&parts.headers),
            address: app.proxies.client(peer, &parts.headers),
            over: app.reached_over,
            client: client.unwrap_or("unknown").to_owned(),
        }
    }

    /// Returns where somebody signs in who does so with this browser.
    pub(super) fn signs_in_from(&self) -> session::From {
        session::From {
            client: self.client.clone(),
            address: self.address,
            replaces: self.secret.clone(),
        }
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Unanswered;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Unanswered> {
        let browser = Browser::of(app, parts);
        if let Some(visitor) = visitor(app, &browser, parts).await? {
            return Ok(visitor);
        }
        if is_script(&parts.headers) {
            return Err(Unanswered::SignedOut);
        }
        let wanted = parts.uri.path_and_query().map_or("", |wanted| wanted.as_str());
        Err(Unanswered::Elsewhere(format!("/sign-in?{}", query([("next", wanted)]))))
    }
}

impl FromRequest<App> for Posted {
    type Rejection = Unanswered;

    async fn from_request(request: Request, app: &App) -> Result<Self, Unanswered> {
        let (parts, body) = request.into_parts();
        let browser = Browser::of(app, &parts);
        let found = visitor(app, &browser, &parts).await?;
        let body = collect(body, FORM_BYTES).await?;
        let Some(visitor) = found else {
            let next = parts.uri.path_and_query().map_or("", |wanted| wanted.as_str());
            let kept = String::from_utf8_lossy(&body);
            return Err(sign_in::again(&browser, next, &kept).into());
        };
        let digest = digest(&parts, &body);
        Ok(Self { visitor, form: Form::parse(&body), digest, browser })
    }
}

async fn visitor(app: &App, browser: &Browser, parts: &Parts) -> Result<Option<Visitor>, Failed> {
    let Some(secret) = &browser.secret else { return Ok(None) };
    let found = session::caller(app, secret).await?;
    let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let section = parts.uri.path().split('/').nth(1).unwrap_or_default().to_owned();
    Ok(found.map(|found| Visitor { session: found.id, caller: found.caller, query, section }))
}

/// Tells whether a part of a page is asked for by the page itself.
pub(super) fn is_script(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}
