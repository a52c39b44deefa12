//! Notes and messages through the router.

use niassa_api::claims::Claimed;
use niassa_api::error::ProblemCode;
use niassa_api::facts::FactsRecorded;
use niassa_api::page::Page;
use niassa_api::runs::{Run, Step};
use serde_json::{Value, json};

use crate::testing::schedules::{claim_at, launched};
use crate::testing::service;

#[tokio::test]
async fn notes_need_no_facts_and_messages_are_bounded() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let claimed: Claimed =
        service.user("bob").post("/v1/claims", &claim_at("server2", "a")).await.json();
    let run = &claimed.claims[0];
    let actions = json!({"holder": "a", "actions": launched(run)});
    service.user("bob").post("/v1/actions", &actions).await.json::<Value>();

    let note = |tag: &str, text: &str| json!({"run": run.swid, "tag": tag, "note": text});
    let notes =
        json!({"notes": [note("aaaaaaaaaa", "x"), note(&run.tag.to_string(), "suspended\0")]});
    let recorded: FactsRecorded = service.user("bob").post("/v1/facts", &notes).await.json();
    assert_eq!((recorded.runs.len(), recorded.refused.len()), (1, 0));
    assert_eq!(recorded.refused_notes[0].position, 0);
    assert!(recorded.refused_notes[0].why.contains("another tag"));
    let found: Run = service.user("bob").get(&format!("/v1/runs/{}", run.swid)).await.json();
    assert_eq!(found.note.as_deref(), Some("suspended\u{fffd}"));
    let eve: FactsRecorded = service.user("eve").post("/v1/facts", &notes).await.json();
    assert_eq!((eve.runs.len(), eve.refused_notes.len()), (0, 2));
    let many = json!({"notes": vec![note("aaaaaaaaaa", "x"); 1_001]});
    service.user("bob").post("/v1/facts", &many).await.problem(ProblemCode::TooLarge);

    let fact = json!({"run": run.swid, "tag": run.tag, "step": 0, "attempt": 1,
        "status": "failed", "reason": "out_of_memory", "message": "ü".repeat(8 * 1024)});
    service.user("bob").post("/v1/facts", &json!({ "facts": [fact] })).await.json::<Value>();
    let steps = format!("/v1/runs/{}/steps", run.swid);
    let steps: Page<Step> = service.user("bob").get(&steps).await.json();
    let message = steps.items[0].attempts[0].message.as_deref().unwrap();
    assert!(message.len() <= 4 * 1024 && message.ends_with("ü…"), "{} bytes", message.len());
}
