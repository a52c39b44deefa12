//! The OpenAPI document: made of all routes, served to everybody, checked in.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use niassa_api::error::PROBLEM_JSON;
use niassa_api::paths;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Content, OpenApi as OpenApiDocument, Ref, RefOr, Required, Response, ResponseBuilder,
};
use utoipa::{Modify, OpenApi, PartialSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// What a problem means where nothing more is said of it.
const NOT_DONE: &str = "It was not done; `code` says why.";

/// What the document says before any route.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Niassa Web Service",
        description = "Schedules workflow runs, hands them to launchers, and knows what became of them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    modifiers(&SignInSchemes),
    security(("password" = []), ("token" = [])),
    components(schemas(niassa_api::error::Problem))
)]
pub(super) struct Document;

struct SignInSchemes;

impl Modify for SignInSchemes {
    fn modify(&self, document: &mut OpenApiDocument) {
        let components = document.components.get_or_insert_default();
        let password = SecurityScheme::Http(Http::new(HttpAuthScheme::Basic));
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("nia_...");
        components.add_security_scheme("password", password);
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    }
}

/// Completes what the routes say of themselves: a tag, a name of its own, the key by which a
/// repetition is known where something is made, and the problems that any of them may answer.
pub(super) fn complete(document: &mut OpenApiDocument) {
    for (path, item) in &mut document.paths.paths {
        let collection = path.trim_start_matches("/v1/").split('/').next().unwrap_or_default();
        let operations =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            let tags = operation.tags.get_or_insert_with(|| vec![collection.to_owned()]);
            let tag = tags.first().map_or(collection, String::as_str);
            operation.operation_id = operation.operation_id.take().map(|id| format!("{tag}_{id}"));
            if operation.responses.responses.contains_key("201") {
                operation.parameters.get_or_insert_default().push(idempotency_key());
            }
            add_problems(operation);
        }
    }
}

fn add_problems(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        let RefOr::T(response) = response else { continue };
        if !status.starts_with(['4', '5', 'd']) {
            continue;
        }
        if let Some(content) = response.content.shift_remove("application/json") {
            response.content.insert(PROBLEM_JSON.to_owned(), content);
        }
        if response.description.is_empty() {
            NOT_DONE.clone_into(&mut response.description);
        }
    }
    responses.entry("default".to_owned()).or_insert_with(|| any_problem().into());
}

fn any_problem() -> Response {
    let problem = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description(NOT_DONE)
        .content(PROBLEM_JSON, Content::new(Some(problem)))
        .build()
}

fn idempotency_key() -> RefOr<Parameter> {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Drawn by the client: the same key and request again make nothing more."))
        .schema(Some(String::schema()))
        .build()
        .into()
}

/// Returns the route of the document.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(openapi))
}

/// Returns this document.
#[utoipa::path(get, path = paths::OPENAPI, tag = "service", security(()),
    responses((status = 200, description = "This document.", content_type = "application/json")))]
async fn openapi() -> impl IntoResponse {
    // Made anew each time: few ask, and an idle service keeps nothing that few ask for.
    let text = super::document().to_json().unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], text)
}
