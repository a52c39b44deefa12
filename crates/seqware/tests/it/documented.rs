//! The commands of the documentation, run in their order as a person would type them.
//!
//! In `docs` what stands in a block after `$ ` is a command, and what stands beneath it is what it prints:
//! `...` in a line stands for any text, a line of `...` for any lines. A block behind `<!-- file: NAME -->`
//! is written to that file. Only ports are free ones, and passwords are typed by the test.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::site::{Site, User};

/// What a page asks to be done.
#[derive(Debug)]
enum Step {
    Command { words: String, prints: Vec<String> },
    File { name: String, text: String },
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// Reads the blocks of a page.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut lines, mut file) = (page.lines(), None);
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("<!-- file: ") {
            file = name.strip_suffix(" -->").map(ToOwned::to_owned);
        }
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match (kind, file.take()) {
            ("console", _) => steps.extend(commands(&block)),
            (_, Some(name)) => steps.push(Step::File { name, text: block.join("\n") + "\n" }),
            _ => {}
        }
    }
    steps
}

fn commands(block: &[&str]) -> Vec<Step> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(words), _) => found.push((words.to_owned(), Vec::new())),
            (None, Some((words, prints))) if words.ends_with('\\') && prints.is_empty() => {
                *words = format!("{words}\n{line}");
            }
            (None, Some((_, prints))) => prints.push((*line).to_owned()),
            (None, None) => panic!("output without a command: {line}"),
        }
    }
    found.into_iter().map(|(words, prints)| Step::Command { words, prints }).collect()
}

/// Returns what bash does in place of a command that would not end, or would ask.
fn played(words: &str) -> String {
    if let Some(service) = words.strip_suffix(" &") {
        return format!(
            "{service} --listen 127.0.0.1:0 >service.out 2>service.err &\n\
             for _ in $(seq 300); do grep -qE 'up: |Listening on' service.out && break; sleep 0.1; done\n\
             cat service.out"
        );
    }
    match words {
        "seqware init" => {
            "seqware init --user you@lab.net --url \"$(sed -n 's/^Listening on //p' service.out)\" \
             <<<'a long password'"
                .to_owned()
        }
        asks if asks.starts_with("seqware metadb init") => format!("{asks} <<<'a long password'"),
        other => other.to_owned(),
    }
}

/// Runs all steps in one shell. Each command has to succeed and to print what the page says.
#[track_caller]
fn run(reader: &User, steps: &[Step]) {
    let mut script =
        "exec 2>&1 </dev/null\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n".to_owned();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Command { words, .. } => script.push_str(&format!(
                "echo '@@@ {number}'\n{{\n{}\n}} || {{ echo '@@@ failed'; exit 1; }}\n",
                played(words)
            )),
            Step::File { name, text } => {
                script.push_str(&format!("cat >{name} <<'@@@'\n{text}@@@\n"));
            }
        }
    }
    let ran = reader.shell(&script);
    for (number, step) in steps.iter().enumerate() {
        let Step::Command { words, prints } = step else { continue };
        let (_, after) = ran
            .stdout
            .split_once(&format!("@@@ {number}\n"))
            .unwrap_or_else(|| panic!("never came to: {words}\n{}", ran.stdout));
        let printed = after.split("@@@ ").next().unwrap_or_default();
        assert!(!after.starts_with(&format!("{printed}@@@ failed")), "failed: {words}\n{printed}");
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        let expected: Vec<&str> = prints.iter().map(String::as_str).collect();
        let fits = expected.is_empty() || are_alike(&expected, &printed);
        assert!(fits, "{words}\nprints:\n{}\nand not:\n{}", printed.join("\n"), prints.join("\n"));
    }
    assert_eq!(ran.code, 0, "{}", ran.stdout);
}

fn are_alike(expected: &[&str], printed: &[&str]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), _) => {
            (0..=printed.len()).any(|skipped| are_alike(rest, &printed[skipped..]))
        }
        (Some((line, rest)), Some((printed_line, printed_rest))) => {
            is_alike(line, printed_line) && are_alike(rest, printed_rest)
        }
        _ => false,
    }
}

fn is_alike(expected: &str, printed: &str) -> bool {
    let mut parts = expected.split("...");
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else {
        return false;
    };
    let mut has_gap = false;
    for part in parts {
        has_gap = true;
        match rest.find(part) {
            Some(at) if !part.is_empty() => rest = &rest[at + part.len()..],
            Some(_) => rest = "",
            None => return false,
        }
    }
    rest.is_empty() || (has_gap && expected.ends_with("..."))
}

/// Returns somebody in an empty home, with the repository's examples at hand.
fn reader(site: &Site) -> User {
    let reader = site.write_settings("reader", "");
    fs::remove_dir_all(reader.home().join(".seqware")).unwrap();
    symlink(repository().join("examples"), reader.home().join("examples")).unwrap();
    reader
}

#[test]
fn the_guides_work_as_they_are_written() {
    let site = Site::start();
    let pages = ["docs/start.md", "docs/users.md", "docs/bundles.md"];
    let steps: Vec<Step> = pages.iter().flat_map(|path| steps(&page(path))).collect();
    assert!(steps.len() > 30, "only {} commands", steps.len());
    run(&reader(&site), &steps);
}

#[test]
fn the_readmes_five_minutes_work() {
    let site = Site::start();
    let text = page("README.md");
    let (_, section) = text.split_once("## Five-minute start\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let steps: Vec<Step> = section
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| line.split(" # ").next().unwrap_or(line).trim())
        .filter(|line| !line.starts_with('#') && !line.starts_with("cargo ") && !line.is_empty())
        .map(|words| Step::Command { words: words.to_owned(), prints: Vec::new() })
        .collect();
    assert!(steps.len() >= 9, "{steps:?}");
    run(&reader(&site), &steps);
}

#[test]
fn lines_are_compared_around_their_gaps() {
    assert!(is_alike("run ... completed", "run 3 completed"));
    assert!(is_alike("up: http://...", "up: http://x") && is_alike("a", "a"));
    assert!(!is_alike("a", "ab") && !is_alike("run ...d", "run 3"));
    assert!(are_alike(&["...", "b", "..."], &["a", "b"]) && are_alike(&["...", "b"], &["b"]));
    assert!(!are_alike(&["a"], &["a", "b"]) && !are_alike(&["a", "..."], &["b"]));
}
