//! Limits and priorities through the router.

use axum::http::Method;
use niassa_api::claims::Claimed;
use niassa_api::error::ProblemCode;
use niassa_api::limits::RunLimit;
use niassa_api::page::Page;
use niassa_api::runs::{Run, RunResults, ScheduledRun};
use serde_json::json;

use crate::testing::schedules::{claim_at, greeting_with};
use crate::testing::service;

#[tokio::test]
async fn a_limit_says_why_runs_wait() {
    let service = service().await;
    let workflow = service.workflow().await;
    let limit = json!({"on": {"workflow": workflow}, "runs": 1});
    let path = "/v1/limits";
    service.user("bob").json(Method::PUT, path, &limit).await.problem(ProblemCode::NotAllowed);
    service.user("bob").get(path).await.problem(ProblemCode::NotAllowed);
    assert_eq!(service.user("ann").json(Method::PUT, path, &limit).await.status, 204);
    let nothing = json!({"on": {"account": "nobody@lab.net"}, "runs": 1});
    service.user("ann").json(Method::PUT, path, &nothing).await.problem(ProblemCode::NotFound);

    let first = service.run_of_bob(workflow).await.swid;
    let urgent = greeting_with(workflow, &json!({"priority": 7}));
    let second = service.schedule("bob", &urgent).await.json::<ScheduledRun>().swid;
    let claimed: Claimed =
        service.user("bob").post("/v1/claims", &claim_at("server2", "a")).await.json();
    assert_eq!((claimed.waiting, claimed.claims.len()), (2, 1));
    assert_eq!(claimed.claims[0].swid, second, "the more urgent one");
    let waits: Run = service.user("bob").get(&format!("/v1/runs/{first}")).await.json();
    let note = waits.note.unwrap();
    assert_eq!(note, "waiting: limit of 1 running run of workflow Greet 1.0");
    let listed: Page<RunLimit> = service.user("ann").get(path).await.json();
    assert_eq!((listed.items[0].runs, listed.items[0].running), (1, 1));
    let without = json!({"on": {"workflow": workflow}});
    assert_eq!(service.user("ann").json(Method::PUT, path, &without).await.status, 204);
    service.user("ann").json(Method::PUT, path, &without).await.problem(ProblemCode::NotFound);
}

#[tokio::test]
async fn what_is_launched_at_once_needs_room() {
    let service = service().await;
    let workflow = service.workflow().await;
    let limit = json!({"on": {"workflow": workflow}, "runs": 1});
    assert_eq!(service.user("ann").json(Method::PUT, "/v1/limits", &limit).await.status, 204);
    let at_once = greeting_with(workflow, &json!({"claim_for": "me"}));
    service.schedule("bob", &at_once).await.json::<ScheduledRun>();
    let refused = service.schedule("bob", &at_once).await.problem(ProblemCode::Conflict);
    let why = "nothing more is launched now: limit of 1 running run of workflow Greet 1.0";
    assert_eq!(refused.detail, why);
    service.run_of_bob(workflow).await;
}

#[tokio::test]
async fn an_owner_says_how_urgent_runs_are() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let path = "/v1/runs/priority";
    let asked = json!({"accessions": [run], "priority": -3});
    let results: RunResults = service.user("eve").post(path, &asked).await.json();
    assert!(results.results[0].refused.is_some());
    let results: RunResults = service.user("bob").post(path, &asked).await.json();
    assert_eq!(results.results[0].refused, None);
    let found: Run = service.user("bob").get(&format!("/v1/runs/{run}")).await.json();
    assert_eq!(found.priority, -3);
    let again = format!("/v1/runs/{run}/reschedule");
    let again: ScheduledRun = service.user("bob").post(&again, &json!({})).await.json();
    let again: Run = service.user("bob").get(&format!("/v1/runs/{}", again.swid)).await.json();
    assert_eq!(again.priority, -3, "it asks for what the old one asked for");
    let beyond = json!({"accessions": [run], "priority": 1_001});
    service.user("bob").post(path, &beyond).await.problem(ProblemCode::Invalid);
    let beyond = greeting_with(workflow, &json!({"priority": -1_001}));
    service.schedule("bob", &beyond).await.problem(ProblemCode::Invalid);
}
