//! Sessions, through the router.

use axum::http::Method;
use axum::http::header::SET_COOKIE;
use niassa_api::accounts::WhoAmI;
use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_metadb::access::Sees;
use serde_json::json;

use crate::testing::{PASSWORD, service};

const BOB: &str = "bob@lab.net";

#[tokio::test]
async fn a_password_begins_a_session_that_pages_know() {
    let service = service().await;
    assert!(service.browser().get("/sign-in").await.page().contains("<h1>Sign in</h1>"));
    let bob = service.browse("bob").await;
    assert!(bob.get("/runs").await.page().contains(BOB));
    assert_eq!(bob.get("/sign-in?next=/runs%3Fq%3Dx").await.location(), "/runs?q=x");
    // The cookie is good for pages alone.
    service
        .nobody()
        .header("cookie", bob.cookie.as_ref().unwrap())
        .get("/v1/whoami")
        .await
        .problem(ProblemCode::NotSignedIn);
    assert_eq!(bob.post("/sign-out", &[]).await.location(), "/sign-in");
    assert_eq!(bob.get("/runs").await.status, 303);
}

#[tokio::test]
async fn a_cookie_is_seen_by_no_script_and_travels_safely() {
    let service = service().await;
    let form = format!("email={BOB}&password=correct+horse&next=/runs");
    let ask = |host: &'static str| {
        service.nobody().header("host", host).header("sec-fetch-site", "same-origin").send(
            Method::POST,
            "/sign-in",
            form.clone().into(),
        )
    };
    let here = ask("localhost:8080").await;
    let cookie = here.headers.get(SET_COOKIE).unwrap().to_str().unwrap();
    assert!(cookie.starts_with("niassa=") && cookie.contains("HttpOnly; SameSite=Lax"));
    let elsewhere = ask("server1.lab.net").await;
    let cookie = elsewhere.headers.get(SET_COOKIE).unwrap().to_str().unwrap();
    assert!(cookie.starts_with("__Host-niassa=") && cookie.contains("Path=/; Secure; HttpOnly"));
}

#[tokio::test]
async fn a_new_session_replaces_the_one_before() {
    let service = service().await;
    let before = service.browse("bob").await;
    let form = [("email", BOB), ("password", PASSWORD)];
    let mut after = service.browser();
    after.cookie.clone_from(&before.cookie);
    let answer = after.post("/sign-in", &form).await;
    after.keep(&answer);
    assert_ne!(before.cookie, after.cookie);
    assert_eq!(before.get("/runs").await.status, 303);
    assert_eq!(after.get("/runs").await.status, 200);
}

#[tokio::test]
async fn a_wrong_password_is_told_and_guessing_is_stopped_with_that_of_headers() {
    let service = service().await;
    let browser = service.browser();
    let wrong = [("email", BOB), ("password", "wrong"), ("next", "/runs?q=x")];
    let answer = browser.post("/sign-in", &wrong).await;
    assert_eq!(answer.status, 401);
    let page = answer.text();
    assert!(
        page.contains("The address or the password is not right") && page.contains("/runs?q=x")
    );
    assert!(!page.contains("wrong\""));
    for _ in 0..19 {
        service.basic(BOB, "wrong").get("/v1/whoami").await.problem(ProblemCode::NotSignedIn);
    }
    assert_eq!(browser.post("/sign-in", &wrong).await.status, 429);
    service.basic(BOB, "wrong").get("/v1/whoami").await.problem(ProblemCode::TooMany);
}

#[tokio::test]
async fn sessions_end_with_the_password_and_with_the_account() {
    let service = service().await;
    let bob = service.browse("bob").await;
    let path = format!("/v1/accounts/{BOB}/password");
    let new = json!({ "password": "another horse" });
    assert!(service.user("bob").json(Method::PUT, &path, &new).await.status.is_success());
    assert_eq!(bob.get("/runs").await.status, 303);

    let eve = service.browse("eve").await;
    let shut = json!({ "state": "disabled" });
    let answer = service.user("ann").json(Method::PATCH, "/v1/accounts/eve@lab.net", &shut).await;
    assert!(answer.status.is_success());
    assert_eq!(eve.get("/runs").await.status, 303);
    let form = [("email", "eve@lab.net"), ("password", PASSWORD)];
    assert_eq!(service.browser().post("/sign-in", &form).await.status, 401);
}

#[tokio::test]
async fn a_password_that_was_good_a_moment_ago_begins_no_session() {
    let service = service().await;
    let me: WhoAmI = service.user("bob").get("/v1/whoami").await.json();
    // As another process would, which cannot make this one forget.
    let bob = service.app.metadb.account_to_sign_in(&me.email).await.unwrap().unwrap();
    let access = Access {
        account: bob.id,
        email: BOB.to_owned(),
        sees: Sees::Own,
        hosts: None,
        origin: None,
    };
    service.app.metadb.set_password(&access, &me.email, "another hash").await.unwrap();
    assert!(service.user("bob").get("/v1/whoami").await.status.is_success(), "for a minute");
    let form = [("email", BOB), ("password", PASSWORD)];
    assert_eq!(service.browser().post("/sign-in", &form).await.status, 401);
}

#[tokio::test]
async fn another_site_changes_nothing() {
    let service = service().await;
    let bob = service.browse("bob").await;
    for site in ["cross-site", "same-site"] {
        assert_eq!(bob.post_from(site, "/sign-out", &[]).await.status, 403);
        let form = [("email", "eve@lab.net"), ("password", PASSWORD)];
        assert_eq!(bob.post_from(site, "/sign-in", &form).await.status, 403);
    }
    assert_eq!(bob.get("/runs").await.status, 200);
    let me: WhoAmI = service.user("bob").get("/v1/whoami").await.json();
    assert_eq!(me.email.as_str(), BOB);
}

#[tokio::test]
async fn a_form_that_met_the_end_of_its_session_is_kept() {
    let service = service().await;
    let mut browser = service.browser();
    browser.cookie = Some("niassa=ended".to_owned());
    let typed = "<b>\"two\nlines\"</b>";
    let answer = browser.post("/runs/bulk", &[("do", "retry"), ("run", "7"), ("x", typed)]).await;
    assert_eq!(answer.status, 401);
    let page = answer.text();
    assert!(page.contains("Your session has ended") && !page.contains("<b>"));
    let kept = "do=retry&run=7&x=%3Cb%3E%22two%0Alines%22%3C%2Fb%3E";
    assert!(page.contains(&kept.replace('&', "&#38;")), "{page}");
    let form = [("email", BOB), ("password", PASSWORD), ("next", "/runs/bulk"), ("kept", kept)];
    let page = browser.post("/sign-in", &form).await.page();
    assert!(page.contains(r#"action="/runs/bulk""#) && page.contains(r#"name="do" value="retry""#));
    assert!(page.contains("&#60;b&#62;&#34;two\nlines&#34;&#60;/b&#62;"), "{page}");
}

#[tokio::test]
async fn a_password_that_was_kept_is_not_read_over_a_shoulder() {
    let service = service().await;
    let kept = "old=ancient-horse&again=newer-horse";
    let next = "/account/password";
    let form = [("email", BOB), ("password", PASSWORD), ("next", next), ("kept", kept)];
    let page = service.browser().post("/sign-in", &form).await.page();
    assert_eq!(page.matches("ancient-horse").count(), 1, "only to be sent on: {page}");
    assert_eq!(page.matches("(not shown)").count(), 2);
}

#[tokio::test]
async fn nobody_is_led_elsewhere_after_signing_in() {
    let service = service().await;
    for next in ["//evil.net", "https://evil.net", "/\\evil.net"] {
        let form = [("email", BOB), ("password", PASSWORD), ("next", next)];
        assert_eq!(service.browser().post("/sign-in", &form).await.location(), "/runs");
    }
}
