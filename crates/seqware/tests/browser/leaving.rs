//! A browser ends with its test, also where the test is killed.

use std::fs;
use std::path::Path;

use crate::browser::Browser;
use crate::site::wait_for;

#[ignore = "cargo xtask browser runs it"]
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_ends_with_a_test_that_is_killed() {
    let Some(mut browser) = Browser::open().await else { return };
    let folder = browser.watched().folder().to_owned();
    assert!(of(&folder) > 1, "the driver and its browser know the folder");
    browser.watched().let_go();
    wait_for("the browser ends", || of(&folder) == 0);
    assert!(!folder.exists());
}

/// How many processes have a folder in their environment; those that ended and nobody waited for have none.
fn of(folder: &Path) -> usize {
    let marker = folder.as_os_str().as_encoded_bytes();
    let knows = |entry: &fs::DirEntry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.windows(marker.len()).any(|part| part == marker)
    };
    fs::read_dir("/proc").unwrap().flatten().filter(knows).count()
}
