//! The repository's own rules, as a test.
//!
//! Each rule is a pure function from what was read to findings. Only this file reads; the rules
//! know neither folders nor cargo. What a compiler or clippy can check is not checked here again.

mod edges;
mod finding;
mod functions;
mod layout;
mod rust_text;
mod sizes;
mod source;
mod vendored;
mod walkthroughs;
mod words;

use anyhow::{Context, Result};

pub(crate) use finding::Finding;
use source::SourceFile;

use crate::repository::{Repository, has_extension};

/// The kinds of file people write here and whose blanks are therefore checked; recorded outputs and
/// snapshots keep theirs.
const WRITTEN_BY_HAND: [&str; 9] =
    [".rs", ".toml", ".md", ".sql", ".sh", ".yaml", ".yml", ".html", ".ci/run"];

/// Checks the whole working copy; the findings come in the order of their paths.
pub(crate) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let paths = repository.files()?;
    let read = |path: &str| {
        std::fs::read(repository.root().join(path)).with_context(|| format!("cannot read {path}"))
    };
    let mut findings = edges::check(&repository.metadata()?)?;
    let mut sources = Vec::new();
    for path in paths.iter().filter(|path| !vendored::is_vendored(path)) {
        if !WRITTEN_BY_HAND.iter().any(|end| path.ends_with(end)) {
            continue;
        }
        let text = String::from_utf8_lossy(&read(path)?).into_owned();
        findings.extend(layout::blanks(path, &text));
        if path.ends_with("Cargo.toml") {
            findings.extend(layout::manifest(path, &text));
        }
        if has_extension(path, "rs") {
            sources.push(SourceFile::new(path, text));
        }
    }
    for source in &sources {
        findings.extend(layout::source(source));
        findings.extend(words::check(source));
    }
    findings.extend(sizes::check(&sources));
    let architecture = std::fs::read_to_string(repository.root().join(walkthroughs::DOCUMENT)).ok();
    findings.extend(walkthroughs::check(architecture.as_deref(), &paths, &sources));
    for list in paths.iter().filter(|path| vendored::is_list(path)) {
        let text = String::from_utf8_lossy(&read(list)?).into_owned();
        findings.extend(vendored::check(list, &text, &paths, |path| read(path).ok()));
    }
    findings.extend(vendored::unlisted_folders(&paths));
    findings.sort();
    Ok(findings)
}
