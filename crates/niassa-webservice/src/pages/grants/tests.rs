//! Grants on pages, through the router.

use crate::testing::service;

#[tokio::test]
async fn a_grant_is_given_listed_and_withdrawn() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let (bob, eve) = (service.browse("bob").await, service.browse("eve").await);
    let link = format!("/runs/{run}\"");
    assert!(!eve.get("/runs").await.page().contains(&link));
    let given = bob.post("/grants", &[("to", "eve@lab.net"), ("host", "server2")]).await;
    assert_eq!(given.location(), "/grants?said=given");
    assert!(eve.get("/runs").await.page().contains(&link), "who launches them reads them");
    let page = eve.get("/grants").await.page();
    assert!(page.contains("server2") && page.contains("not by itself"), "{page}");
    assert!(!page.contains("/withdraw\""), "it is not hers to withdraw");
    let page = bob.get("/grants").await.page();
    let path = page.split("action=\"").find(|path| path.contains("/withdraw")).unwrap();
    let path = path.split('"').next().unwrap();
    assert_eq!(eve.post(path, &[]).await.status, 404);
    assert_eq!(bob.post(path, &[]).await.location(), "/grants?said=withdrawn");
    assert!(bob.get("/grants").await.page().contains("ended <time"));
    assert!(!eve.get("/runs").await.page().contains(&link));
    assert_eq!(bob.post("/grants/x/withdraw", &[]).await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_is_told_at_once_and_what_was_typed_stays() {
    let service = service().await;
    let bob = service.browse("bob").await;
    let form = [("to", "<eve>"), ("host", "a\u{1}b"), ("days", "soon")];
    let answer = bob.post("/grants", &form).await;
    assert_eq!(answer.status, 422);
    let page = answer.text();
    assert_eq!(page.matches("<li>").count(), 3, "{page}");
    assert!(page.contains("value=\"&#60;eve&#62;\"") && page.contains("value=\"soon\""), "{page}");
    let own = bob.post("/grants", &[("to", "bob@lab.net"), ("host", "h")]).await;
    assert!(own.text().contains("launches its own runs without a grant"));
    let others = [("from", "eve@lab.net"), ("to", "bob@lab.net"), ("host", "h"), ("days", "7")];
    assert_eq!(bob.post("/grants", &others).await.status, 403);
    let ann = service.browse("ann").await;
    assert_eq!(ann.post("/grants", &others).await.status, 303);
    assert!(ann.get("/grants").await.page().contains("name=\"from\""));
}
