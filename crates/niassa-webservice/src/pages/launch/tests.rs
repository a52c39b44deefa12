//! Scheduling by form, through the router.

use niassa_api::page::Page;
use niassa_api::runs::{Run, RunIni};

use super::quoted;
use crate::testing::service;

#[tokio::test]
async fn a_run_is_scheduled_by_form() {
    let service = service().await;
    let workflow = service.workflow().await;
    let bob = service.browse("bob").await;
    let path = format!("/workflows/{workflow}/launch");
    let page = bob.get(&path).await.page();
    assert!(page.contains("name=\"p.greeting\"") && page.contains("name=\"p.times\""), "{page}");
    assert!(
        page.contains("min=\"1\"") && page.contains("max=\"9\"") && page.contains("value=\"2\"")
    );
    let once = page.split("name=\"once\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form =
        [("host", "server2"), ("p.greeting", "Hi = there"), ("p.times", "3"), ("once", once)];
    let to = bob.post(&path, &form).await.location().to_owned();
    let ini: RunIni = service.user("bob").get(&format!("/v1{to}/ini")).await.json();
    assert_eq!(ini.text, "greeting=Hi = there\ntimes=3\n");
    // A form that is sent twice schedules once, one that was changed another run.
    assert_eq!(bob.post(&path, &form).await.location(), to);
    let changed = [form[0], ("p.greeting", "Ho"), form[2], form[3]];
    assert_ne!(bob.post(&path, &changed).await.location(), to);
    let runs: Page<Run> = service.user("bob").get("/v1/runs").await.json();
    assert_eq!(runs.items.len(), 2);
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_what_was_typed_stays() {
    let service = service().await;
    let workflow = service.workflow().await;
    let bob = service.browse("bob").await;
    let path = format!("/workflows/{workflow}/launch");
    let typed = "\"><script>\u{202e}";
    let form = [("host", ""), ("engine", "oozie"), ("p.greeting", typed), ("p.times", "many")];
    let answer = bob.post(&path, &form).await;
    assert_eq!(answer.status, 422);
    let page = answer.text();
    assert!(
        page.contains("id=\"error-host\"") && page.contains("needs a Hadoop cluster"),
        "{page}"
    );
    assert!(page.contains("id=\"error-p.times\""), "all at once: {page}");
    assert!(page.contains("&#34;&#62;&#60;script&#62;") && !page.contains("<script>\u{202e}"));

    let form = [("host", "server2"), ("p.greeting", ""), ("p.times", "11")];
    let page = bob.post(&path, &form).await.text();
    assert!(
        page.contains("id=\"error-p.greeting\"") && page.contains("no value is given"),
        "{page}"
    );
    assert!(page.contains("id=\"error-p.times\"") && page.contains("value=\"11\""), "{page}");
    let runs: Page<Run> = service.user("bob").get("/v1/runs").await.json();
    assert_eq!(runs.items, []);
}

#[tokio::test]
async fn the_command_that_does_the_same_is_shown() {
    let service = service().await;
    let workflow = service.workflow().await;
    let bob = service.browse("bob").await;
    let path = format!("/workflows/{workflow}/launch");
    let form = [("host", "a b"), ("p.greeting", "it's"), ("queue", "long"), ("do", "show")];
    let page = bob.post(&path, &form).await.page();
    let command = format!(
        "seqware workflow schedule \\\n  --accession {workflow} \\\n  --host &#39;a b&#39; \\\n  \
         --queue long \\\n  --override &#39;greeting=it&#39;\\&#39;&#39;s&#39;"
    );
    assert!(page.contains(&command), "{page}");
    let runs: Page<Run> = service.user("bob").get("/v1/runs").await.json();
    assert_eq!(runs.items, [], "it is only shown");
}

#[tokio::test]
async fn a_form_is_filled_from_an_earlier_run_that_one_may_see() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let path = format!("/workflows/{workflow}/launch?from={run}");
    let page = service.browse("bob").await.get(&path).await.page();
    assert!(page.contains("value=\"Hello\"") && page.contains("value=\"server2\""), "{page}");
    assert_eq!(service.browse("eve").await.get(&path).await.status, 404);
}

#[test]
fn words_are_quoted_as_shells_read_them() {
    assert_eq!(quoted("a=b"), "a=b");
    assert_eq!(quoted(""), "''");
    assert_eq!(quoted("$(x)"), "'$(x)'");
    assert_eq!(quoted("a'b"), r"'a'\''b'");
}
