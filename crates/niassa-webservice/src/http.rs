//! HTTP: one module per collection, each with its routes. Handlers parse, call a use case, answer.

mod accounts;
mod actions;
pub(crate) mod audit;
pub(crate) mod auth;
mod bundles;
mod claims;
mod desires;
mod events;
pub(crate) mod extract;
mod facts;
mod files;
mod grants;
mod health;
mod hosts;
mod limits;
mod logs;
mod metadata;
mod metrics;
mod observe;
mod openapi;
pub(crate) mod problem;
mod recovery;
mod reports;
mod runs;
mod service;
mod steps;
mod tokens;
mod workflows;

use axum::{Router, middleware};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{
    DefaultPredicate, NotForContentType, Predicate, SizeAbove,
};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::pages;

/// Answers smaller than this travel as they are.
const COMPRESSED_FROM: u64 = 1_024;

/// Returns the whole service as a router.
pub(crate) fn router(app: App) -> Router {
    let (router, _) = api().split_for_parts();
    let compressed = DefaultPredicate::new()
        .and(NotForContentType::const_new("application/zip"))
        .and(SizeAbove::new(COMPRESSED_FROM));
    let compression =
        CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(compressed);
    router
        .merge(pages::routes(app.clone()))
        .fallback(pages::no_such_page)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn_with_state(app.clone(), observe::observe))
        .layer(compression)
        .with_state(app)
}

/// Returns the OpenAPI document of all routes.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    let mut document = api().into_openapi();
    openapi::complete(&mut document);
    document
}

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(openapi::routes())
        .merge(service::routes())
        .merge(accounts::routes())
        .merge(tokens::routes())
        .merge(workflows::routes())
        .merge(bundles::routes())
        .merge(metadata::routes())
        .merge(files::routes())
        .merge(runs::routes())
        .merge(steps::routes())
        .merge(recovery::routes())
        .merge(logs::routes())
        .merge(reports::routes())
        .merge(events::routes())
        .merge(claims::routes())
        .merge(facts::routes())
        .merge(actions::routes())
        .merge(desires::routes())
        .merge(hosts::routes())
        .merge(audit::routes())
        .merge(grants::routes())
        .merge(limits::routes())
}
