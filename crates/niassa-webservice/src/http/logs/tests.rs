//! Whole logs, through the router: who is asked, whose answer counts, and what is told when nobody answers.

use std::time::{Duration, Instant};

use niassa_api::error::ProblemCode;
use niassa_api::events::Events;
use niassa_api::logs::{LogPart, LogText, ReadLog};
use serde_json::{Value, json};

use crate::testing::launched::Launched;
use crate::testing::{Answer, TestService, service};

/// What an agent says of the place of the runs of tests.
const EVENTS: &str = "/v1/events?serves=x%0Aw/robert/local/&wait=";

/// A run whose one step runs.
async fn running(service: &TestService) -> Launched<'_> {
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let run = service.launch(&[("index", None, &[])]).await;
    run.fact(0, "running", json!({"stdout": {"path": "/o", "size": 3, "tail": "ok\n"}})).await;
    run
}

fn path(run: &Launched<'_>, more: &str) -> String {
    format!("/v1/runs/{}/steps/0/log?stream=stdout{more}", run.claim.swid)
}

/// Waits for questions as somebody's agent.
async fn asked(service: &TestService, name: &str, seconds: u32) -> Vec<ReadLog> {
    let events = service.user(name).get(&format!("{EVENTS}{seconds}")).await;
    events.json::<Events>().read_logs
}

async fn answer(service: &TestService, name: &str, question: &ReadLog, answer: &Value) -> Answer {
    service.user(name).post(&format!("/v1/logs/{}", question.id), answer).await
}

fn read(bytes: &str) -> Value {
    json!({"read": {"offset": 4, "size": 9, "bytes": bytes}})
}

fn why(answer: &Answer) -> String {
    match answer.json::<LogPart>().log {
        LogText::End(end) => {
            assert_eq!((end.text.as_str(), end.size), ("ok\n", 3));
            assert_eq!(end.path.as_deref(), Some("/o"));
            end.why
        }
        LogText::Range(range) => panic!("{range:?}"),
    }
}

/// Waits until somebody serves the place.
async fn served(service: &TestService) {
    while service.app.logs.agents_of("w/robert/local/").is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_agent_reads_what_is_asked_and_the_first_answer_counts() {
    let service = service().await;
    let run = running(&service).await;
    let agents = async {
        let (first, second) = tokio::join!(asked(&service, "bob", 9), asked(&service, "bob", 9));
        assert_eq!(first, second, "both are asked");
        let question = &first[0];
        let range = (question.offset, question.length, question.attempt.0);
        assert_eq!(range, (Some(4), 5, 1));
        assert_eq!(question.tag, run.claim.tag);
        let nobody = answer(&service, "eve", question, &read("ZXZpbA==")).await;
        nobody.problem(ProblemCode::NotFound);
        let long = json!({"read": {"offset": 10, "size": 9, "bytes": ""}});
        answer(&service, "bob", question, &long).await.problem(ProblemCode::Invalid);
        assert_eq!(answer(&service, "bob", question, &read("aGVsbG8=")).await.status, 204);
        let late = answer(&service, "bob", question, &read("bGF0ZQ==")).await;
        late.problem(ProblemCode::NotFound);
    };
    let reader = async {
        while service.app.logs.agents_of("w/robert/local/").len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        service.user("bob").get(&path(&run, "&offset=4&length=5")).await
    };
    let (answer, ()) = tokio::join!(reader, agents);
    let part: LogPart = answer.json();
    let LogText::Range(range) = part.log else { panic!("{part:?}") };
    assert_eq!((range.offset, range.size, range.bytes.as_slice()), (4, 9, b"hello".as_slice()));
    assert_eq!((part.attempt.0, part.status.as_str()), (1, "running"));
}

#[tokio::test]
async fn without_an_agent_the_end_is_told_at_once_and_why() {
    let service = service().await;
    let run = running(&service).await;
    let begun = Instant::now();
    let why = why(&service.user("bob").get(&path(&run, "")).await);
    assert!(begun.elapsed() < Duration::from_secs(5));
    for word in ["no agent serves server2", "OS user robert", "last seen 20", "seqware agent"] {
        assert!(why.contains(word), "{why}");
    }
}

#[tokio::test]
async fn an_agent_of_somebody_else_is_not_asked_until_it_is_allowed() {
    let service = service().await;
    let run = running(&service).await;
    let ask = async |name: &'static str| {
        let agent = asked(&service, name, 1);
        let reader = async {
            served(&service).await;
            service.user("bob").get(&path(&run, "")).await
        };
        tokio::join!(agent, reader)
    };
    // Not even an administrator's: it may see the run, but not launch it.
    for name in ["eve", "ann"] {
        let (questions, answer) = ask(name).await;
        assert_eq!(questions, [], "{name}");
        assert!(why(&answer).contains("no agent serves"));
    }
    let grant = json!({"from": "bob@lab.net", "to": "eve@lab.net", "host": "server2"});
    let grant: Value = service.user("bob").post("/v1/grants/launch", &grant).await.json();
    let agent = async {
        let question = asked(&service, "eve", 9).await.remove(0);
        let revoke = format!("/v1/grants/launch/{}", grant["id"]);
        let revoked = service
            .user("bob")
            .send(axum::http::Method::DELETE, &revoke, axum::body::Body::empty())
            .await;
        assert!(revoked.status.is_success());
        let withdrawn = answer(&service, "eve", &question, &read("aGVsbG8=")).await;
        withdrawn.problem(ProblemCode::NotFound);
        let refused = json!({"refused": "no such file"});
        assert_eq!(answer(&service, "bob", &question, &refused).await.status, 204);
    };
    let reader = async {
        served(&service).await;
        service.user("bob").get(&path(&run, "")).await
    };
    let ((), answer) = tokio::join!(agent, reader);
    assert!(why(&answer).contains("could not read the file: no such file"));
}

#[tokio::test]
async fn readers_and_agents_need_their_rights() {
    let service = service().await;
    let run = running(&service).await;
    let eve = service.user("eve").get(&path(&run, "")).await;
    eve.problem(ProblemCode::NotFound);
    let no_attempt = service.user("bob").get(&path(&run, "&attempt=2")).await;
    no_attempt.problem(ProblemCode::NotFound);
    let odd = service.user("bob").get(&path(&run, "").replace("stdout", "/etc/passwd")).await;
    odd.problem(ProblemCode::BadRequest);
    let token = service.token_of_bob(&["read"]).await;
    service.token(&token).get(&format!("{EVENTS}0")).await.problem(ProblemCode::NotAllowed);
    let elsewhere = service.token_of_bob(&["launch:server3"]).await;
    let events = format!("{EVENTS}1");
    let agent = service.token(&elsewhere).get(&events);
    let reader = async {
        served(&service).await;
        service.user("bob").get(&path(&run, "")).await
    };
    let (events, answer) = tokio::join!(agent, reader);
    assert_eq!(events.json::<Events>().read_logs, []);
    assert!(why(&answer).contains("no agent serves"));
}

#[tokio::test]
async fn who_holds_no_stream_waits_for_events() {
    let service = service().await;
    let workflow = service.workflow().await;
    let now: Events = service.user("bob").get("/v1/events?wait=0").await.json();
    assert_eq!(now.entries, []);
    let path = format!("/v1/events?wait=9&after={}", now.after);
    let (later, run) = tokio::join!(service.user("bob").get(&path), service.run_of_bob(workflow));
    let later: Events = later.json();
    assert_eq!(later.entries[0].run, run.swid);
    assert_eq!(later.after, later.entries.last().unwrap().sequence);
}
