//! Signing in, guessing, and what tokens are good for, through the router.

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use niassa_api::accounts::WhoAmI;
use niassa_api::error::ProblemCode;
use niassa_model::account::Role;
use serde_json::json;

use crate::testing::{PASSWORD, service};

const WHOAMI: &str = "/v1/whoami";

#[tokio::test]
async fn a_password_or_a_token_signs_in() {
    let service = service().await;
    let me: WhoAmI = service.user("bob").get(WHOAMI).await.json();
    assert_eq!((me.email.as_str(), me.role), ("bob@lab.net", Role::Member));
    assert_eq!(me.scopes, None);
    let me: WhoAmI = service.basic("Bob@Lab.NET", PASSWORD).get(WHOAMI).await.json();
    assert_eq!(me.email.as_str(), "bob@lab.net");
    let secret = service.token_of_bob(&["launch:server2", "read"]).await;
    let me: WhoAmI = service.token(&secret).get(WHOAMI).await.json();
    let scopes = me.scopes.unwrap();
    assert_eq!(json!(scopes), json!(["launch:server2", "read"]));
}

#[tokio::test]
async fn whoever_is_not_known_hears_how_to_sign_in() {
    let service = service().await;
    for asking in [
        service.nobody(),
        service.basic("bob@lab.net", "wrong"),
        service.basic("nobody@lab.net", PASSWORD),
        service.basic("not an address", PASSWORD),
        service.token("nia_wrong"),
        service.token("wrong"),
    ] {
        let answer = asking.get(WHOAMI).await;
        answer.problem(ProblemCode::NotSignedIn);
        let schemes: Vec<_> = answer.headers.get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(schemes.len(), 2);
    }
    let answer = service.nobody().header("authorization", "Basic !!!").get(WHOAMI).await;
    answer.problem(ProblemCode::NotSignedIn);
}

#[tokio::test]
async fn guessing_is_stopped_for_this_account_and_address_only() {
    let service = service().await;
    for _ in 0..20 {
        let answer = service.basic("bob@lab.net", "wrong").from("10.0.0.9").get(WHOAMI).await;
        answer.problem(ProblemCode::NotSignedIn);
    }
    let answer = service.user("bob").from("10.0.0.9").get(WHOAMI).await;
    answer.problem(ProblemCode::TooMany);
    assert_eq!(answer.headers.get(RETRY_AFTER).unwrap(), "60");
    assert!(service.user("bob").from("10.0.0.8").get(WHOAMI).await.status.is_success());
    // What was verified a moment ago is not guessed.
    assert!(service.user("bob").from("10.0.0.9").get(WHOAMI).await.status.is_success());
    assert!(service.user("eve").from("10.0.0.9").get(WHOAMI).await.status.is_success());
}

#[tokio::test]
async fn guesses_at_the_same_time_are_counted_before_they_are_tried() {
    let service = service().await;
    let guess = || service.basic("bob@lab.net", "wrong").from("10.0.0.9").get(WHOAMI);
    let answers = futures_util::future::join_all((0..40).map(|_| guess())).await;
    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    // Two are hashed at the same time.
    assert!((20..=21).contains(&tried), "{tried}");
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 401 | 429)));
}

#[tokio::test]
async fn a_password_that_nobody_can_have_is_no_guess() {
    let service = service().await;
    for _ in 0..21 {
        let answer = service.basic("bob@lab.net", &"x".repeat(1_025)).get(WHOAMI).await;
        answer.problem(ProblemCode::NotSignedIn);
    }
    assert!(service.user("bob").get(WHOAMI).await.status.is_success());
}

#[tokio::test]
async fn a_token_does_only_what_it_is_for() {
    let service = service().await;
    let study = json!({ "title": "t", "description": "" });
    let reads = service.token_of_bob(&["read"]).await;
    let schedules = service.token_of_bob(&["schedule"]).await;
    let launches = service.token_of_bob(&["launch:server2"]).await;
    let admin = service.token_of_bob(&["admin"]).await;
    for (secret, may) in [(&reads, false), (&schedules, true), (&launches, false), (&admin, true)] {
        let answer = service.token(secret).post("/v1/studies", &study).await;
        if may {
            assert_eq!(answer.status, 201);
        } else {
            assert!(answer.problem(ProblemCode::NotAllowed).hint.is_some());
        }
        assert!(service.token(secret).get("/v1/workflows").await.status.is_success());
    }
    service.token(&schedules).get("/v1/tokens").await.problem(ProblemCode::NotAllowed);
    service.token(&admin).get("/v1/tokens").await.json::<serde_json::Value>();
    // A token is never more than its account.
    service.token(&admin).get("/v1/accounts").await.problem(ProblemCode::NotAllowed);
}

#[tokio::test]
async fn a_token_that_only_launches_sees_no_studies() {
    let service = service().await;
    let study = service.study_of("bob").await;
    let launches = service.token_of_bob(&["launch:server2"]).await;
    let path = format!("/v1/objects/{study}");
    service.token(&launches).get(&path).await.problem(ProblemCode::NotFound);
    assert!(service.user("bob").get(&path).await.status.is_success());
}
