//! One person's day: schedule by form, watch, fail, read, retry, cancel.

use std::fs;

use thirtyfour::prelude::*;

use crate::browser::Browser;
use crate::site::{Site, User};
use crate::stage::{BOB, HOST, fragile, launch, long, open, propagate, send_password, sign_in};

#[ignore = "cargo xtask browser runs it"]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_scheduled_watched_read_retried_and_cancelled() {
    let Some(browser) = Browser::open().await else { return };
    let mut site = Site::start();
    let bob = site.account(BOB);
    let workflow = fragile(&site, &bob);
    let slow = long(&site, &bob);
    schedules(&browser, &site, &bob, workflow).await;
    let page = browser.current_url().await.unwrap();
    sees_a_failure(&browser, &bob).await;
    fs::write(site.path("cure"), "").unwrap();
    browser.goto(page.as_str()).await.unwrap();
    retries(&browser, &bob).await;

    // The service goes away and comes back; the page says so, and nobody signs in again.
    open(&browser, &site, "/runs").await;
    browser.see("Live.").await;
    site.kill_service();
    browser.see("Stale").await;
    site.serve();
    browser.see_no_more("Stale").await;

    cancels(&browser, &site, &bob, slow).await;
    browser.close().await;
}

async fn schedules(browser: &Browser, site: &Site, bob: &User, workflow: i64) {
    // The page that was wanted comes after signing in.
    open(browser, site, "/workflows").await;
    sign_in(browser, BOB).await;
    browser.see("Calls variants by region").await;
    open(browser, site, &format!("/workflows/{workflow}")).await;
    browser.follow("Schedule a run").await;
    browser.press("Schedule").await;
    browser.see("no value is given").await;
    browser.fill("host", HOST).await;
    browser.fill("p.greeting", "<b>Hi</b>").await;
    browser.fill("p.regions", "left,1\nright,2\nmiddle,x").await;
    browser.press("Schedule").await;
    browser.see("item 3: `size`: `x` is not a whole number").await;
    let typed: String = browser.ask("return document.getElementById('p.regions').value").await;
    assert_eq!(typed, "left,1\nright,2\nmiddle,x");
    browser.fill("p.regions", "left,1\nright,2\nmiddle,3").await;
    browser.press("Show the command line").await;
    browser.see("seqware workflow schedule").await;
    let command: String =
        browser.ask("return document.getElementById('command').textContent").await;
    let same = bob.shell(&command).ok().swid();
    bob.seqware(&["workflow-run", "cancel", "--accession", &same.to_string()]).ok();

    // The session ends under the hands of who typed all this: nothing is lost, nothing done unasked.
    browser.delete_all_cookies().await.unwrap();
    browser.press("Schedule").await;
    browser.see("what you typed is kept").await;
    send_password(browser, BOB).await;
    browser.see("You are signed in again").await;
    browser.see("middle,3").await;
    browser.press("Send it now").await;
    browser.see("waiting for a launcher on here").await;
    browser.see("not planned yet").await;
    let values = |run: i64| {
        let run = run.to_string();
        bob.seqware(&["workflow-run", "ini", "--accession", &run, "--out", "-"]).ok().stdout
    };
    let page = browser.current_url().await.unwrap();
    let made = page.path_segments().unwrap().next_back().unwrap().parse().unwrap();
    assert_eq!(values(made), values(same), "the command does the same");
}

async fn sees_a_failure(browser: &Browser, bob: &User) {
    // Nothing is done to the page from here on: it shows what happens by itself.
    launch(bob);
    let mut propagator = propagate(bob);
    browser.see("Step merge failed: its command ended with exit code 7").await;
    browser.see("no cure is there yet").await;
    propagator.wait().unwrap();
    let stays: String = browser.ask("return document.activeElement.tagName").await;
    assert_eq!(stays, "BODY");

    browser.follow("The streams of this step").await;
    browser.see("no cure is there yet").await;
    browser.follow("Logs").await;
    browser.see("<b>Hi</b>").await;
    browser.see("calling middle").await;
}

async fn retries(browser: &Browser, bob: &User) {
    // The retry is asked for by the keyboard alone.
    browser.tab_to("retry").await;
    browser.key(Key::Enter).await;
    browser.see("submitted_retry").await;
    launch(bob);
    let mut propagator = propagate(bob);
    browser.see("completed").await;
    propagator.wait().unwrap();
    browser.follow("Files").await;
    browser.see("report.txt").await;
    browser.follow("Events").await;
    browser.see("retry requested").await;
}

async fn cancels(browser: &Browser, site: &Site, bob: &User, slow: i64) {
    let run = bob.schedule(slow, HOST, &[]);
    launch(bob);
    bob.propagate_until(run, "running");
    open(browser, site, &format!("/runs/{run}")).await;
    browser.see("running").await;
    browser.press("Cancel this run").await;
    browser.see("1 run will be cancelled").await;
    browser.press("Stop 1 run").await;
    browser.see("submitted_cancel").await;
    let mut propagator = propagate(bob);
    browser.see_no_more("submitted_cancel").await;
    browser.see("cancelled").await;
    propagator.wait().unwrap();
}
