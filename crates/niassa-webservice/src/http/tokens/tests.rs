//! Tokens through the router.

use axum::body::Body;
use axum::http::Method;
use niassa_api::accounts::{CreatedToken, Token};
use niassa_api::error::ProblemCode;
use niassa_api::page::Page;
use serde_json::json;

use crate::testing::service;

#[tokio::test]
async fn a_revoked_token_is_good_for_nothing_at_once() {
    let service = service().await;
    let secret = service.token_of_bob(&["read"]).await;
    assert!(service.token(&secret).get("/v1/whoami").await.status.is_success());
    let tokens: Page<Token> = service.user("bob").get("/v1/tokens").await.json();
    let path = format!("/v1/tokens/{}", tokens.items[0].id);
    let revoke = |name| service.user(name).send(Method::DELETE, &path, Body::empty());
    revoke("eve").await.problem(ProblemCode::NotFound);
    assert!(service.token(&secret).get("/v1/whoami").await.status.is_success());
    assert_eq!(revoke("bob").await.status, 204);
    assert_eq!(revoke("bob").await.status, 204);
    service.token(&secret).get("/v1/whoami").await.problem(ProblemCode::NotSignedIn);
    let tokens: Page<Token> = service.user("bob").get("/v1/tokens").await.json();
    assert!(tokens.items[0].revoked_at.is_some());
    let answer = service.user("bob").send(Method::DELETE, "/v1/tokens/x", Body::empty()).await;
    answer.problem(ProblemCode::NotFound);
}

#[tokio::test]
async fn a_token_ends() {
    let service = service().await;
    let asked = json!({ "scopes": ["read"], "seconds": 1, "label": "short" });
    let made: CreatedToken = service.user("bob").post("/v1/tokens", &asked).await.json();
    let lasts = made.token.expires_at.micros_since(made.token.created_at);
    assert_eq!(lasts, 1_000_000);
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    service.token(&made.secret).get("/v1/whoami").await.problem(ProblemCode::NotSignedIn);
}

#[tokio::test]
async fn whoever_asks_again_gets_the_token_with_a_secret_that_works() {
    let service = service().await;
    let asked = json!({ "scopes": ["read"], "seconds": 60 });
    let ask = || service.user("bob").once("k").post("/v1/tokens", &asked);
    let first: CreatedToken = ask().await.json();
    let again: CreatedToken = ask().await.json();
    assert_eq!(first.token, again.token);
    assert!(service.token(&again.secret).get("/v1/whoami").await.status.is_success());
    service.token(&first.secret).get("/v1/whoami").await.problem(ProblemCode::NotSignedIn);
    let tokens: Page<Token> = service.user("bob").get("/v1/tokens").await.json();
    assert_eq!(tokens.items.len(), 1);
}

#[tokio::test]
async fn a_token_without_scope_or_end_is_refused() {
    let service = service().await;
    for asked in [
        json!({ "scopes": [], "seconds": 60 }),
        json!({ "scopes": ["read"], "seconds": 0 }),
        json!({ "scopes": ["read"], "seconds": i64::MAX }),
        json!({ "scopes": ["write"], "seconds": 60 }),
        json!({ "scopes": ["read"], "seconds": 60, "label": "a\u{0}b" }),
    ] {
        let answer = service.user("bob").post("/v1/tokens", &asked).await;
        assert!(!answer.problem(ProblemCode::Invalid).errors.is_empty());
    }
}
