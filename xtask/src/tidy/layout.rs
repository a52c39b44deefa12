//! How files are laid out: their first line, their names, their blanks, and each crate's manifest.

use super::finding::Finding;
use super::source::SourceFile;

/// Checks that a Rust file says first what it is for, and is not called `mod.rs`.
pub(crate) fn source(source: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.text().starts_with("//! ") {
        let message = "the file does not open with `//!` on what it is for";
        findings.push(Finding::of_line(source.path(), 1, message));
    }
    if source.path().ends_with("/mod.rs") {
        let message = "a module's file is `name.rs` beside its folder, never `mod.rs`";
        findings.push(Finding::of_file(source.path(), message));
    }
    findings
}

/// Checks that a text has no tabs, no blanks at the ends of lines, and ends with one newline.
pub(crate) fn blanks(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.split_terminator('\n').enumerate() {
        if line.contains('\t') {
            findings.push(Finding::of_line(path, index + 1, "a tab"));
        }
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::of_line(path, index + 1, "blanks at the end of the line"));
        }
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        findings.push(Finding::of_file(path, "the file does not end with one newline"));
    }
    findings
}

/// Checks that a crate's manifest takes the workspace's lints and edition.
pub(crate) fn manifest(path: &str, text: &str) -> Vec<Finding> {
    // The root manifest defines what the others take; fuzz targets are a workspace of their own.
    if text.contains("[workspace]") {
        return Vec::new();
    }
    let required =
        [("[lints]\nworkspace = true", "lints"), ("edition.workspace = true", "edition")];
    let missing = required.iter().filter(|(words, _)| !text.contains(words));
    missing
        .map(|(_, what)| Finding::of_file(path, format!("the crate lacks the workspace's {what}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        for (path, text, count) in [
            ("src/a.rs", "//! What it is for.\n", 0),
            ("src/a.rs", "// What it is for.\n", 1),
            ("src/a.rs", "\n//! Late.\n", 1),
            ("src/a/mod.rs", "//! What it is for.\n", 1),
            ("src/mod.rs", "", 2),
        ] {
            let found = source(&SourceFile::new(path, text.to_owned()));
            assert_eq!(found.len(), count, "{path} {text:?}: {found:?}");
        }
    }

    #[test]
    fn blanks_are_found_with_their_line() {
        for (text, expected) in [
            ("a\nb\n", vec![]),
            ("", vec![]),
            ("a\n\tb\n", vec!["f:2: a tab"]),
            ("a \n", vec!["f:1: blanks at the end of the line"]),
            ("a\r\n", vec!["f:1: blanks at the end of the line"]),
            ("a", vec!["f: the file does not end with one newline"]),
            ("a\n\n", vec!["f: the file does not end with one newline"]),
        ] {
            assert_eq!(messages(&blanks("f", text)), expected, "{text:?}");
        }
    }

    #[test]
    fn a_manifest_takes_the_workspace_lints() {
        let good = "[package]\nedition.workspace = true\n\n[lints]\nworkspace = true\n";
        assert_eq!(manifest("a/Cargo.toml", good), []);
        assert_eq!(manifest("Cargo.toml", "[workspace]\nmembers = []\n"), []);
        let found = manifest("a/Cargo.toml", "[package]\nedition.workspace = true\n");
        assert_eq!(messages(&found), ["a/Cargo.toml: the crate lacks the workspace's lints"]);
    }
}
