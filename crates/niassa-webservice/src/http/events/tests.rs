//! Following the log, through the router.

use std::time::Duration;

use niassa_api::error::ProblemCode;
use niassa_api::runs::RunLogEntry;

use crate::testing::{Answer, TestService, service};

/// Follows the log until the service stops.
async fn follow(service: &TestService, name: &str, path: &str, last: Option<&str>) -> Answer {
    let asking = service.user(name);
    let asking = match last {
        Some(last) => asking.header("last-event-id", last),
        None => asking,
    };
    asking.get(path).await
}

fn entries(answer: &Answer) -> Vec<RunLogEntry> {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    let entries: Vec<RunLogEntry> = data.map(|data| serde_json::from_str(data).unwrap()).collect();
    assert!(entries.iter().map(|entry| entry.sequence.to_string()).eq(ids));
    entries
}

#[tokio::test]
async fn the_log_is_replayed_and_followed_until_the_service_stops() {
    let service = service().await;
    let workflow = service.workflow().await;
    let first = service.run_of_bob(workflow).await.swid;
    let later = async {
        while service.app.changed.receiver_count() < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let second = service.run_of_bob(workflow).await.swid;
        service.app.stopping.cancel();
        second
    };
    let (all, from_first, from_now, hers, second) = tokio::join!(
        follow(&service, "bob", "/v1/events?after=0", None),
        follow(&service, "bob", "/v1/events?after=0", Some("1")),
        follow(&service, "bob", "/v1/events", None),
        follow(&service, "eve", "/v1/events?after=0", None),
        later,
    );
    assert_eq!(all.headers.get("content-type").unwrap(), "text/event-stream");
    assert_eq!(all.headers.get("x-accel-buffering").unwrap(), "no");
    let runs = |answer: &Answer| entries(answer).iter().map(|entry| entry.run).collect::<Vec<_>>();
    assert_eq!(runs(&all), [first, second]);
    assert_eq!(runs(&from_first), [second], "the header wins over the query");
    assert_eq!(runs(&from_now), [second]);
    assert_eq!(runs(&hers), []);
}

#[tokio::test]
async fn a_change_wakes_who_follows_before_the_next_look() {
    let service = service().await;
    let workflow = service.workflow().await;
    let mut changed = service.app.changed.subscribe();
    changed.mark_unchanged();
    service.user("bob").get("/v1/runs").await;
    assert!(!changed.has_changed().unwrap());
    service.run_of_bob(workflow).await;
    assert!(changed.has_changed().unwrap());
}

#[tokio::test]
async fn a_wrong_place_to_begin_is_refused() {
    let service = service().await;
    let wrong = follow(&service, "bob", "/v1/events", Some("x")).await;
    wrong.problem(ProblemCode::BadRequest);
    let wrong = follow(&service, "bob", "/v1/events?after=x", None).await;
    wrong.problem(ProblemCode::BadRequest);
}
