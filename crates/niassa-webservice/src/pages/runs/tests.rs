//! The list of runs, through the router.

use serde_json::json;

use crate::testing::schedules::greeting_with;
use crate::testing::service;

#[tokio::test]
async fn a_page_shows_only_what_its_reader_may_see() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let link = format!("href=\"/runs/{run}\"");
    let page = service.browse("bob").await.get("/runs").await.page();
    assert!(page.contains(&link) && page.contains("Greet 1.0"), "{page}");
    assert!(page.contains("waiting for a launcher on server2"));
    assert!(service.browse("ann").await.get("/runs").await.page().contains(&link));
    let page = service.browse("eve").await.get("/runs").await.page();
    assert!(!page.contains(&link) && page.contains("There is no run yet"));
}

#[tokio::test]
async fn the_box_finds_and_says_what_it_does_not_understand() {
    let service = service().await;
    let workflow = service.workflow().await;
    let here = service.run_of_bob(workflow).await.swid;
    let request = greeting_with(workflow, &json!({"host": "other 100%_host"}));
    let there = service.schedule("bob", &request).await.json::<serde_json::Value>();
    let there = there["swid"].as_i64().unwrap();
    let bob = service.browse("bob").await;
    let (here, there) = (format!("/runs/{here}\""), format!("/runs/{there}\""));
    for (search, finds_here, finds_there) in [
        ("status%3Asubmitted", true, true),
        ("status%3Afailed", false, false),
        ("host%3Aserver2", true, false),
        ("workflow%3AGreet", true, true),
        ("workflow%3AOther", false, false),
        ("SERVER2+greet", true, false),
        ("100%25_host", false, true),
        ("0%25host", false, false),
        ("account%3Abob%40lab.net", true, true),
        ("account%3Aeve%40lab.net", false, false),
    ] {
        let page = bob.get(&format!("/runs?q={search}")).await.page();
        assert_eq!(page.contains(&here), finds_here, "{search}");
        assert_eq!(page.contains(&there), finds_there, "{search}");
    }
    let page = bob.get("/runs?q=status%3Adone+x%3Ay").await.page();
    assert!(page.contains("`done` is not a status") && page.contains("`x:` is not one of"));
    assert!(page.contains("value=\"status:done x:y\""), "what was typed stays");
}

#[tokio::test]
async fn a_long_list_is_walked_by_links() {
    let service = service().await;
    let workflow = service.workflow().await;
    let first = service.run_of_bob(workflow).await.swid;
    for _ in 0..50 {
        service.run_of_bob(workflow).await;
    }
    let bob = service.browse("bob").await;
    let page = bob.get("/runs?q=host%3Aserver2").await.page();
    let first = format!("href=\"/runs/{first}\"");
    assert!(!page.contains(&first));
    let older = page.split("href=\"").find(|link| link.contains("after=")).unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&");
    assert!(older.starts_with("/runs?q=host%3Aserver2&after="), "{older}");
    let page = bob.get(&older).await.page();
    assert!(page.contains(&first) && page.contains(">Newest</a>") && !page.contains(">Older</a>"));
}

#[tokio::test]
async fn a_list_that_is_watched_is_sent_only_when_it_changed() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let bob = service.browse("bob").await;
    let watched = |page: &str| {
        let url = page.split("hx-get=\"").nth(1).unwrap().split('"').next().unwrap();
        url.replace("&#38;", "&")
    };
    let url = watched(&bob.get("/runs").await.page());
    assert_eq!(bob.refresh(&url).await.status, 204);
    let run = service.run_of_bob(workflow).await.swid;
    let part = bob.refresh(&url).await.page();
    assert!(part.contains(&format!("/runs/{run}\"")) && !part.contains("<html"));
    assert_eq!(bob.refresh(&watched(&part)).await.status, 204);
}

#[tokio::test]
async fn names_that_mislead_are_harmless() {
    let service = service().await;
    let workflow = service.workflow().await;
    let host = format!("<script>alert(1)</script>\u{202e}\"'{}", "x".repeat(900));
    let request = greeting_with(workflow, &json!({ "host": host }));
    assert_eq!(service.schedule("bob", &request).await.status, 201);
    let bob = service.browse("bob").await;
    for path in ["/runs", "/runs?q=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE%22%27"] {
        let page = bob.get(path).await.page();
        assert!(!page.contains("<script>alert") && !page.contains("\u{202e}</td>"), "{path}");
        assert!(page.contains("&#60;script&#62;alert(1)"), "{path}");
        assert!(!page.contains(&"x".repeat(300)), "{path}");
    }
}
