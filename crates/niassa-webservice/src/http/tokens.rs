//! Routes of the caller's tokens.

use axum::extract::{Path, State};
use axum::{Json, http::StatusCode};
use niassa_api::accounts::{CreateToken, CreatedToken, Token};
use niassa_api::error::Problem;
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_metadb::tokens::StoredToken;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Origin, SignedIn};
use super::extract::{Keyed, PageQuery, Params, page, page_after, page_size};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::{create_token, revoke_token};

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// Lists the caller's tokens, newest first.
#[utoipa::path(get, path = paths::TOKENS, tag = "tokens", params(PageQuery),
    responses((status = 200, description = "Tokens.", body = Page<Token>)))]
async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<Token>>, Failed> {
    let access = signed_in.may(Action::ManageSelf)?;
    let (size, before) = (page_size(query.limit), page_after(query.after.as_deref())?);
    let rows = app.metadb.tokens(&access, before, size + 1).await?;
    Ok(Json(page(rows, size, |token| token.id).map(shown)))
}

/// Makes a token for the caller. Its secret is in this one answer only.
#[utoipa::path(post, path = paths::TOKENS, tag = "tokens", request_body = CreateToken,
    responses((status = 201, description = "The token and its secret.", body = CreatedToken)))]
async fn create(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Keyed { once, request }: Keyed<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Failed> {
    let access = signed_in.may(Action::ManageSelf)?.coming_from(origin);
    let (token, secret) = create_token::create_token(&app, &access, request, once).await?;
    Ok((StatusCode::CREATED, Json(CreatedToken { token: shown(token), secret })))
}

/// Revokes one of the caller's tokens, at once.
#[utoipa::path(delete, path = paths::TOKEN, tag = "tokens",
    params(("id" = i64, Path, description = "The token's id.")),
    responses((status = 204, description = "The token is good for nothing any more."),
        (status = 404, description = "The caller has no such token.", body = Problem)))]
async fn revoke(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Path(id): Path<String>,
) -> Result<StatusCode, Failed> {
    let access = signed_in.may(Action::ManageSelf)?.coming_from(origin);
    revoke_token::revoke_token(&app, &access, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(token: StoredToken) -> Token {
    let StoredToken { id, label, scopes, created_at, expires_at, revoked_at } = token;
    Token { id, label, scopes, created_at, expires_at, revoked_at }
}

#[cfg(test)]
mod tests;
