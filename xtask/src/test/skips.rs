//! Tests that leave themselves out, and how they say so.
//!
//! Rust's test harness knows no skipping at run time: a test that cannot run here returns early and
//! counts as passed. So that nobody takes it for one, it appends a line
//! `SKIPPED <test name>: <reason>` to the file that the environment variable `NIASSA_SKIPS` names,
//! when there is one; each line by one write to a file opened for appending.

use std::fs;
use std::io;
use std::path::Path;

/// The environment variable that names the file.
pub(crate) const VARIABLE: &str = "NIASSA_SKIPS";

/// A test or check that was left out. Ordered by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Skip {
    /// The test.
    pub(crate) name: String,
    /// Why it was left out.
    pub(crate) reason: String,
}

impl Skip {
    /// Makes a skip.
    pub(crate) fn new(name: &str, reason: &str) -> Self {
        Self { name: name.to_owned(), reason: reason.to_owned() }
    }
}

/// Returns the skips in the file, each test once, and empties it.
pub(crate) fn take(path: &Path) -> io::Result<Vec<Skip>> {
    let text = fs::read_to_string(path)?;
    fs::write(path, "")?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Vec<Skip> {
    let mut skips: Vec<Skip> = text.lines().filter_map(parse_line).collect();
    skips.sort();
    skips.dedup_by(|later, earlier| later.name == earlier.name);
    skips
}

/// The name is a test's path, `a::b::c`, so the first colon followed by a blank ends it.
fn parse_line(line: &str) -> Option<Skip> {
    let (name, reason) = line.strip_prefix("SKIPPED ")?.split_once(": ")?;
    Some(Skip::new(name, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_once_per_test() {
        let text =
            "SKIPPED b::c: no bwa: not installed\nnoise\nSKIPPED a: no root\nSKIPPED a: again\n";
        assert_eq!(
            parse(text),
            [Skip::new("a", "again"), Skip::new("b::c", "no bwa: not installed")]
        );
        assert_eq!(parse("SKIPPED without a reason\n"), []);
    }

    #[test]
    fn taking_empties_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "SKIPPED a: no root\n").unwrap();
        assert_eq!(take(file.path()).unwrap().len(), 1);
        assert_eq!(take(file.path()).unwrap(), []);
    }
}
