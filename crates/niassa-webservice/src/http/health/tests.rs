//! Health, metrics, the form of every answer, and the OpenAPI document.

use std::collections::HashSet;

use axum::http::Method;
use niassa_api::error::ProblemCode;
use serde_json::Value;

use crate::testing::{empty_service, service};

#[tokio::test]
async fn without_an_account_only_livez_answers() {
    let service = empty_service().await;
    assert_eq!(service.nobody().get("/livez").await.status, 200);
    for path in ["/readyz", "/v1/whoami", "/v1/openapi.json", "/metrics", "/nowhere"] {
        let problem = service.nobody().get(path).await.problem(ProblemCode::Unavailable);
        let hint = problem.hint.unwrap();
        assert!(hint.contains("seqware metadb init"), "{path}");
        assert!(!hint.contains("niassa.db"), "it does not say where the MetaDB is: {hint}");
    }
}

#[tokio::test]
async fn the_first_account_is_noticed() {
    let service = empty_service().await;
    service.nobody().get("/readyz").await.problem(ProblemCode::Unavailable);
    let role = niassa_model::account::Role::Administrator;
    crate::testing::make_account(&service.app.metadb, "ann@lab.net", role).await;
    assert_eq!(service.nobody().get("/readyz").await.status, 200);
    service.app.stopping.cancel();
    service.nobody().get("/readyz").await.problem(ProblemCode::Unavailable);
}

#[tokio::test]
async fn whoever_hears_that_the_metadb_is_lost_does_not_hear_where_it_was() {
    let service = service().await;
    assert_eq!(service.nobody().get("/readyz").await.status, 200);
    service.app.metadb.close().await;
    let problem = service.nobody().get("/readyz").await.problem(ProblemCode::Unavailable);
    let hint = problem.hint.unwrap();
    assert!(hint.contains("seqware metadb migrate") && !hint.contains("niassa.db"), "{hint}");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_as_well() {
    let service = service().await;
    service.nobody().get("/nowhere").await.problem(ProblemCode::NotFound);
    let answer = service.nobody().send(Method::PUT, "/livez", axum::body::Body::empty()).await;
    answer.problem(ProblemCode::BadRequest);
}

#[tokio::test]
async fn every_answer_is_sealed() {
    let service = service().await;
    let answer = service.user("bob").get("/v1/whoami").await;
    let header = |name: &str| answer.headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-request-id").len(), 36);
    assert!(header("content-security-policy").contains("default-src 'none'"));
}

#[tokio::test]
async fn large_answers_are_compressed_for_who_can_read_that() {
    let service = service().await;
    let path = "/v1/openapi.json";
    let plain = service.nobody().get(path).await;
    assert!(plain.headers.get("content-encoding").is_none());
    let packed = service.nobody().header("accept-encoding", "gzip").get(path).await;
    assert_eq!(packed.headers.get("content-encoding").unwrap(), "gzip");
    assert!(packed.body.len() < plain.body.len() / 2);
    let small = service.nobody().header("accept-encoding", "gzip").get("/livez").await;
    assert!(small.headers.get("content-encoding").is_none());
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_administrators() {
    let service = service().await;
    let text = String::from_utf8(service.nobody().get("/metrics").await.body).unwrap();
    assert!(text.contains("niassa_requests_total{status=\"2xx\"}"));
    let far = || service.nobody().from("10.0.0.9");
    far().get("/metrics").await.problem(ProblemCode::NotSignedIn);
    for header in ["x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "via"] {
        let proxied = service.nobody().header(header, "10.0.0.9");
        proxied.get("/metrics").await.problem(ProblemCode::NotSignedIn);
    }
    let bob = service.user("bob").from("10.0.0.9").get("/metrics").await;
    bob.problem(ProblemCode::NotAllowed);
    assert_eq!(service.user("ann").from("10.0.0.9").get("/metrics").await.status, 200);
}

#[test]
fn the_document_is_the_one_that_is_checked_in() {
    let checked_in = include_str!("../../../../../docs/openapi.json");
    assert!(
        checked_in == crate::openapi(),
        "docs/openapi.json is not what the routes say; run:\n  \
         cargo run -p niassa-webservice --example openapi > docs/openapi.json"
    );
}

#[test]
fn every_route_is_described_with_its_problems() {
    let document: Value = serde_json::from_str(&crate::openapi()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["password"]["scheme"], "basic");
    assert_eq!(schemes["token"]["scheme"], "bearer");
    let mut wrong = Vec::new();
    let mut ids = HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let described = operation["summary"].is_string() && operation["tags"].is_array();
            let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
            let is_new = ids.insert(operation["operationId"].as_str().unwrap());
            if !is_new || !described || problem.is_null() {
                wrong.push(format!("{method} {path}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Every route of the vocabulary is served.
#[test]
fn every_path_has_a_route() {
    let document: Value = serde_json::from_str(&crate::openapi()).unwrap();
    let served = document["paths"].as_object().unwrap();
    let paths = include_str!("../../../../niassa-api/src/paths.rs");
    let missing: Vec<&str> = paths
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1))
        .filter(|path| !served.contains_key(*path))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
