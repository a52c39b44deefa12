//! Every command line of `seqware` that stands in a block of code of the documentation is understood.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::super::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Returns the lines in blocks of code, with those that were broken by a backslash put together.
fn code(page: &str) -> Vec<String> {
    let (mut is_fenced, mut lines) = (false, Vec::new());
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_fenced || line.starts_with("    ") {
            lines.push(line.trim().trim_start_matches("$ "));
        }
    }
    let text = lines.join("\n").replace("\\\n", " ");
    text.lines().map(ToOwned::to_owned).collect()
}

/// Divides a line into words as a shell would, up to where something else than words begins.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), other) if other == open => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '|' | '>' | '<' | '&' | ';' | '#' | ')') => break,
            (None, ' ') => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            (_, other) => word.push(other),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[test]
fn every_command_line_of_the_documentation_is_understood() {
    let mut found = vec![root().join("README.md")];
    pages(&root().join("docs"), &mut found);
    pages(&root().join("deploy"), &mut found);
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in found {
        for line in code(&fs::read_to_string(&page).unwrap()) {
            let Some(at) = line.find("seqware ").filter(|at| line[..*at].trim_end().is_empty())
            else {
                continue;
            };
            let words = words(&line[at..]);
            seen += 1;
            if let Err(error) = Cli::try_parse_from(&words)
                && !is_placeholder(&words)
                && error.exit_code() != 0
            {
                wrong.push(format!("{}: {line}\n{error}", page.display()));
            }
        }
    }
    assert!(seen > 100, "only {seen} command lines");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Tells whether a line stands for many, or has a value that only a shell knows.
fn is_placeholder(words: &[String]) -> bool {
    words
        .iter()
        .any(|word| word.contains("...") || (word.contains('$') && !word.contains("hostname")))
}

#[test]
fn lines_are_divided_as_a_shell_does() {
    let line = "seqware a --ini 'a b' --host \"$(hostname --long)\" > out # why";
    assert_eq!(words(line), ["seqware", "a", "--ini", "a b", "--host", "$(hostname --long)"]);
    assert_eq!(code("```\n$ a \\\n    b\n```\nc\n    d"), ["a  b", "d"]);
}
