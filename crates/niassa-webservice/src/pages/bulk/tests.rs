//! Many runs at once, through the router.

use niassa_api::runs::Run;

use crate::testing::{TestService, service};

async fn status(service: &TestService, run: impl std::fmt::Display) -> String {
    let run: Run = service.user("bob").get(&format!("/v1/runs/{run}")).await.json();
    run.status.to_string()
}

#[tokio::test]
async fn the_number_is_confirmed_before_anything_happens() {
    let service = service().await;
    let workflow = service.workflow().await;
    let (one, two) = (service.run_of_bob(workflow).await, service.run_of_bob(workflow).await);
    let (one, two) = (one.swid.to_string(), two.swid.to_string());
    let bob = service.browse("bob").await;
    let page = bob.post("/runs/bulk", &[("do", "cancel"), ("run", &one)]).await.page();
    assert!(page.contains("<strong>1 run</strong> will be cancelled"), "{page}");
    assert_eq!(status(&service, &one).await, "submitted");
    let page = bob.post("/runs/bulk", &[("do", "cancel-all"), ("q", "host:server2")]).await.page();
    assert!(page.contains("<strong>2 runs</strong> will be cancelled"));
    assert!(page.contains(&format!("name=\"run\" value=\"{two}\"")));
    let done = [("do", "cancel"), ("run", one.as_str()), ("run", two.as_str())];
    let page = bob.post("/runs/bulk/do", &done).await.page();
    assert!(page.contains("<strong>2 runs</strong> will be cancelled"));
    assert_eq!(status(&service, &one).await, "cancelled");
    assert_eq!(status(&service, &two).await, "cancelled");
}

#[tokio::test]
async fn what_does_not_fit_stays_and_is_told() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid.to_string();
    let bob = service.browse("bob").await;
    let page = bob.post("/runs/bulk", &[("do", "retry"), ("run", &run)]).await.page();
    assert!(page.contains("There is nothing to do"), "{page}");
    assert_eq!(bob.post("/runs/bulk", &[("do", "retry")]).await.status, 422);
    assert_eq!(bob.post("/runs/bulk", &[("run", &run)]).await.status, 400);
    let broken = [("do", "retry-all"), ("q", "status:done")];
    assert!(bob.post("/runs/bulk", &broken).await.text().contains("is not a status"));
}

#[tokio::test]
async fn the_second_of_two_people_sees_what_happened() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid.to_string();
    let (bob, ann) = (service.browse("bob").await, service.browse("ann").await);
    let cancel = [("do", "cancel"), ("run", run.as_str())];
    bob.post("/runs/bulk/do", &cancel).await.page();
    let back = format!("/runs/{run}");
    let page = ann.post("/runs/bulk/do", &[cancel[0], cancel[1], ("back", &back)]).await.page();
    assert!(page.contains("<strong>0 runs</strong>") && page.contains("cancelled"), "{page}");
    assert!(page.contains("Somebody may have been faster"));
    let retry = [("do", "retry"), ("run", run.as_str()), ("id", "r-1"), ("back", back.as_str())];
    assert_eq!(bob.post("/runs/bulk/do", &retry).await.location(), back);
    assert_eq!(status(&service, &run).await, "submitted_retry");
    // The same page sent twice is the same retry.
    assert_eq!(bob.post("/runs/bulk/do", &retry).await.location(), back);
}

#[tokio::test]
async fn runs_of_others_are_not_there() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid.to_string();
    let eve = service.browse("eve").await;
    let page = eve.post("/runs/bulk", &[("do", "cancel"), ("run", &run)]).await.page();
    assert!(page.contains("There is nothing to do"));
    let page = eve.post("/runs/bulk/do", &[("do", "cancel"), ("run", &run)]).await.page();
    assert!(page.contains("<strong>0 runs</strong>"), "{page}");
    assert_eq!(status(&service, &run).await, "submitted");
}

#[tokio::test]
async fn many_runs_are_marked_once_their_number_is_confirmed() {
    let service = service().await;
    let workflow = service.workflow().await;
    let (one, two) = (service.run_of_bob(workflow).await, service.run_of_bob(workflow).await);
    let (one, two) = (one.swid.to_string(), two.swid.to_string());
    let (bob, ann) = (service.browse("bob").await, service.browse("ann").await);
    let page = bob.post("/runs/bulk", &[("do", "mark-all"), ("q", "host:server2")]).await.page();
    assert!(page.contains("<strong>2 runs</strong> will be marked"), "{page}");
    assert!(!bob.get("/runs").await.page().contains("class=\"mark\""), "nothing has happened");

    // What is wrong is told beside what was typed, and the runs are still meant.
    let both = [("do", "mark"), ("run", one.as_str()), ("run", two.as_str())];
    let typed = "urgent <script>alert(1)</script> a\u{202e}b";
    let page = bob.post("/runs/bulk/do", &[&both[..], &[("add", typed)]].concat()).await.page();
    assert!(page.contains("<strong>2 runs</strong> will be marked"), "{page}");
    assert!(page.contains("value=\"urgent &#60;script&#62;alert(1)&#60;/script&#62; a"));
    assert!(page.contains("is no mark") && page.contains("a\u{fffd}b"));
    assert!(!page.contains("<script>alert"));

    let add = [&both[..], &[("add", "Urgent, qc:done")]].concat();
    let page = bob.post("/runs/bulk/do", &add).await.page();
    assert!(page.contains("Done: <strong>2 runs</strong> marked."), "{page}");
    let page = bob.get("/runs?q=mark%3Aurgent").await.page();
    assert!(
        page.contains(&format!("id=\"run-{one}\"")) && page.contains("/runs?q=mark%3Aqc%3Adone")
    );

    // From the page of one run, by somebody else, who sees what there is.
    let back = format!("/runs/{one}");
    let of_one = [("do", "mark"), ("run", one.as_str()), ("back", back.as_str())];
    let page = ann.post("/runs/bulk", &of_one).await.page();
    assert!(page.contains("name=\"remove\" value=\"urgent\"") && page.contains("(1 run)"));
    let away = [&of_one[..], &[("remove", "urgent")]].concat();
    assert_eq!(ann.post("/runs/bulk/do", &away).await.location(), back);
    let page = bob.get(&back).await.page();
    assert!(page.contains("<bdi>qc:done</bdi>") && !page.contains("<bdi>urgent</bdi>"), "{page}");
    let events = bob.get(&format!("{back}/events")).await.page();
    assert!(
        events.contains("marked qc:done, urgent") && events.contains("no longer marked urgent")
    );
    assert!(events.contains("ann@lab.net"));

    let eve = service.browse("eve").await;
    let page = eve.post("/runs/bulk/do", &add).await.page();
    assert!(page.contains("<strong>0 runs</strong>") && page.contains("no such run"), "{page}");
}
