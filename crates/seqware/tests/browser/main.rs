//! The pages in a real browser, in front of a real service with real runs on the local engine.
//!
//! `cargo xtask browser` installs what is needed and runs these; plain `cargo test` leaves them out,
//! because they take a minute. Pictures for the README are made where `NIASSA_GALLERY` names a folder, screenshots where `NIASSA_SCREENSHOTS` names a folder, and
//! accessibility is checked where `NIASSA_AXE` names the script of axe-core.
#![expect(clippy::disallowed_methods, reason = "tests start processes and read the environment")]
#![expect(clippy::unwrap_used, reason = "what is not as it should be fails the test")]
#![expect(clippy::print_stderr, reason = "skips are told to whoever runs the tests")]
#![expect(unreachable_pub, reason = "`pub` says what the site offers to the tests")]

mod axe;
mod browser;
mod gallery;
mod leaving;
mod log_story;
mod looks;
mod many;
mod plain_story;
#[expect(dead_code, reason = "the integration tests use all of it")]
#[path = "../it/site.rs"]
mod site;
mod stage;
mod steps_story;
mod story;
mod watched;
