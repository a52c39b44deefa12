//! Routes of accounts and their passwords, and of who the caller is.

use axum::extract::State;
use axum::{Json, http::StatusCode};
use niassa_api::accounts::{
    Account, AccountState, ChangeAccount, CreateAccount, SetPassword, WhoAmI,
};
use niassa_api::error::Problem;
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_metadb::accounts::Account as StoredAccount;
use niassa_model::account::{Action, Email};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Origin, SignedIn};
use super::extract::{Body, Keyed, Named, PageQuery, Params, page, page_after, page_size};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::{change_account, create_account, set_password};

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(whoami))
        .routes(routes!(list, create))
        .routes(routes!(change))
        .routes(routes!(password))
}

/// Returns who the caller is, and the service's version and clock.
#[utoipa::path(get, path = paths::WHOAMI, tag = "accounts",
    responses((status = 200, description = "Who the caller is.", body = WhoAmI)))]
async fn whoami(State(app): State<App>, signed_in: SignedIn) -> Json<WhoAmI> {
    let caller = &signed_in.0;
    Json(WhoAmI {
        email: caller.email.clone(),
        role: caller.role,
        scopes: caller.scopes.clone(),
        token_expires_at: caller.token_expires_at,
        service_version: env!("CARGO_PKG_VERSION").to_owned(),
        now: app.clock.now(),
    })
}

/// Lists accounts, oldest first. Only for administrators.
#[utoipa::path(get, path = paths::ACCOUNTS, tag = "accounts", params(PageQuery),
    responses((status = 200, description = "Accounts.", body = Page<Account>)))]
async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<Account>>, Failed> {
    let access = signed_in.may(Action::Administer)?;
    let (size, after) = (page_size(query.limit), page_after(query.after.as_deref())?);
    let rows = app.metadb.accounts(&access, after.unwrap_or(0), size + 1).await?;
    Ok(Json(page(rows, size, |account| account.id.0).map(shown)))
}

/// Makes an account. Only for administrators.
#[utoipa::path(post, path = paths::ACCOUNTS, tag = "accounts", request_body = CreateAccount,
    responses((status = 201, description = "The account.", body = Account),
        (status = 409, description = "The address is taken.", body = Problem)))]
async fn create(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Keyed { once, request }: Keyed<CreateAccount>,
) -> Result<(StatusCode, Json<Account>), Failed> {
    let access = signed_in.may(Action::Administer)?.coming_from(origin);
    let account = create_account::create_account(&app, &access, request, once).await?;
    Ok((StatusCode::CREATED, Json(shown(account))))
}

/// Shuts or opens an account, or changes its role. Only for administrators.
#[utoipa::path(patch, path = paths::ACCOUNT, tag = "accounts", request_body = ChangeAccount,
    params(("email" = String, Path, description = "The account's address.")),
    responses((status = 200, description = "The account as it is now.", body = Account),
        (status = 404, description = "There is no such account.", body = Problem),
        (status = 409, description = "It is the last administrator.", body = Problem)))]
async fn change(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Named(email): Named<Email>,
    Body(request): Body<ChangeAccount>,
) -> Result<Json<Account>, Failed> {
    let access = signed_in.may(Action::Administer)?.coming_from(origin);
    let account = change_account::change_account(&app, &access, &email, &request).await?;
    Ok(Json(shown(account)))
}

/// Sets a password: one's own, or as an administrator anybody's.
#[utoipa::path(put, path = paths::ACCOUNT_PASSWORD, tag = "accounts", request_body = SetPassword,
    params(("email" = String, Path, description = "The account's address.")),
    responses((status = 204, description = "The new password is the only good one."),
        (status = 404, description = "There is no such account.", body = Problem)))]
async fn password(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Named(email): Named<Email>,
    Body(request): Body<SetPassword>,
) -> Result<StatusCode, Failed> {
    let own = email == signed_in.0.email;
    let access = signed_in
        .may(if own { Action::ManageSelf } else { Action::Administer })?
        .coming_from(origin);
    set_password::set_password(&app, &access, &email, &request.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(account: StoredAccount) -> Account {
    Account {
        email: account.email,
        role: account.role,
        state: match account.disabled_at {
            None => AccountState::Enabled,
            Some(_) => AccountState::Disabled,
        },
        created_at: account.created_at,
    }
}

#[cfg(test)]
mod tests;
