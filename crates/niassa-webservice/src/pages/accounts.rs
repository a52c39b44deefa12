//! All accounts, for administrators: making them, shutting and opening them, roles and passwords.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_api::accounts::{AccountState, ChangeAccount, CreateAccount};
use niassa_api::error::ProblemCode;
use niassa_metadb::accounts::Account;
use niassa_model::account::{Action, Email, Role};
use niassa_model::limits::PAGE_MOST;

use super::answer::{Frame, Told, Unanswered, page, page_with, see_other, status};
use super::form::{Form, query};
use super::visitor::{Posted, Visitor};
use super::words::{Moment, moment, shown};
use crate::app::App;
use crate::error::Failed;
use crate::http::extract::{page as cut, page_after};
use crate::usecases::{change_account, create_account, set_password};

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    frame: Frame,
    rows: Vec<Row>,
    failed: Option<Told>,
    said: Option<String>,
    email: String,
    next: Option<String>,
}

struct Row {
    /// As it is, for forms.
    email: String,
    /// As it is shown.
    name: String,
    role: &'static str,
    created: Moment,
    disabled: Option<Moment>,
}

/// Lists accounts.
pub(super) async fn list(State(app): State<App>, visitor: Visitor) -> Result<Response, Unanswered> {
    let mut accounts = accounts(&app, &visitor).await?;
    accounts.said = visitor.query.get("said").map(|email| format!("{} is changed.", shown(email)));
    Ok(page(&accounts))
}

/// Makes an account.
pub(super) async fn create(State(app): State<App>, posted: Posted) -> Result<Response, Unanswered> {
    let access = posted.may(Action::Administer)?;
    let made = match asked(&posted.form) {
        Ok(asked) => create_account::create_account(&app, &access, asked, None).await,
        Err(failed) => Err(failed),
    };
    answer(&app, &posted, made.map(|account| account.email)).await
}

/// Shuts or opens an account, changes its role, or sets its password.
pub(super) async fn change(State(app): State<App>, posted: Posted) -> Result<Response, Unanswered> {
    let access = posted.may(Action::Administer)?;
    let email = email(&posted.form)?;
    let change = match posted.form.text("do") {
        "disable" => ChangeAccount { state: Some(AccountState::Disabled), role: None },
        "enable" => ChangeAccount { state: Some(AccountState::Enabled), role: None },
        "administrator" => ChangeAccount { state: None, role: Some(Role::Administrator) },
        "member" => ChangeAccount { state: None, role: Some(Role::Member) },
        "password" => {
            let new = posted.form.text("password");
            let set = set_password::set_password(&app, &access, &email, new).await;
            return answer(&app, &posted, set.map(|()| email)).await;
        }
        _ => return Err(Failed::new(ProblemCode::BadRequest, "nothing was asked for").into()),
    };
    let changed = change_account::change_account(&app, &access, &email, &change).await;
    answer(&app, &posted, changed.map(|account| account.email)).await
}

async fn answer(
    app: &App,
    posted: &Posted,
    done: Result<Email, Failed>,
) -> Result<Response, Unanswered> {
    match done {
        Ok(email) => Ok(see_other(&format!("/accounts?{}", query([("said", email.as_str())])))),
        Err(failed) => {
            let mut accounts = accounts(app, &posted.visitor).await?;
            posted.form.text("email").clone_into(&mut accounts.email);
            accounts.failed = Some(Told::from(&failed));
            Ok(page_with(status(&failed), &accounts))
        }
    }
}

async fn accounts(app: &App, visitor: &Visitor) -> Result<AccountsPage, Failed> {
    let access = visitor.may(Action::Administer)?;
    let after = page_after(visitor.query.get("after"))?.unwrap_or(0);
    let rows = app.metadb.accounts(&access, after, PAGE_MOST + 1).await?;
    let found = cut(rows, PAGE_MOST, |account| account.id.0);
    Ok(AccountsPage {
        frame: Frame::of(visitor, "Accounts"),
        rows: found.items.iter().map(row).collect(),
        failed: None,
        said: None,
        email: String::new(),
        next: found.next.map(|next| format!("/accounts?{}", query([("after", &*next)]))),
    })
}

fn asked(form: &Form) -> Result<CreateAccount, Failed> {
    let role =
        if form.text("role") == "administrator" { Role::Administrator } else { Role::Member };
    Ok(CreateAccount { email: email(form)?, role, password: form.text("password").to_owned() })
}

fn email(form: &Form) -> Result<Email, Failed> {
    let read = form.text("email").trim().parse::<Email>();
    read.map_err(|error| Failed::new(ProblemCode::Invalid, error.to_string()))
}

fn row(account: &Account) -> Row {
    Row {
        email: account.email.to_string(),
        name: shown(account.email.as_str()),
        role: account.role.as_str(),
        created: moment(account.created_at),
        disabled: account.disabled_at.map(moment),
    }
}

#[cfg(test)]
mod tests;
