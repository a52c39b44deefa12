//! Grants through the router: given, used with a token that has to allow it too, revoked.

use axum::body::Body;
use axum::http::Method;
use niassa_api::claims::{ActionAnswers, Claimed, Word};
use niassa_api::error::ProblemCode;
use niassa_api::grants::LaunchGrant;
use niassa_api::page::Page;
use niassa_api::runs::{Run, RunResults};
use serde_json::{Value, json};

use crate::testing::schedules::{claim_at, launched};
use crate::testing::service;

const GRANTS: &str = "/v1/grants/launch";

#[tokio::test]
async fn a_service_account_launches_what_it_was_allowed_to() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let asked = json!({"to": "eve@lab.net", "host": "server2", "seconds": 3_600});
    let given = service.user("bob").once("k").post(GRANTS, &asked).await.json::<LaunchGrant>();
    let again = service.user("bob").once("k").post(GRANTS, &asked).await.json::<LaunchGrant>();
    assert_eq!(again, given, "the same key grants once");
    assert_eq!((given.from.as_str(), given.to.as_str()), ("bob@lab.net", "eve@lab.net"));
    let listed: Page<LaunchGrant> = service.user("eve").get(GRANTS).await.json();
    assert_eq!(listed.items, std::slice::from_ref(&given));

    // The token has to allow it as well.
    let scope = json!({"scopes": ["launch:server3"], "seconds": 60});
    let token = service.user("eve").post("/v1/tokens", &scope).await.json::<Value>();
    let elsewhere = token["secret"].as_str().unwrap().to_owned();
    let claim = claim_at("server2", "s");
    let nothing: Claimed = service.token(&elsewhere).post("/v1/claims", &claim).await.json();
    assert_eq!((nothing.waiting, nothing.claims.len()), (0, 0));
    let claimed: Claimed = service.user("eve").post("/v1/claims", &claim).await.json();
    assert_eq!((claimed.waiting, claimed.claims[0].account.as_str()), (1, "bob@lab.net"));
    let actions = json!({"holder": "s", "actions": launched(&claimed.claims[0])});
    let answers: ActionAnswers = service.user("eve").post("/v1/actions", &actions).await.json();
    assert!(answers.answers.iter().all(|answer| answer.word == Word::Go));

    let path = format!("/v1/runs/{run}");
    assert_eq!(service.user("eve").get(&path).await.json::<Run>().swid, run);
    let named = json!({ "accessions": [run] });
    let refused: RunResults = service.user("eve").post("/v1/runs/cancel", &named).await.json();
    assert!(refused.results[0].refused.is_some());
    let again = service.user("eve").post(&format!("{path}/reschedule"), &json!({})).await;
    again.problem(ProblemCode::NotFound);

    let one = format!("{GRANTS}/{}", given.id);
    let theirs = service.user("eve").send(Method::DELETE, &one, Body::empty()).await;
    theirs.problem(ProblemCode::NotFound);
    let revoked = service.user("bob").send(Method::DELETE, &one, Body::empty()).await;
    assert_eq!(revoked.status, 204);
    let answers: ActionAnswers = service.user("eve").post("/v1/actions", &actions).await.json();
    assert!(answers.answers.iter().all(|answer| answer.word == Word::Stale));
    service.user("eve").get(&path).await.problem(ProblemCode::NotFound);
}

#[tokio::test]
async fn nobody_grants_in_the_name_of_others() {
    let service = service().await;
    let asked = json!({"from": "bob@lab.net", "to": "eve@lab.net", "host": "server2"});
    service.user("eve").post(GRANTS, &asked).await.problem(ProblemCode::NotAllowed);
    let given: LaunchGrant = service.user("ann").post(GRANTS, &asked).await.json();
    assert_eq!((given.granted_by.as_str(), given.expires_at), ("ann@lab.net", None));
    let unknown = json!({"to": "nobody@lab.net", "host": "server2"});
    service.user("bob").post(GRANTS, &unknown).await.problem(ProblemCode::NotFound);
    let own = json!({"to": "bob@lab.net", "host": "server2"});
    service.user("bob").post(GRANTS, &own).await.problem(ProblemCode::Invalid);
    let short = json!({"to": "eve@lab.net", "host": "server2", "seconds": 0});
    service.user("bob").post(GRANTS, &short).await.problem(ProblemCode::Invalid);
    let schedules = service.token_of_bob(&["schedule", "launch:server2"]).await;
    let good = json!({"to": "eve@lab.net", "host": "server2"});
    service.token(&schedules).post(GRANTS, &good).await.problem(ProblemCode::NotAllowed);
}
