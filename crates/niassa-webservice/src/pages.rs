//! Pages: what people look at in a browser.
//!
//! Pages are made here and read without JavaScript; what is added by scripts is that they stay
//! fresh. A handler reads a form, calls the use cases that the API calls too, and fills a template.
//! Nothing is decided here, and no page shows what the API would not. Browsers are known by a
//! session cookie, which counts on pages only: the API never looks at it.

mod account;
mod accounts;
mod answer;
mod assets;
mod audit;
mod bulk;
mod compare;
mod cookie;
mod form;
mod grants;
mod hosts;
mod launch;
mod live;
mod marks;
mod objects;
mod origin;
mod run;
mod runs;
mod search;
mod sign_in;
pub(crate) mod stream;
mod visitor;
mod words;
mod workflows;

use axum::extract::Request;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};

use crate::app::App;
use crate::error::Failed;
use crate::http::problem;

/// Where somebody begins.
const HOME: &str = "/runs";

/// Returns the routes.
pub(crate) fn routes(app: App) -> Router<App> {
    Router::new()
        .route("/", get(async || Redirect::to(HOME)))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/live", get(stream::follow))
        .route("/runs", get(runs::list))
        .route("/runs/bulk", post(bulk::confirm))
        .route("/runs/bulk/do", post(bulk::act))
        .route("/runs/{swid}", get(run::overview))
        .route("/runs/{swid}/steps", get(run::steps))
        .route("/runs/{swid}/logs", get(run::logs))
        .route("/runs/{swid}/steps/{index}/log", get(run::log))
        .route("/runs/{swid}/files", get(run::files))
        .route("/runs/{swid}/values", get(run::values))
        .route("/runs/{swid}/events", get(run::events))
        .route("/compare", get(compare::show))
        .route("/workflows", get(workflows::list))
        .route("/workflows/{swid}", get(workflows::one))
        .route("/workflows/{swid}/launch", get(launch::form).post(launch::send))
        .route("/studies", get(objects::studies))
        .route("/samples", get(objects::samples))
        .route("/files", get(objects::files))
        .route("/objects/{swid}", get(objects::one))
        .route("/objects/{swid}/share", post(objects::share))
        .route("/objects/{swid}/take-back", post(objects::take_back))
        .route("/hosts", get(hosts::list))
        .route("/hosts/hold", post(hosts::hold))
        .route("/grants", get(grants::list).post(grants::give))
        .route("/grants/{id}/withdraw", post(grants::withdraw))
        .route("/audit", get(audit::list))
        .route("/audit/export", get(audit::export))
        .route("/account", get(account::show))
        .route("/account/password", post(account::password))
        .route("/account/tokens", post(account::make_token))
        .route("/account/tokens/{id}/revoke", post(account::drop_token))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/accounts", get(accounts::list).post(accounts::create))
        .route("/accounts/change", post(accounts::change))
        .layer(middleware::map_response(answer::seal))
        .layer(middleware::from_fn_with_state(app, origin::refuse_others))
        .merge(assets::routes())
}

/// Answers a path that no route has: a person gets a page, a program a problem.
pub(crate) async fn no_such_page(request: Request) -> Response {
    let failed = problem::no_such_route(&request);
    if is_person(&request) {
        return told(failed).await;
    }
    failed.into_response()
}

/// Tells whether a person looks at the answer: a browser asks for a page.
pub(crate) fn is_person(request: &Request) -> bool {
    let accepts = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_browser = accepts.is_some_and(|accept| accept.contains("text/html"));
    is_browser && !request.uri().path().starts_with("/v1/")
}

/// Answers a person with a page that tells what is wrong.
pub(crate) async fn told(failed: Failed) -> Response {
    answer::seal(answer::Unanswered::from(failed).into_response()).await
}

#[cfg(test)]
mod tests;
