//! Objects and their lineage, through the router.

use serde_json::{Value, json};

use crate::testing::schedules::greeting_with;
use crate::testing::service;

#[tokio::test]
async fn lineage_is_walked_both_ways() {
    let service = service().await;
    let workflow = service.workflow().await;
    let study = service.study_of("bob").await;
    let file = json!({"path": "/data/<u>reads\u{202e}", "meta_type": "text/plain", "parents": [study],
        "sha256": "e".repeat(64)});
    let file = service.user("bob").post("/v1/files", &file).await.json::<Value>();
    let file = file["swid"].as_i64().unwrap();
    let request = greeting_with(workflow, &json!({"parents": [file], "input_files": [file]}));
    let run = service.schedule("bob", &request).await.json::<Value>()["swid"].as_i64().unwrap();
    let bob = service.browse("bob").await;
    let page = bob.get(&format!("/objects/{file}")).await.page();
    assert!(page.contains("/data/&#60;u&#62;reads\u{fffd}") && page.contains(&"e".repeat(64)));
    assert!(page.contains(&format!("/objects/{study}\"")), "up: {page}");
    assert!(page.contains(&format!("/objects/{run}\"")), "down: {page}");
    assert_eq!(bob.get(&format!("/objects/{run}")).await.location(), format!("/runs/{run}"));
    assert_eq!(
        bob.get(&format!("/objects/{workflow}")).await.location(),
        format!("/workflows/{workflow}")
    );
    assert!(bob.get("/studies").await.page().contains("Phages"));
    assert!(bob.get("/files").await.page().contains("/data/"));
    assert!(page.contains("Phages"), "what it comes from has a name: {page}");
    let experiment = json!({"study": study, "title": "Whole genomes", "description": "d"});
    let experiment = service.user("bob").post("/v1/experiments", &experiment).await.json::<Value>();
    let sample = json!({"experiment": experiment["swid"], "title": "NA12878", "description": "d"});
    service.user("bob").post("/v1/samples", &sample).await.json::<Value>();
    let samples = bob.get("/samples").await.page();
    assert!(samples.contains("NA12878"), "{samples}");
    assert!(samples.contains("<a href=\"/studies\" aria-current=\"true\">"), "{samples}");
    let eve = service.browse("eve").await;
    assert_eq!(eve.get(&format!("/objects/{file}")).await.status, 404);
    assert!(eve.get("/studies").await.page().contains("There is no study that you may see"));
    assert!(!eve.get("/files").await.page().contains("/data/"));
    assert!(!eve.get("/samples").await.page().contains("NA12878"));
}

#[tokio::test]
async fn hosts_tell_who_launched_there() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    service.launch(&[("greet", None, &[])]).await;
    service.run_of_bob(workflow).await;
    let page = service.browse("bob").await.get("/hosts").await.page();
    for text in ["server2", "bob@lab.net", "since"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!service.browse("eve").await.get("/hosts").await.page().contains("bob@lab.net"));
}

#[tokio::test]
async fn two_runs_are_compared() {
    let service = service().await;
    let workflow = service.workflow().await;
    let one = service.run_of_bob(workflow).await.swid;
    let other = greeting_with(workflow, &json!({"overrides": ["greeting=Good day"]}));
    let two = service.schedule("bob", &other).await.json::<Value>()["swid"].as_i64().unwrap();
    let bob = service.browse("bob").await;
    let page = bob.get(&format!("/compare?a={one}&b={two}")).await.page();
    assert!(page.contains("<bdi>Hello</bdi>") && page.contains("<bdi>Good day</bdi>"), "{page}");
    assert_eq!(page.matches("<strong>differs</strong>").count(), 1);
    assert!(bob.get(&format!("/compare?a={one}")).await.page().contains("Another run"));
    let eve = service.browse("eve").await;
    assert_eq!(eve.get(&format!("/compare?a={one}&b={two}")).await.status, 404);
    assert_eq!(bob.get("/compare?a=x&b=y").await.status, 400);
}

#[tokio::test]
async fn a_study_is_shared_by_its_owner() {
    let service = service().await;
    let study = service.study_of("bob").await;
    let (bob, eve) = (service.browse("bob").await, service.browse("eve").await);
    let (page, share) = (format!("/objects/{study}"), format!("/objects/{study}/share"));
    assert_eq!(eve.post(&share, &[("email", "eve@lab.net")]).await.status, 404);
    assert_eq!(bob.post(&share, &[("email", "nobody@lab.net")]).await.status, 404);
    assert_eq!(bob.post(&share, &[("email", "nobody")]).await.status, 422);
    let to = bob.post(&share, &[("email", "eve@lab.net")]).await.location().to_owned();
    assert!(bob.get(&to).await.page().contains("<bdi>eve@lab.net</bdi> may read it"));
    assert!(eve.get(&page).await.page().contains("Phages"));
    assert_eq!(eve.post(&share, &[("email", "ann@lab.net")]).await.status, 403);
}
