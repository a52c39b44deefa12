//! Accounts and passwords through the router.

use axum::http::Method;
use niassa_api::accounts::{Account, AccountState};
use niassa_api::error::ProblemCode;
use niassa_api::page::Page;
use niassa_model::account::Role;
use serde_json::json;

use crate::testing::{PASSWORD, service};

const BOB: &str = "/v1/accounts/bob@lab.net";
const PASSWORD_OF_BOB: &str = "/v1/accounts/bob@lab.net/password";

#[tokio::test]
async fn only_administrators_see_and_make_accounts() {
    let service = service().await;
    let new = json!({ "email": "Kim@lab.net", "role": "member", "password": "long enough" });
    service.user("bob").get("/v1/accounts").await.problem(ProblemCode::NotAllowed);
    service.user("bob").post("/v1/accounts", &new).await.problem(ProblemCode::NotAllowed);
    let disable = json!({ "state": "disabled" });
    let answer = service.user("bob").json(Method::PATCH, BOB, &disable).await;
    answer.problem(ProblemCode::NotAllowed);

    let answer = service.user("ann").post("/v1/accounts", &new).await;
    assert_eq!(answer.status, 201);
    let made: Account = answer.json();
    assert_eq!((made.email.as_str(), made.state), ("kim@lab.net", AccountState::Enabled));
    service.user("ann").post("/v1/accounts", &new).await.problem(ProblemCode::Conflict);
    let answer = service.basic("kim@lab.net", "long enough").get("/v1/whoami").await;
    assert!(answer.status.is_success());
}

#[tokio::test]
async fn a_repeated_request_makes_one_account() {
    let service = service().await;
    let new = |role: &str, password: &str| json!({ "email": "kim@lab.net", "role": role, "password": password });
    let asked = new("member", "long enough");
    let first = service.user("ann").once("k").post("/v1/accounts", &asked).await;
    let again = service.user("ann").once("k").post("/v1/accounts", &asked).await;
    assert_eq!(first.json::<Account>(), again.json::<Account>());
    let other = new("administrator", "long enough");
    let answer = service.user("ann").once("k").post("/v1/accounts", &other).await;
    answer.problem(ProblemCode::IdempotencyMismatch);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused() {
    let service = service().await;
    for (asked, code) in [
        (
            json!({ "email": "k@l.net", "role": "member", "password": "short" }),
            ProblemCode::Invalid,
        ),
        (
            json!({ "email": "kim", "role": "member", "password": "long enough" }),
            ProblemCode::Invalid,
        ),
        (json!({ "email": "k@l.net", "role": "king", "password": "x" }), ProblemCode::Invalid),
    ] {
        service.user("ann").post("/v1/accounts", &asked).await.problem(code);
    }
    let answer = service.user("ann").json(Method::PATCH, "/v1/accounts/kim", &json!({})).await;
    answer.problem(ProblemCode::BadRequest);
    let missing = "/v1/accounts/kim@lab.net";
    let answer = service.user("ann").json(Method::PATCH, missing, &json!({})).await;
    answer.problem(ProblemCode::NotFound);
}

#[tokio::test]
async fn accounts_are_listed_a_page_at_a_time() {
    let service = service().await;
    let first: Page<Account> = service.user("ann").get("/v1/accounts?limit=2").await.json();
    assert_eq!(first.items.len(), 2);
    let next = format!("/v1/accounts?limit=2&after={}", first.next.unwrap());
    let last: Page<Account> = service.user("ann").get(&next).await.json();
    assert_eq!(last.items.len(), 1);
    assert_eq!(last.next, None);
    service.user("ann").get("/v1/accounts?after=x").await.problem(ProblemCode::BadRequest);
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_and_can_come_back() {
    let service = service().await;
    let secret = service.token_of_bob(&["read"]).await;
    assert!(service.user("bob").get("/v1/whoami").await.status.is_success());
    assert!(service.token(&secret).get("/v1/whoami").await.status.is_success());
    let change = |state: &str| json!({ "state": state });
    let answer = service.user("ann").json(Method::PATCH, BOB, &change("disabled")).await;
    assert_eq!(answer.json::<Account>().state, AccountState::Disabled);
    service.user("bob").get("/v1/whoami").await.problem(ProblemCode::NotSignedIn);
    service.token(&secret).get("/v1/whoami").await.problem(ProblemCode::NotSignedIn);
    let answer = service.user("ann").json(Method::PATCH, BOB, &change("enabled")).await;
    assert_eq!(answer.json::<Account>().state, AccountState::Enabled);
    assert!(service.token(&secret).get("/v1/whoami").await.status.is_success());
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let service = service().await;
    let ann = "/v1/accounts/ann@lab.net";
    for change in [json!({ "state": "disabled" }), json!({ "role": "member" })] {
        let answer = service.user("ann").json(Method::PATCH, ann, &change).await;
        answer.problem(ProblemCode::Conflict);
    }
    let promote = json!({ "role": "administrator" });
    let answer = service.user("ann").json(Method::PATCH, BOB, &promote).await;
    assert_eq!(answer.json::<Account>().role, Role::Administrator);
    let answer = service.user("bob").json(Method::PATCH, ann, &json!({ "role": "member" })).await;
    assert_eq!(answer.json::<Account>().role, Role::Member);
    // The demotion counts at once, whatever was remembered.
    service.user("ann").get("/v1/accounts").await.problem(ProblemCode::NotAllowed);
}

#[tokio::test]
async fn a_new_password_is_the_only_good_one_at_once() {
    let service = service().await;
    assert!(service.user("bob").get("/v1/whoami").await.status.is_success());
    let new = json!({ "password": "another one" });
    let answer = service.user("bob").json(Method::PUT, PASSWORD_OF_BOB, &new).await;
    assert_eq!(answer.status, 204);
    service
        .basic("bob@lab.net", PASSWORD)
        .get("/v1/whoami")
        .await
        .problem(ProblemCode::NotSignedIn);
    assert!(
        service.basic("bob@lab.net", "another one").get("/v1/whoami").await.status.is_success()
    );

    let answer = service.user("eve").json(Method::PUT, PASSWORD_OF_BOB, &new).await;
    answer.problem(ProblemCode::NotAllowed);
    let short = json!({ "password": "short" });
    let answer = service.user("ann").json(Method::PUT, PASSWORD_OF_BOB, &short).await;
    answer.problem(ProblemCode::Invalid);
    let reset = json!({ "password": PASSWORD });
    let answer = service.user("ann").json(Method::PUT, PASSWORD_OF_BOB, &reset).await;
    assert_eq!(answer.status, 204);
    assert!(service.user("bob").get("/v1/whoami").await.status.is_success());
}
