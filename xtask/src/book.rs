//! The book: `docs/` as pages in `target/book`, made by mdBook; and whether its links lead somewhere.
//!
//! mdBook is built below the target folder the first time. The links are looked at by a test as well,
//! which needs no mdBook.

mod links;

use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};

use crate::dist::tools::{cargo_tool, run as run_tool};
use crate::repository::Repository;

const MDBOOK: &str = "mdbook@0.5.4";

/// Builds the book.
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    ensure!(arguments.is_empty(), "usage: cargo xtask book");
    let findings = links::check(repository.root())?;
    for finding in &findings {
        println!("{finding}");
    }
    let mdbook = cargo_tool(repository, MDBOOK, "mdbook", &["--no-default-features"])?;
    let into = repository.target()?.join("book");
    run_tool(
        Command::new(mdbook)
            .arg("build")
            .arg(repository.root().join("docs"))
            .arg("--dest-dir")
            .arg(&into),
    )?;
    println!(
        "book: {} links lead nowhere; open {}",
        findings.len(),
        into.join("index.html").display()
    );
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
