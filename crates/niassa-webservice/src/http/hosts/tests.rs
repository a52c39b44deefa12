//! Labels and launchers through the router.

use axum::body::Body;
use axum::http::Method;
use niassa_api::claims::Claimed;
use niassa_api::error::ProblemCode;
use niassa_api::hosts::Host;
use niassa_api::page::Page;
use niassa_api::runs::Run;
use serde_json::json;

use crate::testing::schedules::{claim_at, greeting_with};
use crate::testing::service;

#[tokio::test]
async fn a_label_shows_who_serves_it_and_who_waits() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let note = async || {
        let run: Run = service.user("bob").get(&format!("/v1/runs/{run}")).await.json();
        run.note.unwrap()
    };
    assert_eq!(note().await, "waiting for a launcher on server2, never seen");
    let place = json!({"work_dir_id": "w", "os_user": "niassa-bob", "engine": "local",
        "cluster": "server2-0123456789ab"});
    let claim = json!({"holder": "a", "want": "launch", "host": "server2", "places": [place],
        "limit": 0});
    let claimed: Claimed = service.user("bob").post("/v1/claims", &claim).await.json();
    assert_eq!((claimed.waiting, claimed.claims.len()), (1, 0));
    let said = note().await;
    let time = said.strip_prefix("waiting for a launcher on server2, last seen ").expect(&said);
    assert!(time.ends_with(" UTC") && time.len() == "12:03 UTC".len(), "{said}");

    let hosts: Page<Host> = service.user("bob").get("/v1/hosts").await.json();
    let host = &hosts.items[0];
    assert_eq!((host.user.as_deref(), host.host.as_str()), (Some("bob@lab.net"), "server2"));
    assert_eq!(host.os_user.as_deref(), Some("niassa-bob"));
    assert_eq!(host.machine.as_deref(), Some("server2"), "without the machine's number");
    assert_eq!((host.waiting, host.oldest_waiting.is_some()), (1, true));
    let hosts: Page<Host> = service.user("eve").get("/v1/hosts").await.json();
    assert_eq!((hosts.items.len(), hosts.next), (0, None));
    let hosts: Page<Host> = service.user("ann").get("/v1/hosts?limit=1").await.json();
    assert_eq!((hosts.items.len(), hosts.next), (1, None));
}

#[tokio::test]
async fn an_administrator_holds_a_label() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let path = "/v1/hosts/server2/hold";
    let why = json!({"reason": "new disks until Friday"});
    let refused = service.user("bob").json(Method::PUT, path, &why).await;
    refused.problem(ProblemCode::NotAllowed);
    let empty = service.user("ann").json(Method::PUT, path, &json!({"reason": " "})).await;
    empty.problem(ProblemCode::Invalid);
    assert_eq!(service.user("ann").json(Method::PUT, path, &why).await.status, 204);
    let claim = claim_at("server2", "a");
    let claimed: Claimed = service.user("bob").post("/v1/claims", &claim).await.json();
    assert_eq!((claimed.waiting, claimed.claims.len()), (1, 0));
    let run: Run = service.user("bob").get(&format!("/v1/runs/{run}")).await.json();
    assert_eq!(run.note.as_deref(), Some("server2 is held: new disks until Friday"));
    let own = greeting_with(workflow, &json!({"claim_for": "me"}));
    service.schedule("bob", &own).await.problem(ProblemCode::Conflict);

    let strange = "/v1/hosts/s3%3A%2F%2Fbucket%2Fa%20b/hold";
    assert_eq!(service.user("ann").json(Method::PUT, strange, &why).await.status, 204);
    let hosts: Page<Host> = service.user("ann").get("/v1/hosts").await.json();
    let labels: Vec<_> = hosts.items.iter().map(|host| host.host.as_str()).collect();
    assert_eq!(labels, ["s3://bucket/a b", "server2"]);
    assert!(hosts.items.iter().all(|host| host.held_because.is_some()));

    let released = service.user("ann").send(Method::DELETE, path, Body::empty()).await;
    assert_eq!(released.status, 204);
    let again = service.user("ann").send(Method::DELETE, path, Body::empty()).await;
    again.problem(ProblemCode::NotFound);
    let claimed: Claimed = service.user("bob").post("/v1/claims", &claim).await.json();
    assert_eq!(claimed.claims.len(), 1);
}
