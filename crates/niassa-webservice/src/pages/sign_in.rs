//! Signing in and out.

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use niassa_api::error::ProblemCode;
use niassa_model::account::Action;

use super::HOME;
use super::answer::{Frame, Told, Unanswered, page, page_with, see_other, status};
use super::cookie::Travel;
use super::form::Form;
use super::visitor::{Browser, Posted, Visitor};
use super::words::shown;
use crate::app::App;
use crate::error::Failed;
use crate::http::extract::collect;
use crate::usecases::session;

/// Most bytes of the form, with another one that is kept in it.
const FORM_BYTES: usize = 13 * 1024 * 1024;

/// Fields that hold passwords, on any page.
const SECRET: [&str; 4] = ["password", "old", "new", "again"];

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'form> {
    frame: Frame,
    failed: Option<Told>,
    email: &'form str,
    next: &'form str,
    kept: &'form str,
    reached: Reached,
}

/// Whether a session can be had at all over this connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// It can.
    Safely,
    /// A browser would not keep the cookie: there is no TLS.
    Openly,
}

#[derive(Template)]
#[template(path = "go_on.html")]
struct GoOnPage<'form> {
    frame: Frame,
    next: &'form str,
    pairs: &'form [(String, String)],
    told: Vec<(String, String)>,
}

/// Shows the form; whoever is signed in already goes on.
pub(super) async fn form(State(app): State<App>, request: Request) -> Result<Response, Unanswered> {
    let (mut parts, _) = request.into_parts();
    let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let next = local(query.text("next")).to_owned();
    if Visitor::from_request_parts(&mut parts, &app).await.is_ok() {
        return Ok(see_other(&next));
    }
    let browser = Browser::of(&app, &parts);
    Ok(page(&SignInPage {
        frame: Frame::public("Sign in"),
        failed: None,
        email: "",
        next: &next,
        kept: "",
        reached: Reached::of(&browser),
    }))
}

/// Begins a session. A form that was kept is sent on by the browser, once its writer says so.
pub(super) async fn sign_in(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Unanswered> {
    let (parts, body) = request.into_parts();
    let browser = Browser::of(&app, &parts);
    let form = Form::parse(&collect(body, FORM_BYTES).await?);
    let (email, next, kept) =
        (form.text("email").trim(), local(form.text("next")), form.text("kept"));
    let password = form.text("password");
    let found = app.sign_in.caller_of_form(&app.metadb, email, password, browser.address).await;
    let secret = match found {
        Ok(caller) => session::begin(&app, &caller, browser.signs_in_from()).await,
        Err(failed) => Err(failed),
    };
    let secret = match secret {
        Ok(secret) => secret,
        Err(failed) if failed.0.code == ProblemCode::NotSignedIn => {
            let failed = Failed::new(failed.0.code, "the address or the password is not right");
            let page = SignInPage {
                frame: Frame::public("Sign in"),
                failed: Some(Told::from(&failed)),
                email,
                next,
                kept,
                reached: Reached::of(&browser),
            };
            return Ok(page_with(status(&failed), &page));
        }
        Err(failed) => return Err(failed.into()),
    };
    let response = if kept.is_empty() {
        see_other(next)
    } else {
        let pairs = Form::parse(kept.as_bytes());
        let told = pairs.pairs().iter().filter(|pair| was_typed(pair)).map(told).collect();
        page(&GoOnPage { frame: Frame::public("Go on"), next, pairs: pairs.pairs(), told })
    };
    Ok(with_cookie(response, browser.travel.set(&secret)))
}

/// Ends the session.
pub(super) async fn sign_out(
    State(app): State<App>,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let access = posted.may(Action::ManageSelf)?;
    session::end(&app, &access, posted.visitor.session).await?;
    Ok(with_cookie(see_other("/sign-in"), posted.browser.travel.clear()))
}

/// Asks somebody to sign in whose session ended before the form was sent, and keeps the form.
pub(super) fn again(browser: &Browser, next: &str, kept: &str) -> Response {
    let failed = Failed::new(ProblemCode::NotSignedIn, "your session has ended")
        .hint("sign in again: what you typed is kept, and you decide whether it is sent");
    let page = SignInPage {
        frame: Frame::public("Sign in"),
        failed: Some(Told::from(&failed)),
        email: "",
        next: local(next),
        kept,
        reached: Reached::of(browser),
    };
    page_with(StatusCode::UNAUTHORIZED, &page)
}

/// Adds a cookie to an answer.
pub(super) fn with_cookie(
    mut response: Response,
    cookie: Option<axum::http::HeaderValue>,
) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Whether a person knows a field: what was left empty, and what only tells forms apart, is kept unseen.
fn was_typed((name, value): &(String, String)) -> bool {
    !value.is_empty() && !["once", "id", "back"].contains(&name.as_str())
}

/// Shows a field that was kept; a password is on no page.
fn told((name, value): &(String, String)) -> (String, String) {
    let is_secret = SECRET.contains(&name.as_str());
    let name = name.strip_prefix("p.").unwrap_or(name);
    (shown(name), if is_secret { "(not shown)".to_owned() } else { shown(value) })
}

impl Reached {
    fn of(browser: &Browser) -> Self {
        let is_open = browser.travel == Travel::Secure && browser.over == crate::app::Scheme::Http;
        if is_open { Self::Openly } else { Self::Safely }
    }

    fn is_open(self) -> bool {
        self == Self::Openly
    }
}

/// Returns a path of this service; what leads elsewhere leads home.
fn local(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.starts_with("/sign-")
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if is_local { next } else { HOME }
}

#[cfg(test)]
mod tests;
