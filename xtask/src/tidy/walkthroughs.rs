//! What ARCHITECTURE.md names must exist: a walk-through that leads nowhere is worse than none.
//!
//! Looked at are the words in single backticks, outside fenced blocks:
//! - `crates/x/src/a.rs`, `docs/`: a file or folder from the root; `a/{b,c}.rs` means both;
//! - `a.rs`, `b/a.rs`: a Rust file whose path ends so;
//! - `name()`, `module::name(argument)`, `Type::name()`: a function; with a module it must stand in
//!   that module's file, with a type in a file that implements the type.
//!
//! `link(2)` is a manual page, and everything else is prose.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::functions::function_names;
use super::rust_text::is_word;
use super::source::SourceFile;
use crate::repository::has_extension;

/// The document.
pub(crate) const DOCUMENT: &str = "ARCHITECTURE.md";

/// Checks the document against the files there are.
pub(crate) fn check(
    document: Option<&str>,
    paths: &[String],
    sources: &[SourceFile],
) -> Vec<Finding> {
    let Some(document) = document else {
        return vec![Finding::of_file(DOCUMENT, "the file is missing")];
    };
    let index = Index::new(paths, sources);
    let mut findings = Vec::new();
    for (line, span) in code_spans(document) {
        for name in Name::parse(&span) {
            if let Some(complaint) = index.complaint(&name) {
                findings.push(Finding::of_line(DOCUMENT, line, complaint));
            }
        }
    }
    findings
}

/// Something a document can name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// A file, or with a `/` at its end a folder, from the root.
    Path(String),
    /// The end of a Rust file's path.
    RustFile(String),
    /// A function, and the module or type it belongs to.
    Function { owner: Option<String>, name: String },
}

impl Name {
    /// Returns what the words in backticks name: nothing, one thing, or several through braces.
    fn parse(span: &str) -> Vec<Self> {
        if let Some(function) = Self::parse_function(span) {
            return vec![function];
        }
        if span.contains(|c: char| c.is_whitespace() || "<>*$=:".contains(c)) {
            return Vec::new();
        }
        expand_braces(span).into_iter().filter_map(|path| Self::parse_path(&path)).collect()
    }

    fn parse_path(path: &str) -> Option<Self> {
        const TOP: [&str; 9] = [
            "crates/",
            "xtask/",
            "docs/",
            "examples/",
            "deploy/",
            "benches/",
            "fuzz/",
            ".ci/",
            "assets/",
        ];
        if TOP.iter().any(|top| path.starts_with(top)) {
            return Some(Self::Path(path.to_owned()));
        }
        has_extension(path, "rs").then(|| Self::RustFile(path.to_owned()))
    }

    fn parse_function(span: &str) -> Option<Self> {
        let (path, arguments) = span.strip_suffix(')')?.split_once('(')?;
        let is_manual_page = !arguments.is_empty() && arguments.bytes().all(|b| b.is_ascii_digit());
        let mut words: Vec<&str> = path.split("::").collect();
        let all_words = words.iter().all(|word| !word.is_empty() && word.bytes().all(is_word));
        if is_manual_page || !all_words {
            return None;
        }
        let name = words.pop()?.to_owned();
        Some(Self::Function { owner: words.pop().map(str::to_owned), name })
    }
}

/// Every path, and every function with the files it stands in.
struct Index<'s> {
    paths: BTreeSet<&'s str>,
    functions: BTreeMap<String, Vec<&'s SourceFile>>,
}

impl<'s> Index<'s> {
    fn new(paths: &'s [String], sources: &'s [SourceFile]) -> Self {
        let mut functions: BTreeMap<String, Vec<&SourceFile>> = BTreeMap::new();
        for source in sources {
            for name in function_names(source.code()) {
                functions.entry(name).or_default().push(source);
            }
        }
        Self { paths: paths.iter().map(String::as_str).collect(), functions }
    }

    fn complaint(&self, name: &Name) -> Option<String> {
        match name {
            Name::Path(path) => {
                let folder = format!("{}/", path.trim_end_matches('/'));
                let exists = self.paths.contains(path.as_str())
                    || self.paths.iter().any(|known| known.starts_with(&folder));
                (!exists).then(|| format!("there is no `{path}`"))
            }
            Name::RustFile(path) => {
                let end = format!("/{path}");
                let exists = self.paths.iter().any(|known| *known == path || known.ends_with(&end));
                (!exists).then(|| format!("no file's path ends with `{path}`"))
            }
            Name::Function { owner, name } => self.function_complaint(owner.as_deref(), name),
        }
    }

    fn function_complaint(&self, owner: Option<&str>, name: &str) -> Option<String> {
        let Some(files) = self.functions.get(name) else {
            return Some(format!("there is no function `{name}`"));
        };
        let owner = owner?;
        if files.iter().any(|file| belongs_to(file, owner)) {
            return None;
        }
        let places: BTreeSet<&str> = files.iter().map(|file| file.path()).collect();
        let places = places.into_iter().collect::<Vec<_>>().join(", ");
        Some(format!("`{name}` is not in `{owner}` but in {places}"))
    }
}

/// Returns whether the file is part of a module or crate, or has to do with a type, of this name.
fn belongs_to(file: &SourceFile, owner: &str) -> bool {
    if owner == "Self" || owner == "crate" {
        return true;
    }
    if owner.starts_with(|c: char| c.is_ascii_uppercase()) {
        let names_owner = |line: &str| {
            let has_item =
                ["impl", "trait ", "enum ", "struct "].iter().any(|item| line.contains(item));
            has_item
                && line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == owner)
        };
        return file.code().lines().any(names_owner);
    }
    let module = file.path().trim_end_matches(".rs");
    module.split('/').any(|part| part.replace('-', "_") == owner)
}

/// Returns the words in single backticks with their lines from 1, outside fenced blocks.
fn code_spans(document: &str) -> Vec<(usize, String)> {
    let mut spans = Vec::new();
    let mut fenced = false;
    for (index, line) in document.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            spans.extend(
                line.split('`').skip(1).step_by(2).map(|span| (index + 1, span.to_owned())),
            );
        }
    }
    spans
}

/// Returns `a/b.rs` and `a/c.rs` for `a/{b,c}.rs`.
fn expand_braces(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else {
        return vec![path.to_owned()];
    };
    let Some((choices, after)) = rest.split_once('}') else {
        return vec![path.to_owned()];
    };
    choices
        .split(',')
        .flat_map(|choice| expand_braces(&format!("{before}{choice}{after}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 3] = [
        "crates/niassa-model/src/run/status.rs",
        "crates/niassa-pipeline/src/launcher.rs",
        "docs/a.md",
    ];

    fn check(document: &str, expected: &[&str]) {
        let sources = [
            SourceFile::new(PATHS[0], "impl RunStatus {\n fn after(self) {}\n}\n".to_owned()),
            SourceFile::new(
                PATHS[1],
                "pub async fn launch_tick() {}\ntrait E { fn find(&self); }\n".to_owned(),
            ),
        ];
        let found = super::check(Some(document), &PATHS.map(str::to_owned), &sources);
        let found: Vec<String> = found.iter().map(Finding::to_string).collect();
        assert_eq!(found, expected, "{document}");
    }

    #[test]
    fn what_exists_is_no_finding() {
        check(
            "See `crates/niassa-model/src/run/status.rs`, `docs/`, `crates/niassa-pipeline/src`.",
            &[],
        );
        check("`launcher.rs`, `run/status.rs`, `src/{launcher,run/status}.rs`", &[]);
        check(
            "`launch_tick()`, `launcher::launch_tick`, `launcher::launch_tick()`, `find(keys)`",
            &[],
        );
        check("`RunStatus::after(event)` `niassa_pipeline::launch_tick()` `E::find()`", &[]);
    }

    #[test]
    fn what_does_not_exist_is() {
        check("\n`docs/b.md`", &["ARCHITECTURE.md:2: there is no `docs/b.md`"]);
        check("`laun.rs`", &["ARCHITECTURE.md:1: no file's path ends with `laun.rs`"]);
        check(
            "`run/{status,gone}.rs`",
            &["ARCHITECTURE.md:1: no file's path ends with `run/gone.rs`"],
        );
        check("`tick()`", &["ARCHITECTURE.md:1: there is no function `tick`"]);
        check(
            "`propagator::launch_tick()`",
            &[
                "ARCHITECTURE.md:1: `launch_tick` is not in `propagator` but in crates/niassa-pipeline/src/launcher.rs",
            ],
        );
        check(
            "`Run::after()`",
            &[
                "ARCHITECTURE.md:1: `after` is not in `Run` but in crates/niassa-model/src/run/status.rs",
            ],
        );
    }

    #[test]
    fn prose_and_fenced_blocks_are_left_alone() {
        check("`link(2)` `completed` `--host L` `/v1/claims` `steps/<k>/x.rs` ` ` `(a)`", &[]);
        check("```\n`gone.rs`\n```\n", &[]);
    }

    #[test]
    fn the_document_must_exist() {
        assert_eq!(super::check(None, &[], &[]).len(), 1);
    }
}
