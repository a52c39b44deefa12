//! Runs whose place is gone: ended on the word of a person, and scheduled once more elsewhere.

use niassa_api::claims::Claimed;
use niassa_api::error::ProblemCode;
use niassa_api::facts::FactsRecorded;
use niassa_api::page::Page;
use niassa_api::runs::{Run, RunResults, ScheduledRun, Step};
use niassa_model::run::RunStatus;
use niassa_model::step::StepStatus;
use serde_json::json;

use crate::testing::schedules::{claim_at, launched};
use crate::testing::service;

#[tokio::test]
async fn a_run_whose_place_is_gone_moves_elsewhere() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let claimed: Claimed =
        service.user("bob").post("/v1/claims", &claim_at("server2", "a")).await.json();
    let run = &claimed.claims[0];
    let named = json!({ "accessions": [run.swid] });
    let dead = "/v1/runs/it-is-dead";
    let early: RunResults = service.user("bob").post(dead, &named).await.json();
    assert!(early.results[0].refused.as_ref().unwrap().contains("no place yet"));
    let actions = json!({"holder": "a", "actions": launched(run)});
    service.user("bob").post("/v1/actions", &actions).await.json::<serde_json::Value>();

    let launches = service.token_of_bob(&["launch:server2"]).await;
    service.token(&launches).post(dead, &named).await.problem(ProblemCode::NotAllowed);
    let strange: RunResults = service.user("eve").post(dead, &named).await.json();
    assert_eq!(strange.results[0].status, None);

    let ended: RunResults = service.user("bob").post(dead, &named).await.json();
    assert_eq!(ended.results[0].status, Some(RunStatus::Cancelled));
    assert_eq!(ended.results[0].refused, None);
    let answers: niassa_api::claims::ActionAnswers =
        service.user("bob").post("/v1/actions", &actions).await.json();
    assert!(answers.answers.iter().all(|one| one.word == niassa_api::claims::Word::Stale));
    let fact = json!({"run": run.swid, "tag": run.tag, "step": 0, "attempt": 1,
        "status": "success", "exit_code": 0});
    let late: FactsRecorded =
        service.user("bob").post("/v1/facts", &json!({ "facts": [fact] })).await.json();
    assert_eq!(late.runs[0].status, RunStatus::Cancelled);
    let steps = format!("/v1/runs/{}/steps", run.swid);
    let steps: Page<Step> = service.user("bob").get(&steps).await.json();
    assert_eq!(steps.items[0].status, StepStatus::Cancelled);

    let again = format!("/v1/runs/{}/reschedule", run.swid);
    let elsewhere = json!({ "host": "server3" });
    let moved: ScheduledRun = service.user("bob").post(&again, &elsewhere).await.json();
    let new: Run = service.user("bob").get(&format!("/v1/runs/{}", moved.swid)).await.json();
    assert_eq!((new.host.as_str(), new.rescheduled_from), ("server3", Some(run.swid)));
    let claimed: Claimed =
        service.user("bob").post("/v1/claims", &claim_at("server3", "b")).await.json();
    assert_eq!(claimed.claims[0].swid, moved.swid);
    assert_eq!(claimed.claims[0].place, None, "nothing ties it to where the old one was");
}

#[tokio::test]
async fn runs_are_marked_and_found_by_their_marks() {
    let service = service().await;
    let workflow = service.workflow().await;
    let (one, two) =
        (service.run_of_bob(workflow).await.swid, service.run_of_bob(workflow).await.swid);
    let path = "/v1/runs/marks";
    let asked = json!({"accessions": [one, 4711], "add": ["Urgent", "qc:done"]});
    let marked: RunResults = service.user("bob").post(path, &asked).await.json();
    assert_eq!(marked.results[0].refused, None);
    assert_eq!(marked.results[1].refused.as_deref(), Some("there is no such run"));
    let run: Run = service.user("bob").get(&format!("/v1/runs/{one}")).await.json();
    let words: Vec<&str> = run.marks.iter().map(|given| given.mark.as_str()).collect();
    assert_eq!((words, run.marks[0].account.as_str()), (vec!["qc:done", "urgent"], "bob@lab.net"));
    let found: Page<Run> = service.user("ann").get("/v1/runs?mark=urgent").await.json();
    assert_eq!(found.items.iter().map(|run| run.swid).collect::<Vec<_>>(), [one]);
    let away = json!({"accessions": [one, two], "remove": ["urgent"]});
    service.user("ann").post(path, &away).await.json::<RunResults>();
    let none: Page<Run> = service.user("bob").get("/v1/runs?mark=urgent").await.json();
    assert_eq!(none.items, []);

    let strange: RunResults = service.user("eve").post(path, &asked).await.json();
    assert_eq!(strange.results[0].status, None);
    let reads = service.token_of_bob(&["read"]).await;
    service.token(&reads).post(path, &asked).await.problem(ProblemCode::NotAllowed);
    for wrong in [
        json!({"accessions": [one]}),
        json!({"accessions": [one], "add": ["two words"]}),
        json!({"accessions": [one], "add": ["<b>"]}),
        json!({"accessions": [one], "add": ["x".repeat(10_000)]}),
    ] {
        service.user("bob").post(path, &wrong).await.problem(ProblemCode::Invalid);
    }
    service.user("bob").get("/v1/runs?mark=%00").await.problem(ProblemCode::BadRequest);
}
