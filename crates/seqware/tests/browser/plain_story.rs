//! A person's day in a browser that loads no script: what is not fresh is reloaded, and nothing else is missed.

use serde_json::json;

use crate::browser::Browser;
use crate::site::Site;
use crate::stage::{BOB, HOST, fragile, launch, open, sign_in};

#[ignore = "cargo xtask browser runs it"]
#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_without_scripts() {
    let Some(browser) = Browser::open().await else { return };
    let site = Site::start();
    let bob = site.account(BOB);
    let workflow = fragile(&site, &bob);
    let network = browser.cdp();
    network.send_raw("Network.enable", json!({})).await.unwrap();
    network.send_raw("Network.setBlockedURLs", json!({"urls": ["*.js", "*.js?*"]})).await.unwrap();

    open(&browser, &site, &format!("/workflows/{workflow}/launch")).await;
    sign_in(&browser, BOB).await;
    let has_scripts: bool = browser.ask("return typeof htmx !== 'undefined'").await;
    assert!(!has_scripts, "no script was loaded");
    browser.fill("host", HOST).await;
    browser.fill("p.greeting", "Hello").await;
    browser.fill("p.regions", "left,1\nright,2").await;
    browser.press("Schedule").await;
    browser.see("waiting for a launcher on here").await;
    let page = browser.current_url().await.unwrap();
    let run = page.path_segments().unwrap().next_back().unwrap().parse().unwrap();

    launch(&bob);
    bob.propagate_until(run, "failed");
    browser.see("As of").await;
    browser.refresh().await.unwrap();
    browser.see("Step merge failed: its command ended with exit code 7").await;
    browser.press("Retry what did not succeed").await;
    browser.see("submitted_retry").await;

    open(&browser, &site, "/runs").await;
    browser.fill("q", "host:here is:active").await;
    browser.press("Search").await;
    browser.press("Cancel all found").await;
    browser.see("1 run will be cancelled").await;
    browser.press("Stop 1 run").await;
    browser.see("Done: 1 run will be cancelled").await;
    browser.follow("Back").await;
    // No launcher had answered the retry: it is taken back, and the run has failed as before.
    browser.see("No run is found.").await;
    assert_eq!(bob.status(run), "failed");
    browser.close().await;
}
