//! Pieces of logs: where they are cut, how their lines are numbered, and what a person sees.

use niassa_model::step::StepStatus;
use serde_json::json;

use super::*;
use crate::testing::service;

fn wanted(at: Option<u64>, line: Option<u64>) -> Wanted {
    Wanted {
        run: 7.try_into().unwrap(),
        step: StepIndex(3),
        attempt: None,
        stream: LogStream::Stdout,
        at,
        line,
    }
}

/// Shows a piece of a log as the page does: it asks for one byte more.
fn shown_piece(log: &str, at: Option<u64>, line: Option<u64>, length: usize) -> Piece {
    let size = log.len();
    let offset = match at {
        Some(at) => usize::try_from(at).unwrap().saturating_sub(1),
        None => size.saturating_sub(length),
    };
    let bytes = log.as_bytes()[offset..size.min(offset + length)].to_vec();
    let range = LogRange { offset: offset as u64, size: size as u64, bytes };
    of_range(&wanted(at, line), step_badge(StepStatus::Running), &range)
}

fn numbers(piece: &Piece) -> Vec<(u64, &str)> {
    piece.lines.iter().map(|(number, line)| (*number, line.as_str())).collect()
}

#[test]
fn pages_from_the_first_byte_have_each_line_once_with_its_number() {
    let expected: Vec<(u64, String)> = (1..=100).map(|n| (n, format!("line {n}"))).collect();
    let texts: Vec<&str> = expected.iter().map(|(_, line)| line.as_str()).collect();
    let log = texts.join("\n");
    let (mut at, mut line, mut seen) = (0, None, Vec::new());
    loop {
        let piece = shown_piece(&log, Some(at), line, 64);
        assert_eq!(piece.counted_from, None);
        seen.extend(piece.lines.iter().cloned());
        let Some(next) = piece.next else { break };
        let form = crate::pages::form::Form::parse(next.split_once('?').unwrap().1.as_bytes());
        at = form.text("at").parse().unwrap();
        line = form.text("line").parse().ok();
    }
    assert_eq!(seen, expected);
}

#[test]
fn a_piece_from_the_end_says_from_where_its_lines_count() {
    let log = "first\nsecond\nthird\nfourth";
    let piece = shown_piece(log, None, None, 15);
    assert_eq!(numbers(&piece), [(1, "third"), (2, "fourth")]);
    assert_eq!(piece.counted_from, Some(13));
    assert!(piece.next.is_none() && piece.previous.is_some());
    let endless = "x".repeat(100);
    assert_eq!(numbers(&shown_piece(&endless, Some(0), None, 10)), [(1, "xxxxxxxxxx")]);
    assert_eq!(numbers(&shown_piece("", None, None, 10)), []);
    assert_eq!(numbers(&shown_piece("\na\n", Some(0), None, 10)), [(1, ""), (2, "a")]);
}

#[tokio::test]
async fn a_person_sees_what_an_agent_reads_and_the_end_without_one() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let run = service.launch(&[("index", None, &[])]).await;
    let stderr = json!({"path": "/e", "size": 99, "tail": "tail <b>\n"});
    run.fact(0, "running", json!({ "stderr": stderr })).await;
    let bob = service.browse("bob").await;
    let path = format!("{}/steps/0/log", run.page());
    let page = bob.get(&path).await.page();
    for text in ["Only the end of the log is here: no agent serves", "tail &#60;b&#62;", "/e"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(
        page.contains("<span class=\"line\" id=\"L1\"><a href=\"#L1\">1</a>")
            && page.contains("data-live")
    );
    let agent = async {
        let events = "/v1/events?serves=w/robert/local/&wait=9";
        let events = service.user("bob").get(events).await;
        let question = &events.json::<niassa_api::events::Events>().read_logs[0];
        assert_eq!((question.offset, question.stream), (Some(9), LogStream::Stdout));
        let bytes = "Cm9uZQp0d28K";
        let answer = json!({"read": {"offset": 9, "size": 99, "bytes": bytes}});
        let path = format!("/v1/logs/{}", question.id);
        assert_eq!(service.user("bob").post(&path, &answer).await.status, 204);
    };
    let reader = async {
        while service.app.logs.agents_of("w/robert/local/").is_empty() {
            tokio::task::yield_now().await;
        }
        bob.get(&format!("{path}?stream=stdout&at=10&line=4")).await.page()
    };
    let (page, ()) = tokio::join!(reader, agent);
    assert!(
        page.contains("<span class=\"line\" id=\"L4\"><a href=\"#L4\">4</a> one</span>\n"),
        "{page}"
    );
    assert!(page.contains("at=18&#38;line=6"), "{page}");
    assert!(!page.contains("data-live"), "an old piece does not change");
    let eve = service.browse("eve").await;
    assert_eq!(eve.get(&path).await.status, 404);
    assert_eq!(bob.get(&path.replace("/0/", "/x/")).await.status, 404);
}
