//! The plan and the table of many steps: by keyboard, page by page, and what failed first.

use thirtyfour::prelude::*;

use crate::browser::Browser;
use crate::site::Site;
use crate::stage::{BOB, HOST, items, open, sign_in, wide};

#[ignore = "cargo xtask browser runs it"]
#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_many_is_reached() {
    let Some(browser) = Browser::open().await else { return };
    let site = Site::start();
    let bob = site.account(BOB);
    let run = bob.schedule(wide(&site, &bob), HOST, &[&items(205)]);
    bob.launch_and_finish(HOST);
    open(&browser, &site, "/runs").await;
    sign_in(&browser, BOB).await;
    open(&browser, &site, &format!("/runs/{run}")).await;
    browser.see("Step each[13] failed").await;

    // The picture leads to the table, by keyboard, and the table from page to page; the address says
    // which.
    browser.tab_to("node-1").await;
    browser.key(Key::Enter).await;
    browser.see("Steps 1 to 200 of 205").await;
    browser.see("each[199]").await;
    browser.follow("Next").await;
    browser.see("Steps 201 to 205 of 205").await;
    browser.see("each[204]").await;
    let url = browser.current_url().await.unwrap();
    assert_eq!(url.query(), Some("group=each&page=2"));
    browser.back().await.unwrap();
    browser.see("Steps 1 to 200 of 205").await;

    // What failed is one link away, from the page of the run and from the table, by keyboard too.
    browser.follow("All steps").await;
    browser.see("Steps 1 to 200 of 206").await;
    browser.find(By::Css(".views a[href*='status=failed']")).await.unwrap().focus().await.unwrap();
    browser.key(Key::Enter).await;
    browser.see("1 step, failed.").await;
    browser.see("each[13]").await;
    open(&browser, &site, &format!("/runs/{run}")).await;
    browser.click(By::Css(".tiles a[href*='status=skipped']")).await;
    browser.see("1 step, skipped.").await;
    browser.close().await;
}
