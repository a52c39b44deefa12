//! What all pages have alike, through the router.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use niassa_api::error::ProblemCode;

use super::assets::PATHS;
use super::form::query;
use crate::testing::service;

#[tokio::test]
async fn a_page_loads_runs_and_frames_nothing_of_others() {
    let service = service().await;
    let bob = service.browse("bob").await;
    let answer = bob.get("/runs").await;
    let header = |name| answer.headers.get(name).unwrap().to_str().unwrap();
    let policy = header(CONTENT_SECURITY_POLICY);
    for part in ["default-src 'none'", "script-src 'self';", "style-src 'self';", "base-uri 'none'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"));
    assert_eq!(header(X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(header(REFERRER_POLICY), "same-origin");
    assert_eq!(header(CACHE_CONTROL), "no-store");
    assert_eq!(answer.headers.get("cross-origin-opener-policy").unwrap(), "same-origin");
    let page = answer.page();
    for inline in
        ["<style", " style=", " onclick=", "<script>", "javascript:", "http://", "https://"]
    {
        assert!(!page.contains(inline), "{inline}");
    }
}

#[tokio::test]
async fn files_of_pages_are_cached_by_their_content() {
    let service = service().await;
    for path in [&PATHS.style, &PATHS.script, &PATHS.htmx] {
        let answer = service.browser().get(path).await;
        assert_eq!(answer.status, 200);
        let cached = answer.headers.get(CACHE_CONTROL).unwrap().to_str().unwrap();
        assert!(cached.contains("immutable"), "{cached}");
        assert!(answer.headers.get(CONTENT_TYPE).unwrap().to_str().unwrap().starts_with("text/"));
    }
    let other = service.browser().get("/assets/0000000000000000/pages.css").await;
    other.problem(ProblemCode::NotFound);
}

#[tokio::test]
async fn a_path_that_is_not_there_is_told_in_the_words_of_who_asks() {
    let service = service().await;
    let person = service.nobody().header("accept", "text/html,*/*").get("/nothing").await;
    assert_eq!(person.status, 404);
    assert!(person.text().contains("There is no route /nothing"));
    service.nobody().get("/nothing").await.problem(ProblemCode::NotFound);
    let program = service.nobody().header("accept", "text/html").get("/v1/nothing").await;
    program.problem(ProblemCode::NotFound);
    assert_eq!(service.browser().get("/").await.location(), "/runs");
}

#[tokio::test]
async fn no_page_is_shown_to_nobody() {
    let service = service().await;
    for path in ["/runs", "/runs?q=a%20b"] {
        let to = service.browser().get(path).await.location().to_owned();
        assert!(to.starts_with("/sign-in?next=%2Fruns"), "{to}");
    }
    let script = service.browser().refresh("/runs?part=list").await;
    assert_eq!(script.status, 401);
    assert!(script.headers.get("www-authenticate").is_none(), "no dialog of the browser's");
}

#[tokio::test]
async fn a_service_without_accounts_tells_a_person_so() {
    let service = crate::testing::empty_service().await;
    let person = service.nobody().header("accept", "text/html").get("/runs").await;
    assert_eq!(person.status, 503);
    assert!(person.text().contains("This service has no account yet"), "{}", person.text());
    service.nobody().get("/v1/runs").await.problem(ProblemCode::Unavailable);
}

/// Wherever a text of others or of one's own can stand, it is text, however long.
#[tokio::test]
async fn ten_thousand_characters_that_mislead_are_harmless_everywhere() {
    let service = service().await;
    let hostile = format!("<script>alert(1)</script>\u{202e}{}", "x".repeat(10_000));
    let ann = service.browse("ann").await;
    let mut pages = vec![ann.get(&format!("/runs?{}", query([("q", &*hostile)]))).await];
    for (path, name, beside) in [
        ("/grants", "host", ("to", "bob@lab.net")),
        ("/grants", "to", ("host", "h")),
        ("/hosts/hold", "host", ("reason", "r")),
        ("/hosts/hold", "reason", ("host", "h")),
        ("/accounts", "email", ("password", "long enough")),
        ("/runs/bulk", "run", ("do", "retry")),
        ("/sign-in", "email", ("password", "x")),
    ] {
        pages.push(ann.post(path, &[(name, &hostile), beside]).await);
    }
    let study = serde_json::json!({ "title": hostile, "description": hostile });
    let made = service.user("ann").post("/v1/studies", &study).await;
    assert!(made.status.is_success() || made.status == 422, "{}", made.text());
    for path in ["/studies", "/hosts", "/grants", "/audit", "/accounts"] {
        pages.push(ann.get(path).await);
    }
    let asked = query([("subject", &*hostile), ("account", &*hostile)]);
    pages.push(ann.get(&format!("/audit?{asked}")).await);
    for page in pages {
        let text = page.text();
        assert!(!page.status.is_server_error(), "{}: {text}", page.status);
        assert!(!text.contains("<script>alert"), "{text}");
    }
}
