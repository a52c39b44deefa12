//! The reference in `docs/reference`, made of the code: commands, settings, exit codes, statuses, API.
//!
//! Tests only: they say when a page is not what the code says. `INSTA_UPDATE=always` writes the pages,
//! as it does for the help texts.

mod commands;
mod comments;
mod mentioned;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use crate::settings::Surroundings;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference")
}

/// Compares a page with the file of that name, or writes it where pages are to be written.
#[track_caller]
fn assert_page(name: &str, page: &str) {
    let path = folder().join(name);
    let page = format!(
        "<!-- Made of the code; `INSTA_UPDATE=always cargo test -p seqware reference` writes it. -->\n\n{page}"
    );
    if Surroundings::of_this_process().variable("INSTA_UPDATE") == Some("always") {
        fs::write(&path, &page).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(page.lines()).find(|(there, made)| there != made);
    assert!(there == page, "docs/reference/{name} is not what the code says, first at {differs:?}");
}

#[test]
fn commands_are_as_documented() {
    assert_page("commands.md", &commands::page());
}

#[test]
fn settings_are_as_documented() {
    assert_page("settings.md", &words::settings());
}

#[test]
fn exit_codes_are_as_documented() {
    assert_page("exit-codes.md", &words::exit_codes());
}

#[test]
fn statuses_and_reasons_are_as_documented() {
    assert_page("statuses.md", &words::statuses());
}

#[test]
fn the_api_is_as_documented() {
    let text = fs::read_to_string(folder().join("../openapi.json")).unwrap();
    assert_page("api.md", &words::api(&serde_json::from_str(&text).unwrap()));
}
