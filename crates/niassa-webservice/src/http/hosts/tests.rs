//! Labels and launchers through the router.

use niassa_api::claims::Claimed;
use niassa_api::hosts::Host;
use niassa_api::page::Page;
use niassa_api::runs::Run;
use serde_json::json;

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
    assert_eq!((host.user.as_str(), host.host.as_str()), ("bob@lab.net", "server2"));
    assert_eq!(host.os_user.as_deref(), Some("niassa-bob"));
    assert_eq!(host.machine.as_deref(), Some("server2"), "without the machine's number");
    assert_eq!((host.waiting, host.oldest_waiting.is_some()), (1, true));
    let hosts: Page<Host> = service.user("eve").get("/v1/hosts").await.json();
    assert_eq!((hosts.items.len(), hosts.next), (0, None));
    let hosts: Page<Host> = service.user("ann").get("/v1/hosts?limit=1").await.json();
    assert_eq!((hosts.items.len(), hosts.next), (1, None));
}
