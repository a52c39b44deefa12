//! Workflows, through the router.

use serde_json::json;

use crate::testing::service;

#[tokio::test]
async fn workflows_are_listed_and_shown_with_their_parameters() {
    let service = service().await;
    let workflow = service.workflow().await;
    let eve = service.browse("eve").await;
    let page = eve.get("/workflows").await.page();
    assert!(page.contains(&format!("/workflows/{workflow}/launch")) && page.contains(">Greet<"));
    assert!(eve.get("/workflows?name=Other").await.page().contains("There is none"));
    let page = eve.get(&format!("/workflows/{workflow}")).await.page();
    for text in ["greeting", "string", "times", "int", "<code><bdi>2</bdi></code>", "installed"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(eve.get("/workflows/4711").await.status, 404);
}

#[tokio::test]
async fn a_grid_shows_which_step_fails() {
    let service = service().await;
    let workflow = service.workflow().await;
    for fails in [true, false] {
        service.run_of_bob(workflow).await;
        let run = service
            .launch(&[("index", None, &[]), ("call", Some(0), &[0]), ("call", Some(1), &[0])])
            .await;
        run.fact(0, "success", json!({})).await;
        run.fact(1, "success", json!({})).await;
        if fails {
            run.fact(2, "failed", json!({"reason": "exit_code", "exit_code": 1})).await;
        } else {
            run.fact(2, "success", json!({})).await;
        }
    }
    let page = service.browse("bob").await.get(&format!("/workflows/{workflow}")).await.page();
    assert!(page.contains("<th scope=\"col\">index</th><th scope=\"col\">call</th>"), "{page}");
    assert!(page.contains("1 of 2, 4.0 s") && page.contains("2 of 2, 4.0 s"), "{page}");
    let page = service.browse("eve").await.get(&format!("/workflows/{workflow}")).await.page();
    assert!(page.contains("No run of it is there that you may see"));
}
