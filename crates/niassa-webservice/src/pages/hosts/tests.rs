//! Hosts on pages, through the router.

use crate::testing::service;

#[tokio::test]
async fn an_administrator_holds_a_label_and_releases_it() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let (ann, bob) = (service.browse("ann").await, service.browse("bob").await);
    let page = ann.get("/hosts").await.page();
    assert!(page.contains("/hosts?hold=server2#hold") && page.contains("Hold a label"), "{page}");
    assert!(
        ann.get("/hosts?hold=server2")
            .await
            .page()
            .contains("name=\"host\" required value=\"server2\"")
    );
    let form = [("host", "server2"), ("reason", "the disk is full"), ("do", "hold")];
    assert_eq!(bob.post("/hosts/hold", &form).await.status, 403);
    assert_eq!(ann.post("/hosts/hold", &form).await.location(), "/hosts?said=held");
    let page = ann.get("/hosts").await.page();
    assert!(page.contains("the disk is full") && page.contains("value=\"release\""), "{page}");
    let page = bob.get(&format!("/runs/{run}")).await.page();
    assert!(page.contains("server2 is held: the disk is full"));
    let page = bob.get("/hosts").await.page();
    assert!(page.contains("the disk is full") && !page.contains("/hosts/hold"), "{page}");
    let release = [("host", "server2"), ("do", "release")];
    assert_eq!(ann.post("/hosts/hold", &release).await.location(), "/hosts?said=released");
    assert_eq!(ann.post("/hosts/hold", &release).await.status, 404);
    assert!(!ann.get("/hosts").await.page().contains("the disk is full"));
}

#[tokio::test]
async fn a_label_is_held_for_a_reason() {
    let service = service().await;
    let ann = service.browse("ann").await;
    let answer = ann.post("/hosts/hold", &[("host", "s3://b/a b"), ("reason", " ")]).await;
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("value=\"s3://b/a b\""), "what was typed stays");
    let answer = ann.post("/hosts/hold", &[("host", "a\nb"), ("reason", "r")]).await;
    assert_eq!(answer.status, 422);
}
