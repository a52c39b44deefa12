//! One's own account: the password, the tokens and the sessions.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use niassa_api::accounts::CreateToken;
use niassa_api::error::ProblemCode;
use niassa_metadb::sessions::StoredSession;
use niassa_metadb::tokens::StoredToken;
use niassa_model::account::{Action, Scope};

use super::answer::{Frame, Told, Unanswered, page, page_with, see_other, status};
use super::form::Form;
use super::sign_in::with_cookie;
use super::visitor::{Posted, Visitor};
use super::words::{Moment, moment, shown};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::{create_token, revoke_token, session, set_password};

/// Most tokens that are listed.
const TOKENS: u32 = 200;
const DAY: i64 = 24 * 3_600;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    email: String,
    role: &'static str,
    failed: Option<Told>,
    said: Option<&'static str>,
    secret: Option<String>,
    tokens: Vec<TokenRow>,
    sessions: Vec<SessionRow>,
}

struct TokenRow {
    id: i64,
    label: String,
    scopes: String,
    created: Moment,
    expires: Moment,
    revoked: Option<Moment>,
}

struct SessionRow {
    id: i64,
    client: String,
    address: String,
    created: Moment,
    seen: Moment,
    expires: Moment,
    is_this: bool,
}

/// Shows the account.
pub(super) async fn show(State(app): State<App>, visitor: Visitor) -> Result<Response, Unanswered> {
    let mut account = account(&app, &visitor).await?;
    account.said = match visitor.query.text("said") {
        "password" => Some("The password is changed; every other session has ended."),
        "token" => Some("The token is revoked."),
        "session" => Some("The session has ended."),
        _ => None,
    };
    Ok(page(&account))
}

/// Changes the password. All sessions end with it; this browser gets a new one.
pub(super) async fn password(
    State(app): State<App>,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let visitor = &posted.visitor;
    let access = visitor.may(Action::ManageSelf)?;
    let email = &visitor.caller.email;
    let (old, new) = (posted.form.text("old"), posted.form.text("new"));
    let address = posted.browser.address;
    let known = app.sign_in.caller_of_form(&app.metadb, email.as_str(), old, address).await;
    let changed = match known {
        Err(failed) if failed.0.code == ProblemCode::NotSignedIn => {
            Err(Failed::new(ProblemCode::Invalid, "the present password is not right"))
        }
        Err(failed) => Err(failed),
        Ok(_) if new != posted.form.text("again") => {
            Err(Failed::new(ProblemCode::Invalid, "the new password was not typed twice alike"))
        }
        Ok(_) => set_password::set_password(&app, &access, email, new).await,
    };
    if let Err(failed) = changed {
        return refused(&app, visitor, &failed).await;
    }
    let secret = session::begin(&app, &visitor.caller, posted.browser.signs_in_from()).await?;
    Ok(with_cookie(see_other("/account?said=password"), posted.browser.travel.set(&secret)))
}

/// Makes a token; the page that answers shows its secret this once.
pub(super) async fn make_token(
    State(app): State<App>,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let access = posted.may(Action::ManageSelf)?;
    let made = match asked_token(&posted.form) {
        Ok(asked) => create_token::create_token(&app, &access, asked, None).await,
        Err(failed) => Err(failed),
    };
    match made {
        Ok((_, secret)) => {
            let mut account = account(&app, &posted.visitor).await?;
            account.secret = Some(secret);
            Ok(page(&account))
        }
        Err(failed) => refused(&app, &posted.visitor, &failed).await,
    }
}

/// Revokes a token.
pub(super) async fn drop_token(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let access = posted.may(Action::ManageSelf)?;
    revoke_token::revoke_token(&app, &access, &id).await?;
    Ok(see_other("/account?said=token"))
}

/// Ends a session.
pub(super) async fn end_session(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let access = posted.may(Action::ManageSelf)?;
    let number = id.parse().map_err(|_| Failed::not_found(format!("session {}", shown(&id))))?;
    session::end(&app, &access, number).await?;
    Ok(see_other("/account?said=session"))
}

async fn refused(app: &App, visitor: &Visitor, failed: &Failed) -> Result<Response, Unanswered> {
    let mut account = account(app, visitor).await?;
    account.failed = Some(Told::from(failed));
    Ok(page_with(status(failed), &account))
}

async fn account(app: &App, visitor: &Visitor) -> Result<AccountPage, Failed> {
    let access = visitor.may(Action::ManageSelf)?;
    let tokens = app.metadb.tokens(&access, None, TOKENS).await?;
    let sessions = session::list(app, &access).await?;
    Ok(AccountPage {
        frame: Frame::of(visitor, "Your account"),
        email: shown(visitor.caller.email.as_str()),
        role: visitor.caller.role.as_str(),
        failed: None,
        said: None,
        secret: None,
        tokens: tokens.iter().map(token_row).collect(),
        sessions: sessions.iter().map(|row| session_row(row, visitor.session)).collect(),
    })
}

/// Reads what a token is for: scopes by their boxes, and a host for launching.
fn asked_token(form: &Form) -> Result<CreateToken, Failed> {
    let invalid = |detail: String| Failed::new(ProblemCode::Invalid, detail);
    let mut words: Vec<String> = form.all("scope").map(str::to_owned).collect();
    if !form.text("launch").is_empty() {
        words.push(format!("launch:{}", form.text("launch")));
    }
    let scopes = words.iter().map(|word| word.parse::<Scope>()).collect::<Result<Vec<_>, _>>();
    let days: i64 =
        form.text("days").trim().parse().map_err(|_| invalid("the days are no number".into()))?;
    Ok(CreateToken {
        scopes: scopes.map_err(|error| invalid(error.to_string()))?,
        seconds: days.saturating_mul(DAY),
        label: Some(form.text("label").trim().to_owned()).filter(|label| !label.is_empty()),
    })
}

fn token_row(token: &StoredToken) -> TokenRow {
    let scopes: Vec<String> = token.scopes.iter().map(Scope::to_string).collect();
    TokenRow {
        id: token.id,
        label: token.label.as_deref().map_or_else(|| format!("token {}", token.id), shown),
        scopes: shown(&scopes.join(", ")),
        created: moment(token.created_at),
        expires: moment(token.expires_at),
        revoked: token.revoked_at.map(moment),
    }
}

fn session_row(session: &StoredSession, this: i64) -> SessionRow {
    SessionRow {
        id: session.id,
        client: shown(&session.client),
        address: shown(&session.address),
        created: moment(session.created_at),
        seen: moment(session.seen_at),
        expires: moment(session.expires_at),
        is_this: session.id == this,
    }
}

#[cfg(test)]
mod tests;
