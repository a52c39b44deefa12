//! Many runs at once: searched, ticked, cancelled and marked, with the number confirmed.

use thirtyfour::prelude::*;

use crate::browser::Browser;
use crate::site::{Site, User};
use crate::stage::{BOB, long, open, send_password, sign_in};

#[ignore = "cargo xtask browser runs it"]
#[tokio::test(flavor = "multi_thread")]
async fn many_runs_are_cancelled_and_marked_together() {
    let Some(browser) = Browser::open().await else { return };
    let site = Site::start();
    let bob = site.account(BOB);
    let slow = long(&site, &bob);
    open(&browser, &site, "/runs").await;
    sign_in(&browser, BOB).await;
    cancels(&browser, &site, &bob, slow).await;
    marks(&browser, &site, &bob, slow).await;
    browser.close().await;
}

async fn cancels(browser: &Browser, site: &Site, bob: &User, slow: i64) {
    let other = bob.schedule(slow, "elsewhere", &[]);
    let third = bob.schedule(slow, "elsewhere", &[]);
    let here = bob.schedule(slow, "not-found", &[]);
    open(browser, site, "/runs").await;
    browser.see("not-found").await;
    browser.fill("q", "host:elsewhere status:submitted").await;
    browser.key(Key::Enter).await;
    browser.see("waiting for a launcher on elsewhere").await;
    let url = browser.current_url().await.unwrap();
    assert!(url.query().unwrap().starts_with("q=host%3Aelsewhere"), "{url}");
    browser.see_no_more("not-found").await;
    // What is ticked stays so while the list refreshes under it.
    browser.click(By::Id(format!("run-{other}"))).await;
    let fourth = bob.schedule(slow, "elsewhere", &[]);
    browser.see(&fourth.to_string()).await;
    let ticked: bool =
        browser.ask(&format!("return document.getElementById('run-{other}').checked")).await;
    assert!(ticked);
    browser.press("Cancel chosen").await;
    browser.see("1 run will be cancelled").await;
    browser.press("Stop 1 run").await;
    browser.see("Done: 1 run will be cancelled").await;
    assert_eq!(bob.status(other), "cancelled");
    browser.follow("Back").await;
    browser.press("Cancel all found").await;
    browser.see("2 runs will be cancelled").await;
    browser.press("Stop 2 runs").await;
    browser.see("Done: 2 runs will be cancelled").await;
    assert_eq!((bob.status(third), bob.status(fourth)), ("cancelled".into(), "cancelled".into()));
    assert_eq!(bob.status(here), "submitted");
}

async fn marks(browser: &Browser, site: &Site, bob: &User, slow: i64) {
    let one = bob.schedule(slow, "marked-here", &[]);
    let two = bob.schedule(slow, "marked-here", &[]);
    open(browser, site, "/runs?q=host%3Amarked-here").await;
    browser.press("Mark all found").await;
    browser.see("2 runs will be marked").await;
    browser.fill("add", "Urgent b\u{e4}d<word").await;
    browser.key(Key::Enter).await;
    browser.see("is no mark").await;
    browser.see("2 runs will be marked").await;
    let typed: String = browser.ask("return document.getElementById('add').value").await;
    assert_eq!(typed, "Urgent b\u{e4}d<word", "nothing typed is lost");
    // The session ends under the hands of who types: nothing is lost, and nothing done unasked.
    browser.fill("add", "Urgent qc:done").await;
    browser.delete_all_cookies().await.unwrap();
    browser.press("Mark 2 runs").await;
    browser.see("what you typed is kept").await;
    send_password(browser, BOB).await;
    browser.see("You are signed in again").await;
    browser.see("Urgent qc:done").await;
    browser.press("Send it now").await;
    browser.see("Done: 2 runs marked.").await;
    browser.follow("Back").await;
    browser.follow("urgent").await;
    browser.see("marked-here").await;
    assert_eq!(browser.current_url().await.unwrap().query(), Some("q=mark%3Aurgent"));

    // One of them from its own page, where it shows at once.
    open(browser, site, &format!("/runs/{one}")).await;
    browser.see("by bob@lab.net").await;
    browser.press("Change its marks").await;
    browser.click(By::Css("input[name='remove'][value='urgent']")).await;
    browser.press("Mark 1 run").await;
    browser.see("qc:done").await;
    browser.see_no_more("urgent").await;
    browser.follow("Events").await;
    browser.see("no longer marked urgent").await;
    open(browser, site, "/runs?q=mark%3Aurgent").await;
    let marked: Vec<String> = browser
        .ask("return [...document.querySelectorAll('input[name=run]')].map((box) => box.value)")
        .await;
    assert_eq!(marked, [two.to_string()]);
}
