//! The pictures of the README: the main pages of a lab's site, light and dark.
//!
//! `cargo xtask browser --gallery FOLDER` makes them. The service, the accounts, the workflows and the pages are
//! real. What became of the runs is told by a launcher that is played here (`played`), because a test has
//! neither a cluster nor hours; so the times of steps lie a little ahead of the clock.

mod lab;
mod played;

use std::path::{Path, PathBuf};

use crate::browser::{Browser, Scheme};
use crate::site::{ADMIN, Site};
use crate::stage::{open, sign_in};
use lab::{Lab, SHEET, WRONG_SHEET};

/// Pixels of a picture.
const WIDTH: u32 = 1_200;

#[ignore = "cargo xtask browser --gallery makes pictures with it"]
#[tokio::test(flavor = "multi_thread")]
async fn the_pictures_of_the_readme_are_made() {
    // Beside the other tests there is nothing to be made, and it would take their time.
    let Ok(folder) = std::env::var("NIASSA_GALLERY") else { return };
    let folder = PathBuf::from(folder);
    let browser = Browser::open().await.expect("pictures need chromedriver");
    let site = Site::start();
    let lab = lab::open(&site).await;
    browser.hide_scrollbars().await;
    browser.size(WIDTH, 760).await;
    open(&browser, &site, "/runs").await;
    sign_in(&browser, ADMIN).await;

    open(&browser, &site, "/runs").await;
    browser.see("Live.").await;
    keep(&browser, &folder, "runs", 800).await;
    open(&browser, &site, &format!("/runs/{}", lab.failed)).await;
    browser.see("it needed more memory").await;
    keep(&browser, &folder, "run-failed", 800).await;
    open(&browser, &site, &format!("/runs/{}", lab.done)).await;
    begin_at(&browser, "Plan").await;
    keep(&browser, &folder, "run-plan", 560).await;
    begin_at(&browser, "Times").await;
    keep(&browser, &folder, "run-times", 620).await;
    asks(&browser, &site, &lab).await;
    keep(&browser, &folder, "launch", 900).await;
    open(&browser, &site, "/hosts").await;
    keep(&browser, &folder, "hosts", 560).await;
    open(&browser, &site, &format!("/workflows/{}", lab.variants)).await;
    keep(&browser, &folder, "workflow-grid", 910).await;
    open(&browser, &site, &format!("/objects/{}", lab.file)).await;
    keep(&browser, &folder, "lineage", 900).await;
    browser.close().await;
}

/// Fills in the launch form, with one cell of the sheet that is not right.
async fn asks(browser: &Browser, site: &Site, lab: &Lab) {
    open(browser, site, &format!("/workflows/{}/launch", lab.variants)).await;
    browser.fill("p.sample", "NA12892").await;
    // Tabs move the focus when they are typed, so the sheet comes as a paste does.
    let sheet = SHEET.replace("4\t", WRONG_SHEET);
    let paste = format!("document.getElementById('p.lanes').value = {sheet:?}");
    browser.ask::<Option<String>>(&paste).await;
    browser.fill("host", lab::CLUSTER).await;
    browser.press("Schedule").await;
    browser.see("is not a whole number").await;
}

/// Moves the page so that a section stands at its top.
async fn begin_at(browser: &Browser, title: &str) {
    let script = format!(
        "const title = [...document.querySelectorAll('main h2')]\
            .find((title) => title.textContent.trim() === {title:?});\
         window.scrollTo(0, title.getBoundingClientRect().top + window.scrollY - 12);"
    );
    browser.ask::<Option<bool>>(&script).await;
}

/// Keeps what is seen, in the light and in the dark.
async fn keep(browser: &Browser, folder: &Path, name: &str, height: u32) {
    let top: f64 = browser.ask("return window.scrollY").await;
    browser.size(WIDTH, height).await;
    for (scheme, word) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
        browser.scheme(scheme).await;
        browser.ask::<Option<bool>>(&format!("window.scrollTo(0, {top})")).await;
        let picture = browser.screenshot_as_png().await.unwrap();
        std::fs::write(folder.join(format!("{name}-{word}.png")), picture).unwrap();
    }
    browser.scheme(Scheme::Light).await;
}
