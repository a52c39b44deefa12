//! How every page looks: to axe, on a small screen, in the light and in the dark.

use std::path::PathBuf;

use crate::axe;
use crate::browser::{Browser, Scheme};
use crate::site::{ADMIN, Site, skip};
use crate::stage::{BOB, HOST, fragile, items, launch, long, open, send_password, sign_in, wide};

/// A name that tries to be more than a name.
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}gpj.exe";

#[ignore = "cargo xtask browser runs it"]
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_and_fits_a_small_screen() {
    let Some(browser) = Browser::open().await else { return };
    let axe = axe::script();
    if axe.is_none() {
        skip("axe-core is not there");
    }
    let site = Site::start();
    let pages = pages(&site);
    open(&browser, &site, "/sign-in").await;
    look(&browser, axe.as_deref(), "sign-in").await;
    sign_in(&browser, ADMIN).await;
    marks(&browser, axe.as_deref(), &site).await;
    for (name, path) in pages {
        open(&browser, &site, &path).await;
        look(&browser, axe.as_deref(), name).await;
        let alerted: bool = browser.ask("return document.scripts.length !== 2").await;
        assert!(!alerted, "{name}: a script that is not ours");
    }
    objects(&browser, axe.as_deref(), &site).await;
    forms(&browser, axe.as_deref(), &site).await;
    browser.close().await;
}

/// Looks at a file with what it comes from.
async fn objects(browser: &Browser, axe: Option<&str>, site: &Site) {
    open(browser, site, "/files").await;
    let file: String =
        browser.ask("return document.querySelector('main tbody a').getAttribute('href')").await;
    open(browser, site, &file).await;
    look(browser, axe, "object").await;
}

/// Looks at what forms answer: what is asked before it is done, what is wrong, what is shown once, and
/// what is kept when a session ends.
async fn forms(browser: &Browser, axe: Option<&str>, site: &Site) {
    open(browser, site, "/runs?q=is%3Aactive").await;
    browser.press("Cancel all found").await;
    browser.see("runs will be cancelled").await;
    look(browser, axe, "cancel").await;
    open(browser, site, "/account").await;
    browser.fill("label", "a script of mine").await;
    browser.press("Make the token").await;
    browser.see("The secret of the new token").await;
    look(browser, axe, "token").await;
    open(browser, site, "/workflows/1/launch").await;
    browser.fill("host", HOST).await;
    browser.fill("p.regions", "left,one").await;
    browser.press("Schedule").await;
    browser.see("is not a whole number").await;
    look(browser, axe, "launch-wrong").await;
    browser.delete_all_cookies().await.unwrap();
    browser.press("Schedule").await;
    browser.see("what you typed is kept").await;
    look(browser, axe, "sign-in-again").await;
    send_password(browser, ADMIN).await;
    browser.see("You are signed in again").await;
    look(browser, axe, "signed-in-again").await;
}

/// Marks some runs, looking at the pages that ask about it and that tell what was done.
async fn marks(browser: &Browser, axe: Option<&str>, site: &Site) {
    open(browser, site, &format!("/runs?q=host%3A{HOST}")).await;
    browser.press("Mark all found").await;
    browser.see("4 runs will be marked").await;
    browser.fill("add", "urgent, <i>").await;
    browser.press("Mark 4 runs").await;
    browser.see("is no mark").await;
    look(browser, axe, "marks-wrong").await;
    browser.fill("add", "urgent qc:passed cohort-\u{e4}").await;
    browser.press("Mark 4 runs").await;
    browser.see("Done: 4 runs marked.").await;
    look(browser, axe, "marks-done").await;
    browser.follow("Back").await;
    browser.press("Mark all found").await;
    browser.see("Take away").await;
    look(browser, axe, "marks").await;
}

/// Fills a site with a bit of everything, and returns its pages.
fn pages(site: &Site) -> Vec<(&'static str, String)> {
    let bob = site.account(BOB);
    let workflow = fragile(site, &bob);
    let slow = long(site, &bob);
    let values =
        ["greeting=Hello there", r#"regions=[{"name":"left","size":1},{"name":"right","size":2}]"#];
    let failed = bob.schedule(workflow, HOST, &values);
    let running = bob.schedule(slow, HOST, &[]);
    launch(&bob);
    bob.propagate_until(failed, "failed");
    std::fs::write(site.path("cure"), "").unwrap();
    let done = bob.schedule(workflow, HOST, &values);
    launch(&bob);
    bob.propagate_until(done, "completed");
    let many = bob.schedule(wide(site, &bob), HOST, &[&items(205)]);
    launch(&bob);
    bob.propagate_until(many, "failed");
    for _ in 0..60 {
        bob.schedule(slow, HOSTILE, &[]);
    }
    let page = |name, path: String| (name, path);
    vec![
        page("runs", "/runs".to_owned()),
        page("runs-marked", "/runs?q=mark%3Aurgent".to_owned()),
        page("runs-searched", "/runs?q=status%3Anothing+x%3Ay".to_owned()),
        page("run-failed", format!("/runs/{failed}")),
        page("run-running", format!("/runs/{running}")),
        page("run-completed", format!("/runs/{done}")),
        page("run-steps", format!("/runs/{done}/steps")),
        page("run-many", format!("/runs/{many}")),
        page("run-many-steps", format!("/runs/{many}/steps?group=each&page=2")),
        page("run-log", format!("/runs/{failed}/steps/0/log?stream=stdout#L1")),
        page("run-logs", format!("/runs/{failed}/logs")),
        page("run-files", format!("/runs/{done}/files")),
        page("run-values", format!("/runs/{done}/values")),
        page("run-events", format!("/runs/{done}/events")),
        page("compare", format!("/compare?a={failed}&b={done}")),
        page("workflows", "/workflows".to_owned()),
        page("workflow", format!("/workflows/{workflow}")),
        page("launch", format!("/workflows/{workflow}/launch?from={done}")),
        page("studies", "/studies".to_owned()),
        page("samples", "/samples".to_owned()),
        page("files", "/files".to_owned()),
        page("hosts", "/hosts".to_owned()),
        page("account", "/account".to_owned()),
        page("accounts", "/accounts".to_owned()),
        page("grants", "/grants".to_owned()),
        page("audit", "/audit".to_owned()),
        page("problem", "/runs/4711".to_owned()),
    ]
}

async fn look(browser: &Browser, axe: Option<&str>, name: &str) {
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.scheme(scheme).await;
        if let Some(axe) = axe {
            axe::check(browser, axe, &format!("{name} {scheme:?}")).await;
        }
        photograph(browser, &format!("{name}-{scheme:?}").to_lowercase(), 1_200).await;
    }
    browser.scheme(Scheme::Light).await;
    browser.size(360, 740).await;
    let (width, room): (u32, u32) = browser
        .ask("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        .await;
    photograph(browser, &format!("{name}-small"), 360).await;
    assert!(width <= room, "{name}: {width} pixels on a screen of {room}");
    browser.size(1_200, 900).await;
}

/// Keeps a picture of the whole page, as far down as somebody may look.
async fn photograph(browser: &Browser, name: &str, width: u32) {
    let Ok(folder) = std::env::var("NIASSA_SCREENSHOTS") else { return };
    let height: u32 = browser.ask("return document.documentElement.scrollHeight").await;
    browser.size(width, height.clamp(740, 2_400)).await;
    let picture = browser.screenshot_as_png().await.unwrap();
    std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), picture).unwrap();
    browser.size(width, if width == 360 { 740 } else { 900 }).await;
}
