//! Scheduling and looking at runs, through the router.

use niassa_api::claims::Claimed;
use niassa_api::error::ProblemCode;
use niassa_api::page::Page;
use niassa_api::runs::{Run, RunIni, RunLogEntry, ScheduledRun, Step, StepLog};
use niassa_model::run::RunStatus;
use serde_json::{Value, json};

use crate::testing::schedules::{greeting, greeting_with};
use crate::testing::service;

fn ini(text: &str) -> Value {
    json!({"sources": [{"name": "my.ini", "format": "ini", "text": text}]})
}

#[tokio::test]
async fn a_run_is_scheduled_and_looked_at() {
    let service = service().await;
    let workflow = service.workflow().await;
    let study = service.study_of("bob").await;
    let mut request = greeting_with(workflow, &json!({"parents": [study], "engine": "slurm"}));
    request["options"] = json!({"queue": "long.q", "qos": "a_b+c,d-e"});
    request["overrides"] = json!(["times=3"]);
    let answer = service.schedule("bob", &request).await;
    assert_eq!(answer.status, 201);
    let run: ScheduledRun = answer.json();

    let found: Run = service.user("bob").get(&format!("/v1/runs/{}", run.swid)).await.json();
    assert_eq!((found.tag, found.status), (run.tag, RunStatus::Submitted));
    assert_eq!(found.note.as_deref(), Some("waiting for a launcher on server2, never seen"));
    assert_eq!((found.workflow_name.as_str(), found.workflow_version.as_str()), ("Greet", "1.0"));
    let ini: RunIni = service.user("bob").get(&format!("/v1/runs/{}/ini", run.swid)).await.json();
    assert_eq!(ini.text, "greeting=Hello\ntimes=3\n");
    let log: Page<RunLogEntry> =
        service.user("bob").get(&format!("/v1/runs/{}/events", run.swid)).await.json();
    assert_eq!(log.items[0].event, "scheduled");
    let steps: Page<Step> =
        service.user("bob").get(&format!("/v1/runs/{}/steps", run.swid)).await.json();
    assert_eq!(steps.items, []);
    let logs: Page<StepLog> =
        service.user("bob").get(&format!("/v1/runs/{}/logs", run.swid)).await.json();
    assert_eq!(logs.items, []);
}

#[tokio::test]
async fn all_wrong_values_are_told_with_their_lines() {
    let service = service().await;
    let workflow = service.workflow().await;
    let request = greeting_with(workflow, &ini("greeting=Hello\ntimes=many\n"));
    let problem = service.schedule("bob", &request).await.problem(ProblemCode::Invalid);
    assert!(problem.errors[0].contains("my.ini:2"), "{:?}", problem.errors);
    assert!(problem.detail.contains("Greet 1.0"));

    let request = greeting_with(workflow, &ini("times=0\n"));
    let problem = service.schedule("bob", &request).await.problem(ProblemCode::Invalid);
    assert_eq!(problem.errors.len(), 2, "a missing value and one out of range: {problem:?}");
    let runs: Page<Run> = service.user("bob").get("/v1/runs").await.json();
    assert_eq!(runs.items, []);
}

#[tokio::test]
async fn large_sources_are_resolved_as_well() {
    let service = service().await;
    let workflow = service.workflow().await;
    let comments = "# a comment of some length\n".repeat(10_000);
    let request = greeting_with(workflow, &ini(&format!("{comments}greeting=Hello\n")));
    let run: ScheduledRun = service.schedule("bob", &request).await.json();
    let ini: RunIni = service.user("bob").get(&format!("/v1/runs/{}/ini", run.swid)).await.json();
    assert!(ini.text.starts_with("greeting=Hello\n"));
}

#[tokio::test]
async fn what_is_named_must_be_there_and_fit() {
    let service = service().await;
    let workflow = service.workflow().await;
    let hers = service.study_of("eve").await;
    let his = service.study_of("bob").await;
    let ask = |fields: Value| {
        let (service, request) = (&service, greeting_with(workflow, &fields));
        async move { service.schedule("bob", &request).await }
    };
    service.schedule("bob", &greeting(4_711)).await.problem(ProblemCode::NotFound);
    let problem = ask(json!({"parents": [4_711, his]})).await.problem(ProblemCode::NotFound);
    assert!(problem.detail.contains("4711"), "{}", problem.detail);
    ask(json!({"parents": [hers]})).await.problem(ProblemCode::NotFound);
    let problem = ask(json!({"parents": [workflow]})).await.problem(ProblemCode::Invalid);
    assert_eq!(problem.errors, [format!("parent {workflow} is a workflow")]);
    ask(json!({"input_files": [his]})).await.problem(ProblemCode::Invalid);
    ask(json!({"link_to": [his]})).await.problem(ProblemCode::Invalid);
    ask(json!({"options": {"queue": "a; rm -rf /"}})).await.problem(ProblemCode::Invalid);
    ask(json!({"options": {"qos": ""}})).await.problem(ProblemCode::Invalid);
    ask(json!({"claim_for": ""})).await.problem(ProblemCode::Invalid);
    ask(json!({"host": ""})).await.problem(ProblemCode::Invalid);
    ask(json!({"host": "a\nb"})).await.problem(ProblemCode::Invalid);
    ask(json!({"host": "x".repeat(1_025)})).await.problem(ProblemCode::Invalid);
    ask(json!({"engine": "oozie"})).await.problem(ProblemCode::Invalid);
    let external = json!({"name": "Elsewhere", "version": "1", "description": ""});
    let external: Value = service.user("bob").post("/v1/workflows", &external).await.json();
    let external = greeting(external["swid"].as_i64().unwrap());
    service.schedule("bob", &external).await.problem(ProblemCode::Conflict);
}

#[tokio::test]
async fn a_label_is_kept_byte_for_byte() {
    let service = service().await;
    let workflow = service.workflow().await;
    let long = "ö".repeat(512);
    for label in [" s3://bucket/a b ", "it's \"quoted\" \\ %41 $HOME", long.as_str()] {
        let request = greeting_with(workflow, &json!({"host": label}));
        let run: ScheduledRun = service.schedule("bob", &request).await.json();
        let bytes: Vec<String> = label.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/v1/runs?host={}", bytes.concat());
        let found: Page<Run> = service.user("bob").get(&path).await.json();
        let [only] = found.items.as_slice() else { panic!("{found:?}") };
        assert_eq!((only.swid, only.host.as_str()), (run.swid, label));
    }
    service.user("bob").get("/v1/runs?host=%00").await.problem(ProblemCode::BadRequest);
}

#[tokio::test]
async fn asking_twice_schedules_once() {
    let service = service().await;
    let workflow = service.workflow().await;
    let ask = |request: Value| {
        let asking = service.user("bob").once("a-key");
        async move { asking.post("/v1/runs", &request).await }
    };
    let first: ScheduledRun = ask(greeting(workflow)).await.json();
    let (a, b) = tokio::join!(ask(greeting(workflow)), ask(greeting(workflow)));
    assert_eq!(a.json::<ScheduledRun>(), first);
    assert_eq!(b.json::<ScheduledRun>(), first);
    let other = greeting_with(workflow, &json!({"host": "other"}));
    ask(other).await.problem(ProblemCode::IdempotencyMismatch);
    // A refusal leaves its key free.
    let bad = service.user("bob").once("b-key").post("/v1/runs", &greeting(4_711)).await;
    bad.problem(ProblemCode::NotFound);
    let good = service.user("bob").once("b-key").post("/v1/runs", &greeting(workflow)).await;
    assert_ne!(good.json::<ScheduledRun>().swid, first.swid);
}

#[tokio::test]
async fn a_run_of_somebody_else_is_not_there() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let other_host = service.token_of_bob(&["launch:server1"]).await;
    for part in ["", "/steps", "/logs", "/events", "/ini", "/report"] {
        let path = format!("/v1/runs/{run}{part}");
        service.user("eve").get(&path).await.problem(ProblemCode::NotFound);
        service.token(&other_host).get(&path).await.problem(ProblemCode::NotFound);
        assert_eq!(service.user("ann").get(&path).await.status, 200, "{path}");
        service.nobody().get(&path).await.problem(ProblemCode::NotSignedIn);
    }
    let reschedule = format!("/v1/runs/{run}/reschedule");
    service.user("eve").post(&reschedule, &json!({})).await.problem(ProblemCode::NotFound);
    let none: Page<Run> = service.user("eve").get("/v1/runs").await.json();
    assert_eq!(none.items, []);

    let launcher = service.token_of_bob(&["launch:server2"]).await;
    assert_eq!(service.token(&launcher).get(&format!("/v1/runs/{run}")).await.status, 200);
    let refused = service.token(&launcher).post("/v1/runs", &greeting(workflow)).await;
    refused.problem(ProblemCode::NotAllowed);
    let reader = service.token_of_bob(&["read"]).await;
    let refused = service.token(&reader).post("/v1/runs", &greeting(workflow)).await;
    refused.problem(ProblemCode::NotAllowed);
}

#[tokio::test]
async fn lists_are_walked_a_page_at_a_time() {
    let service = service().await;
    let workflow = service.workflow().await;
    let mut scheduled = Vec::new();
    for _ in 0..5 {
        scheduled.push(service.run_of_bob(workflow).await.swid);
    }
    scheduled.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/runs?limit=2&active=1".to_owned();
    loop {
        let page: Page<Run> = service.user("bob").get(&path).await.json();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|run| run.swid));
        let Some(next) = page.next else { break };
        path = format!("/v1/runs?limit=2&active=1&after={next}");
    }
    assert_eq!(seen, scheduled);
    let two = format!("/v1/runs?accessions={},{}", scheduled[0], scheduled[4]);
    let two: Page<Run> = service.user("bob").get(&two).await.json();
    assert_eq!(two.items.len(), 2);
    let none: Page<Run> = service.user("bob").get("/v1/runs?status=failed").await.json();
    assert_eq!(none.items, []);
    for wrong in ["status=done", "after=x", "accessions=1,,2", "active=yes", "workflow=0"] {
        let answer = service.user("bob").get(&format!("/v1/runs?{wrong}")).await;
        answer.problem(ProblemCode::BadRequest);
    }
}

#[tokio::test]
async fn a_run_is_scheduled_again_elsewhere() {
    let service = service().await;
    let workflow = service.workflow().await;
    let study = service.study_of("bob").await;
    let fields = json!({"parents": [study], "overrides": ["times=7"], "options": {"queue": "q"}});
    let old: ScheduledRun = service.schedule("bob", &greeting_with(workflow, &fields)).await.json();
    let path = format!("/v1/runs/{}/reschedule", old.swid);
    let request = json!({"host": "server3", "engine": "sge"});
    let answer = service.user("bob").once("k").post(&path, &request).await;
    let new: ScheduledRun = answer.json();
    assert_ne!((new.swid, &new.tag), (old.swid, &old.tag));
    let again = service.user("bob").once("k").post(&path, &request).await;
    assert_eq!(again.json::<ScheduledRun>(), new);

    let found: Run = service.user("bob").get(&format!("/v1/runs/{}", new.swid)).await.json();
    assert_eq!(found.host.as_str(), "server3");
    assert_eq!(found.rescheduled_from, Some(old.swid));
    let ini: RunIni = service.user("bob").get(&format!("/v1/runs/{}/ini", new.swid)).await.json();
    assert!(ini.text.contains("times=7"));
    let object: Value = service.user("bob").get(&format!("/v1/objects/{}", new.swid)).await.json();
    assert_eq!(object["fields"]["parents"], json!([study]));
}

#[tokio::test]
async fn a_run_that_is_created_claimed_is_its_holders() {
    let service = service().await;
    let workflow = service.workflow().await;
    let request = greeting_with(workflow, &json!({"claim_for": "me"}));
    let run: ScheduledRun = service.schedule("bob", &request).await.json();
    let claim = |holder: &str, named: Option<i64>| {
        let places =
            json!([{"work_dir_id": "w", "os_user": "bob", "engine": "local", "cluster": "c"}]);
        let mut claim = json!({"holder": holder, "want": "launch", "places": places, "limit": 5});
        match named {
            Some(run) => claim["accessions"] = json!([run]),
            None => claim["host"] = json!("server2"),
        }
        claim
    };
    let cron: Claimed = service.user("bob").post("/v1/claims", &claim("cron", None)).await.json();
    assert_eq!(cron.claims, []);
    let mine = claim("me", Some(run.swid.get()));
    let mine: Claimed = service.user("bob").post("/v1/claims", &mine).await.json();
    assert_eq!(mine.claims.len(), 1);
    assert_eq!(mine.claims[0].values["parameters"]["greeting"], json!("Hello"));
    let schedules = service.token_of_bob(&["schedule"]).await;
    let refused = service.token(&schedules).post("/v1/runs", &request).await;
    refused.problem(ProblemCode::NotAllowed);
}

#[tokio::test]
async fn a_report_has_every_column() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let report: Value = service.user("bob").get(&format!("/v1/runs/{run}/report")).await.json();
    let row = report["row"].as_object().unwrap();
    assert_eq!(row.len(), 22);
    assert_eq!(row["workflow"], "Greet 1.0");
    assert_eq!(row["workflow_run_status"], "submitted");
    assert_eq!(row["ius_lims_keys"], "");
    assert!(row["workflow_run_create_timestamp"].as_str().unwrap().ends_with('Z'));

    service.run_of_bob(workflow).await;
    let path = format!("/v1/workflows/{workflow}/report");
    let first: Page<Value> = service.user("bob").get(&format!("{path}?limit=1")).await.json();
    let next = format!("{path}?limit=1&after={}", first.next.unwrap());
    let second: Page<Value> = service.user("bob").get(&next).await.json();
    assert_eq!(second.items[0]["workflow_run_swid"], run.to_string());
    assert_eq!(second.next, None);
    let none: Page<Value> = service.user("bob").get(&format!("{path}?status=failed")).await.json();
    assert_eq!(none.items.len(), 0);
    let none: Page<Value> = service.user("bob").get(&format!("{path}?to=1")).await.json();
    assert_eq!(none.items.len(), 0);
    let hers: Page<Value> = service.user("eve").get(&path).await.json();
    assert_eq!(hers.items.len(), 0);
    service.user("bob").get(&format!("{path}?status=done")).await.problem(ProblemCode::BadRequest);
    let missing = service.user("bob").get("/v1/workflows/4711/report").await;
    missing.problem(ProblemCode::NotFound);
}
