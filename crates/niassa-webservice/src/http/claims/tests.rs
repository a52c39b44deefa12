//! A launcher's calls through the router: claims, actions, facts, and what is refused of them.

use niassa_api::claims::{ActionAnswers, ClaimState, ClaimStates, Claimed, Desire, Word};
use niassa_api::error::ProblemCode;
use niassa_api::facts::{FactsRecorded, Need};
use niassa_api::page::Page;
use niassa_api::runs::{Run, RunResults, StepLog};
use niassa_model::run::RunStatus;
use serde_json::{Value, json};

use crate::testing::schedules::{claim_at, launched};
use crate::testing::{TestService, service};

fn claim(holder: &str) -> Value {
    claim_at("server2", holder)
}

async fn claimed(service: &TestService, holder: &str) -> Claimed {
    service.user("bob").post("/v1/claims", &claim(holder)).await.json()
}

#[tokio::test]
async fn a_run_goes_its_way() {
    let service = service().await;
    let workflow = service.workflow().await;
    let scheduled = service.run_of_bob(workflow).await;
    let mut claimed = claimed(&service, "a").await;
    assert_eq!((claimed.waiting, claimed.claims.len()), (1, 1));
    let run = claimed.claims.remove(0);
    assert_eq!((run.swid, run.desire), (scheduled.swid, Desire::Launch));
    assert_eq!(run.values["parameters"]["greeting"], "Hello", "{}", run.values);
    assert_eq!(run.account, "bob@lab.net");

    let actions = json!({"holder": "a", "actions": launched(&run)});
    let answers: ActionAnswers = service.user("bob").post("/v1/actions", &actions).await.json();
    assert!(answers.answers.iter().all(|answer| answer.word == Word::Go));
    assert_eq!(answers.answers[2].accessions.len(), 1);

    let held = json!({"holder": "a", "runs": [{"swid": run.swid, "epoch": run.epoch}]});
    let states: ClaimStates = service.user("bob").post("/v1/claims/renew", &held).await.json();
    assert_eq!(states.states, [ClaimState::Held]);
    let states: ClaimStates = service.user("bob").post("/v1/claims/release", &held).await.json();
    assert_eq!(states.states, [ClaimState::Held]);
    let states: ClaimStates = service.user("bob").post("/v1/claims/renew", &held).await.json();
    assert_eq!(states.states, [ClaimState::Stale], "it was given back");

    let fact = json!({
        "run": run.swid, "tag": run.tag, "step": 0, "attempt": 1, "status": "success",
        "exit_code": 0, "started_at": 1, "ended_at": 2,
        "stdout": {"path": "/runs/1/stdout", "size": 6, "tail": "Hello\n"},
    });
    let facts = json!({"facts": [fact]});
    let recorded: FactsRecorded = service.user("bob").post("/v1/facts", &facts).await.json();
    assert_eq!(
        (recorded.runs[0].status, recorded.runs[0].need),
        (RunStatus::Completed, Need::Nothing)
    );
    let logs: Page<StepLog> =
        service.user("bob").get(&format!("/v1/runs/{}/logs", run.swid)).await.json();
    assert_eq!(logs.items[0].stdout.as_ref().unwrap().tail, "Hello\n");
    let eve: FactsRecorded = service.user("eve").post("/v1/facts", &facts).await.json();
    assert_eq!((eve.runs.len(), eve.refused.len()), (0, 1));
}

#[tokio::test]
async fn a_token_claims_for_its_host_only_and_schedules_nothing() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let schedules = service.token_of_bob(&["schedule"]).await;
    let refused = service.token(&schedules).post("/v1/claims", &claim("a")).await;
    refused.problem(ProblemCode::NotAllowed);
    let elsewhere = service.token_of_bob(&["launch:server3"]).await;
    let nothing: Claimed = service.token(&elsewhere).post("/v1/claims", &claim("a")).await.json();
    assert_eq!((nothing.waiting, nothing.claims.len()), (0, 0));
    let here = service.token_of_bob(&["launch:server2"]).await;
    let request = crate::testing::schedules::greeting(workflow);
    let refused = service.token(&here).post("/v1/runs", &request).await;
    refused.problem(ProblemCode::NotAllowed);
    let run: Claimed = service.token(&here).post("/v1/claims", &claim("a")).await.json();
    assert_eq!(run.claims.len(), 1);
    // A token that also schedules still launches for its own host alone.
    let both = service.token_of_bob(&["schedule", "launch:server3"]).await;
    service.run_of_bob(workflow).await;
    let nothing: Claimed = service.token(&both).post("/v1/claims", &claim("b")).await.json();
    assert_eq!(nothing.claims.len(), 0);
}

fn of_no_run(done: &Value) -> Value {
    json!({"swid": 1, "epoch": 1, "done": done})
}

fn steps_of(number: usize) -> Value {
    let step = json!({"index": 0, "name": "a", "resources": {"threads": 1}});
    of_no_run(&json!({"steps": vec![step; number]}))
}

fn verdicts_of(number: usize) -> Value {
    let verdict = json!({"step": 0, "status": "skipped", "reason": "parent_failed"});
    of_no_run(&json!({"verdicts": vec![verdict; number]}))
}

fn attempts_of(number: usize) -> Value {
    let attempt = json!({"step": 0, "attempt": 2, "resources": {"threads": 1}});
    of_no_run(&json!({"attempts": {"attempts": vec![attempt; number]}}))
}

#[tokio::test]
async fn texts_without_measure_are_refused() {
    let service = service().await;
    let placed = |directory: &str, machine: &str| {
        let place = claim("x")["places"][0].clone();
        json!({"placed": {"place": place, "directory": directory, "launched_on": machine}})
    };
    for done in [
        placed("/runs/a\nb", "server2"),
        placed(&format!("/{}", "x".repeat(4_096)), "server2"),
        placed("/runs/1", "server2\0"),
        json!({"planned": {"sha256": "g".repeat(64), "steps": 1}}),
        json!({"planned": {"sha256": "b".repeat(63), "steps": 1}}),
    ] {
        let actions = json!({"holder": "a", "actions": [of_no_run(&done)]});
        let answer = service.user("bob").post("/v1/actions", &actions).await;
        answer.problem(ProblemCode::Invalid);
    }
}

#[tokio::test]
async fn a_fact_that_cannot_be_stored_does_not_stop_the_others() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let run = claimed(&service, "a").await.claims.remove(0);
    let actions = json!({"holder": "a", "actions": launched(&run)});
    service.user("bob").post("/v1/actions", &actions).await.json::<ActionAnswers>();
    let fact = |swid: i64, more: Value| {
        let mut fact = json!({
            "run": swid, "tag": run.tag, "step": 0, "attempt": 1, "status": "success",
            "exit_code": 0, "started_at": 1, "ended_at": 2,
        });
        fact.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fact
    };
    let output = |path: &str| {
        let (sha256, md5) = ("a".repeat(64), "b".repeat(32));
        json!({"path": path, "meta_type": "text/plain", "size": 1, "sha256": sha256, "md5": md5})
    };
    let swid = run.swid.get();
    let facts = json!({"facts": [
        fact(swid, json!({"machine": "a\nb"})),
        fact(4_711, json!({})),
        fact(swid, json!({"stderr": {"path": "x".repeat(4_097), "size": 0, "tail": ""}})),
        fact(swid, json!({"outputs": [output("/a\nb")]})),
        fact(swid, json!({"outputs": vec![output("/a"); 50_001]})),
        fact(swid, json!({"outputs": [output("/a b")]})),
    ]});
    let recorded: FactsRecorded = service.user("bob").post("/v1/facts", &facts).await.json();
    let refused: Vec<u32> = recorded.refused.iter().map(|refused| refused.position).collect();
    assert_eq!(refused, [0, 1, 2, 3, 4]);
    assert_eq!(recorded.runs[0].status, RunStatus::Completed);
}

#[tokio::test]
async fn calls_without_measure_are_refused() {
    let service = service().await;
    let bob = || service.user("bob");
    let fact = json!({"run": 1, "tag": "aaaaaaaaaa", "step": 0, "attempt": 1, "status": "running"});
    let facts = json!({"facts": vec![fact; 1_001]});
    bob().post("/v1/facts", &facts).await.problem(ProblemCode::TooLarge);
    let steps = json!({"steps": vec![json!({"index": 0, "name": "a", "resources": {"threads": 1}}); 1_001]});
    let actions = json!({"holder": "a", "actions": [{"swid": 1, "epoch": 1, "done": steps}]});
    bob().post("/v1/actions", &actions).await.problem(ProblemCode::TooLarge);
    for actions in [
        vec![steps_of(1_000); 4].into_iter().chain([steps_of(1)]).collect::<Vec<_>>(),
        vec![verdicts_of(5_000), attempts_of(5_001)],
    ] {
        let actions = json!({"holder": "a", "actions": actions});
        bob().post("/v1/actions", &actions).await.problem(ProblemCode::TooLarge);
    }
    for actions in [vec![steps_of(1_000); 4], vec![verdicts_of(5_000), attempts_of(5_000)]] {
        let actions = json!({"holder": "a", "actions": actions});
        let answers: ActionAnswers = bob().post("/v1/actions", &actions).await.json();
        assert!(answers.answers.iter().all(|answer| answer.word == Word::Stale));
    }
    let plan = json!({"planned": {"sha256": "b", "steps": 100_001}});
    let actions = json!({"holder": "a", "actions": [{"swid": 1, "epoch": 1, "done": plan}]});
    bob().post("/v1/actions", &actions).await.problem(ProblemCode::TooLarge);
    bob().post("/v1/claims", &claim("")).await.problem(ProblemCode::Invalid);
    bob().post("/v1/claims", &json!({"holder": "a"})).await.problem(ProblemCode::Invalid);
    let retry = json!({"accessions": [1], "id": "'; drop table run"});
    bob().post("/v1/runs/retry", &retry).await.problem(ProblemCode::Invalid);
    let unknown = json!({"accessions": [4711], "id": "r1"});
    let results: RunResults = bob().post("/v1/runs/retry", &unknown).await.json();
    assert!(results.results[0].refused.is_some());
}

#[tokio::test]
async fn a_run_is_cancelled_through_its_list() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await;
    let request = json!({"accessions": [run.swid]});
    let results: RunResults = service.user("bob").post("/v1/runs/cancel", &request).await.json();
    assert_eq!(results.results[0].status, Some(RunStatus::Cancelled));
    let found: Run = service.user("bob").get(&format!("/v1/runs/{}", run.swid)).await.json();
    assert_eq!(found.status, RunStatus::Cancelled);
}
