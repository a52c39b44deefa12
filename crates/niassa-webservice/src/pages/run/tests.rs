//! The pages of a run, through the router.

use std::time::Instant;

use serde_json::json;

use crate::pages::form::query;
use crate::testing::launched::Launched;
use crate::testing::{TestService, service};

const PAGES: [&str; 6] = ["", "/steps", "/logs", "/files", "/values", "/events"];

#[tokio::test]
async fn a_run_is_shown_before_anybody_launched_it() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let bob = service.browse("bob").await;
    let page = bob.get(&format!("/runs/{run}")).await.page();
    for text in ["submitted", "waiting for a launcher on server2", "not planned yet", ">greet<"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(page.contains("Cancel this run") && !page.contains("Retry this run"));
    let page = bob.get(&format!("/runs/{run}/values")).await.page();
    assert!(page.contains("Hello") && page.contains("greeting=Hello\ntimes=2"), "{page}");
    let page = bob.get(&format!("/runs/{run}/events")).await.page();
    assert!(page.contains("scheduled") && page.contains("bob@lab.net"));
    assert!(bob.get(&format!("/runs/{run}/logs")).await.page().contains("has said anything"));
}

#[tokio::test]
async fn what_one_may_not_see_is_not_there() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let eve = service.browse("eve").await;
    for page in PAGES {
        assert_eq!(eve.get(&format!("/runs/{run}{page}")).await.status, 404, "{page}");
        assert_eq!(eve.get(&format!("/runs/4711{page}")).await.status, 404, "{page}");
        assert_eq!(eve.get(&format!("/runs/x{page}")).await.status, 404, "{page}");
    }
}

#[tokio::test]
async fn a_failure_is_told_first_and_retried_by_its_button() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let run =
        service.launch(&[("index", None, &[]), ("align", None, &[0]), ("call", None, &[1])]).await;
    run.fact(0, "success", json!({"stdout": {"path": "/o", "size": 3, "tail": "ok\n"}})).await;
    let stderr =
        json!({"path": "/e", "size": 99, "tail": "first\n<b>no such genome</b>\u{1b}[0m\n"});
    run.fact(1, "failed", json!({"reason": "exit_code", "exit_code": 7, "stderr": stderr})).await;
    let skipped = json!({"reason": "parent_failed", "started_at": null, "ended_at": null});
    run.fact(2, "skipped", skipped).await;

    let bob = service.browse("bob").await;
    let page = bob.get(&run.page()).await.page();
    let failure = page.find("failed: its command ended with exit code 7").expect(&page);
    assert!(failure < page.find("class=\"tiles\"").unwrap(), "it comes first");
    assert!(page.contains("&#60;b&#62;no such genome&#60;/b&#62;\u{fffd}[0m"));
    assert!(page.contains("<svg") && page.contains("<title>attempt 1: failed after"));
    let value = |name: &str| {
        let field = format!("name=\"{name}\" value=\"");
        page.split(&field).nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let (swid, id, back) = (value("run"), value("id"), value("back"));
    let retry = [("do", "retry"), ("run", &*swid), ("id", &*id), ("back", &*back)];
    let ann = service.browse("ann").await;
    assert_eq!(bob.post("/runs/bulk/do", &retry).await.location(), run.page());
    // Whoever pressed the same button a moment later asked for the same retry.
    assert_eq!(ann.post("/runs/bulk/do", &retry).await.location(), run.page());
    let page = ann.get(&run.page()).await.page();
    assert!(page.contains("submitted_retry") && !page.contains("failed: its command"));
    let events = ann.get(&format!("{}/events", run.page())).await.page();
    assert_eq!(events.matches("retry requested").count(), 1, "{events}");
    assert!(events.contains("bob@lab.net"));
}

#[tokio::test]
async fn every_page_of_a_run_says_what_is_known() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let steps: [(&str, Option<u32>, &[u32]); 4] = [
        ("index", None, &[]),
        ("call", Some(0), &[0]),
        ("call", Some(1), &[0]),
        ("merge", None, &[1, 2]),
    ];
    let run = service.launch(&steps).await;
    let output = json!({"path": "/out/<i>a.vcf", "meta_type": "text/vcf", "size": 2_048,
        "sha256": "c".repeat(64), "md5": "d".repeat(32)});
    let used = json!({"outputs": [output], "peak_memory_bytes": 512 << 20, "cpu_micros": 3_000_000,
        "stderr": {"path": "/e", "size": 70_000, "tail": "warned\n"}});
    run.fact(0, "success", used).await;
    run.fact(1, "running", json!({})).await;
    let bob = service.browse("bob").await;
    let page = bob.get(&run.page()).await.page();
    for text in
        ["server2a", "robert", "/runs/1", "512.0 MiB of 1.0 GiB", "4.0 s of 1 min 0 s", "0 of 2"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    let page = bob.get(&format!("{}/steps?group=call", run.page())).await.page();
    assert!(page.contains("2 steps.") && page.contains("call[1]") && !page.contains(">merge<"));
    let page = bob.get(&format!("{}/steps?status=running", run.page())).await.page();
    assert!(page.contains("1 step, running.") && page.contains("call[0]"));
    let page = bob.get(&format!("{}/logs", run.page())).await.page();
    assert!(page.contains("warned") && page.contains("68.3 KiB, the end of it"), "{page}");
    let page = bob.get(&format!("{}/files", run.page())).await.page();
    assert!(page.contains("/out/&#60;i&#62;a.vcf") && page.contains(&"c".repeat(64)), "{page}");
    assert!(page.contains("2.0 KiB"));
}

#[tokio::test]
async fn a_page_that_is_watched_is_sent_again_when_something_was_heard() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let run = service.launch(&[("greet", None, &[])]).await;
    let bob = service.browse("bob").await;
    let page = bob.get(&run.page()).await.page();
    let url = page.split("hx-get=\"").nth(1).unwrap().split('"').next().unwrap();
    let url = url.replace("&#38;", "&");
    assert_eq!(bob.refresh(&url).await.status, 204);
    run.fact(0, "running", json!({})).await;
    let part = bob.refresh(&url).await.page();
    assert!(part.contains("running") && !part.contains("<html"));
}

#[tokio::test]
async fn five_thousand_steps_are_shown_at_once() {
    let service = service().await;
    let run = wide(&service).await;
    let bob = service.browse("bob").await;
    let began = Instant::now();
    let page = bob.get(&run.page()).await.page();
    // A bound far above what it takes, so that only a wrong order of growth fails.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    assert!(page.contains("0 of 4998") && page.contains("and 4900 more"), "{page}");
    assert!(page.len() < 200_000, "{}", page.len());
}

/// The list twin of the picture: page by page every step, and what failed by one link.
#[tokio::test]
async fn every_one_of_five_thousand_steps_is_reached_by_links() {
    let service = service().await;
    let run = wide(&service).await;
    run.fact(0, "success", json!({})).await;
    run.fact(4_321, "failed", json!({"reason": "exit_code", "exit_code": 7})).await;
    let bob = service.browse("bob").await;
    let (mut path, mut seen, mut pages) = (format!("{}/steps", run.page()), 0, 0);
    loop {
        let page = bob.get(&path).await.page();
        assert!(page.len() < 200_000, "{}", page.len());
        seen += page.matches("scope=\"row\" data-label=\"Step\" ").count();
        pages += 1;
        let Some(next) =
            page.split("\" rel=\"next\"").next().filter(|_| page.contains("rel=\"next\""))
        else {
            assert!(page.contains(">merge<") && page.contains("Steps 4801 to 5000 of 5000"));
            break;
        };
        path = next.rsplit('"').next().unwrap().replace("&#38;", "&");
    }
    assert_eq!((seen, pages), (5_000, 25));
    let failed = format!("{}/steps?status=failed", run.page());
    let overview = bob.get(&run.page()).await.page();
    assert!(overview.contains(&failed), "the tile leads there");
    assert!(overview.contains("Each bar is a group of steps"), "too many for a bar each");
    assert!(!overview.contains("The plan has"), "all of them are looked at");
    let page = bob.get(&failed).await.page();
    assert!(page.contains("1 step, failed.") && page.contains("call[4320]"), "{page}");
    let page = bob.get(&format!("{}/steps?group=call&page=25", run.page())).await.page();
    assert!(page.contains("Steps 4801 to 4998 of 4998") && page.contains("rel=\"prev\""));
    let behind = bob.get(&format!("{}/steps?page=4711", run.page())).await.page();
    assert!(behind.contains("None of the 5000 steps") && behind.contains("page=25\" rel=\"prev\""));
    assert_eq!(bob.get(&format!("{}/steps?page=0", run.page())).await.status, 400);
}

/// A run of one step, 4,998 behind it, and one behind all of these.
async fn wide(service: &TestService) -> Launched<'_> {
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let parents: Vec<u32> = (1..4_999).collect();
    let mut steps: Vec<(&str, Option<u32>, &[u32])> = vec![("index", None, &[])];
    steps.extend((0..4_998).map(|element| ("call", Some(element), &[0][..])));
    steps.push(("merge", None, &parents));
    service.launch(&steps).await
}

#[tokio::test]
async fn a_plan_of_more_steps_than_are_drawn_says_so_and_its_table_has_all() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let steps: Vec<(&str, Option<u32>, &[u32])> =
        (0..10_001).map(|element| ("call", Some(element), &[][..])).collect();
    let run = service.launch(&steps).await;
    let bob = service.browse("bob").await;
    let page = bob.get(&run.page()).await.page();
    assert!(page.contains("The plan has 10001 steps.") && page.contains("first 10000 of them"));
    assert!(page.contains(&format!("<a href=\"{}/steps\">the table of steps</a>", run.page())));
    let last = bob.get(&format!("{}/steps?page=51", run.page())).await.page();
    assert!(last.contains("Steps 10001 to 10001 of 10001") && last.contains("call[10000]"));
}

#[tokio::test]
async fn a_run_that_could_not_be_planned_says_so_first() {
    let service = service().await;
    let workflow = service.workflow().await;
    let run = service.run_of_bob(workflow).await.swid;
    let place = json!({"work_dir_id": "w", "os_user": "bob", "engine": "local", "cluster": "c"});
    let asked = json!({"holder": "a", "want": "launch", "host": "server2", "places": [place],
        "limit": 1});
    let claimed = service.user("bob").post("/v1/claims", &asked).await.json::<serde_json::Value>();
    let why = json!({"could_not_plan": {"reason": "provision_in", "detail": "/r.fq is not there"}});
    let action = json!({"swid": run, "epoch": claimed["claims"][0]["epoch"], "done": why});
    let actions = json!({"holder": "a", "actions": [action]});
    service.user("bob").post("/v1/actions", &actions).await.json::<serde_json::Value>();
    let page = service.browse("bob").await.get(&format!("/runs/{run}")).await.page();
    let card = page.find("The run failed before any of its steps").expect(&page);
    assert!(page[card..].contains("/r.fq is not there") && page.contains("Retry this run"));
}

/// Names that would be more than names, wherever a launcher tells them.
#[tokio::test]
async fn hostile_names_are_only_names_on_every_page_of_a_run() {
    let service = service().await;
    let workflow = service.workflow().await;
    service.run_of_bob(workflow).await;
    let hostile = format!("<script>alert(1)</script>\u{202e}\"'{}", "x".repeat(3_000));
    let run = service.launch(&[(&hostile, None, &[]), (&hostile, Some(1), &[0])]).await;
    let path = format!("/{hostile}");
    let output = json!({"path": path, "meta_type": "a/<script>alert(1)</script>", "size": 1,
        "sha256": "c".repeat(64), "md5": "d".repeat(32)});
    let ended = json!({"machine": hostile, "message": hostile, "outputs": [output]});
    run.fact(0, "success", ended).await;
    let stderr = json!({"path": path, "size": 99, "tail": "<script>alert(1)</script>\u{202e}\n"});
    let failed = json!({"machine": hostile, "reason": "exit_code", "exit_code": 7,
        "message": hostile, "stderr": stderr});
    run.fact(1, "failed", failed).await;
    let bob = service.browse("bob").await;
    let mut paths: Vec<String> = PAGES.iter().map(|page| format!("{}{page}", run.page())).collect();
    let swid = run.claim.swid;
    paths.push(format!("{}/steps/1/log", run.page()));
    paths.push(format!("{}/steps?{}", run.page(), query([("group", &*hostile)])));
    paths.extend([format!("/compare?a={swid}&b={swid}"), format!("/workflows/{workflow}")]);
    paths.extend(["/files", "/hosts", "/runs"].map(str::to_owned));
    for path in paths {
        let page = bob.get(&path).await.page();
        assert!(!page.contains("<script>alert"), "{path}: {page}");
        assert!(page.len() < 100_000, "{path}: {}", page.len());
        // What was typed into a field stays as it was typed.
        assert!(path.contains("group=") || !page.contains('\u{202e}'), "{path}: {page}");
    }
}
