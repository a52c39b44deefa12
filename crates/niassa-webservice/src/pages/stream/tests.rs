//! Pages that listen, through the router.

use std::time::Duration;

use super::MOST;
use crate::testing::browsing::Browser;
use crate::testing::{TestService, service};

/// Listens until the service stops, and returns the events with their ids.
async fn listen(browser: &Browser<'_>, path: &str, last: Option<&str>) -> Vec<(String, String)> {
    let answer = browser.listen(path, last).await;
    assert_eq!(answer.headers.get("content-type").unwrap(), "text/event-stream");
    assert_eq!(answer.headers.get("x-accel-buffering").unwrap(), "no");
    let text = answer.text();
    let part = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    let events = text.split("\n\n").filter(|event| !event.trim().is_empty());
    // Browsers pass over an event without data.
    assert!(events.clone().all(|event| event.contains("\ndata: ")), "{text}");
    events.map(|event| (part(event, "event:"), part(event, "id:"))).collect()
}

async fn listeners(service: &TestService, number: usize) {
    while service.app.listeners.places.available_permits() > MOST - number {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_page_is_told_what_it_does_not_know_and_only_that() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let bob = service.browse("bob").await;
    let newest = service.app.metadb.newest_entry().await.unwrap().to_string();
    let stop = async {
        listeners(&service, 3).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        service.app.stopping.cancel();
    };
    let of_run = format!("/live?run={run}");
    let (fresh, again, one, ()) = tokio::join!(
        listen(&bob, "/live", None),
        listen(&bob, "/live", Some(&newest)),
        listen(&bob, &of_run, Some("something else")),
        stop
    );
    assert_eq!(fresh, [("changed".to_owned(), newest)]);
    assert_eq!(again, []);
    assert_eq!((one.len(), one[0].0.as_str()), (1, "changed"));
}

#[tokio::test]
async fn who_listens_hears_of_a_change_within_two_seconds() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let bob = service.browse("bob").await;
    let of_run = format!("/live?run={run}");
    let change = async {
        listeners(&service, 2).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let accessions = serde_json::json!({ "accessions": [run] });
        let cancelled = service.user("bob").post("/v1/runs/cancel", &accessions).await;
        assert_eq!(cancelled.status, 200);
        tokio::time::sleep(Duration::from_secs(2)).await;
        service.app.stopping.cancel();
    };
    let (list, one, ()) =
        tokio::join!(listen(&bob, "/live", None), listen(&bob, &of_run, None), change);
    for events in [list, one] {
        let changed: Vec<_> = events.iter().filter(|(event, _)| event == "changed").collect();
        assert_eq!(changed.len(), 2, "{events:?}");
        assert_ne!(changed[0].1, changed[1].1);
    }
}

#[tokio::test]
async fn nobody_listens_to_what_they_may_not_see() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let eve = service.browse("eve").await;
    assert_eq!(eve.get(&format!("/live?run={run}")).await.status, 404);
    assert_eq!(eve.get("/live?run=x").await.status, 404);
    assert_eq!(service.browser().get("/live").await.status, 303);
}

#[tokio::test]
async fn there_is_no_endless_number_of_listeners() {
    let service = service().await;
    let bob = service.browse("bob").await;
    let places = std::sync::Arc::clone(&service.app.listeners.places);
    let _all = places.acquire_many_owned(u32::try_from(MOST).unwrap()).await.unwrap();
    assert_eq!(bob.get("/live").await.status, 503);
}
