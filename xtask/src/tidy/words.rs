//! Words of code that only some files may say: what starts processes, reads the environment, prints.
//!
//! Clippy knows calls but not crates, so these rules are about *where*.

use super::finding::Finding;
use super::rust_text::is_word;
use super::source::SourceFile;

/// Whether a rule holds in tests too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InTests {
    Allowed,
    Forbidden,
}

/// Words, and the only places that may say them.
struct Rule {
    words: &'static [&'static str],
    /// Files, and folders with a `/` at their end.
    places: &'static [&'static str],
    tests: InTests,
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        words: &["AssertSqlSafe"],
        // The name of a test's own database cannot be bound.
        places: &["crates/niassa-metadb/src/testing.rs"],
        tests: InTests::Forbidden,
        reason: "SQL is named constants, never text put together at run time",
    },
    Rule {
        words: &["env::var", "env::var_os", "env::vars", "env::vars_os"],
        places: &[
            // A program of its own, which only measures.
            "crates/niassa-pipeline/examples/",
            // Tests name failpoints by it; release builds have none.
            "crates/niassa-pipeline/src/failpoint.rs",
            "crates/niassa-pipeline/src/step/identity.rs",
            "crates/niassa-webservice/src/config.rs",
            "crates/seqware/src/settings.rs",
            "crates/seqware/src/settings/",
            "xtask/",
        ],
        tests: InTests::Allowed,
        reason: "the environment is read by settings, service configuration and step identity only",
    },
    Rule {
        words: &["Command::new"],
        places: &["crates/niassa-pipeline/", "xtask/"],
        tests: InTests::Allowed,
        reason: "niassa-pipeline is the only crate that starts processes",
    },
    Rule {
        words: &["println!", "print!"],
        places: &[
            "crates/niassa-pipeline/examples/",
            "crates/seqware/src/ui.rs",
            "crates/seqware/src/ui/",
            "xtask/",
        ],
        tests: InTests::Allowed,
        reason: "all printing goes through seqware's `Ui`",
    },
    Rule {
        words: &["eprintln!", "eprint!", "dbg!"],
        places: &["crates/seqware/", "xtask/"],
        tests: InTests::Allowed,
        reason: "libraries return what there is to say, seqware says it",
    },
    Rule {
        words: &["#[allow", "#![allow"],
        places: &[],
        tests: InTests::Forbidden,
        reason: "`#[expect(lint, reason = \"...\")]` says why, and complains once it is not needed",
    },
];

/// Checks one file against all rules.
pub(crate) fn check(source: &SourceFile) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| check_rule(source, rule)).collect()
}

fn check_rule(source: &SourceFile, rule: &Rule) -> Vec<Finding> {
    if rule.places.iter().any(|place| is_at(source.path(), place)) {
        return Vec::new();
    }
    let exempt = |line| rule.tests == InTests::Allowed && source.is_test_line(line);
    let mut findings = Vec::new();
    for (number, line) in source.lines().filter(|(number, _)| !exempt(*number)) {
        if let Some(word) = rule.words.iter().find(|word| says(line, word)) {
            let message = format!("`{word}` may not stand here: {}", rule.reason);
            findings.push(Finding::of_line(source.path(), number, message));
        }
    }
    findings
}

fn is_at(path: &str, place: &str) -> bool {
    if place.ends_with('/') { path.starts_with(place) } else { path == place }
}

/// Returns whether the line says the word as a whole: `print!` is not in `eprint!`, nor `env::var`
/// in `env::var_os`.
fn says(line: &str, word: &str) -> bool {
    let bytes = line.as_bytes();
    let edge =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(|byte| !is_word(*byte));
    line.match_indices(word).any(|(start, _)| {
        let begins = !is_word(word.as_bytes()[0]) || edge(start.checked_sub(1));
        let ends = word.ends_with('!') || edge(Some(start + word.len()));
        begins && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: usize) {
        let found = super::check(&SourceFile::new(path, text.to_owned()));
        assert_eq!(found.len(), expected, "{path}: {text}: {found:?}");
    }

    #[test]
    fn each_word_has_its_place() {
        for (text, home) in [
            ("std::env::var(\"A\")", "crates/seqware/src/settings.rs"),
            ("env::var_os(\"A\")", "crates/niassa-pipeline/src/step/identity.rs"),
            ("std::process::Command::new(\"a\")", "crates/niassa-pipeline/src/engine/local.rs"),
            ("println!(\"a\")", "crates/seqware/src/ui.rs"),
            ("print!(\"a\")", "crates/seqware/src/ui/table.rs"),
            ("eprintln!(\"a\")", "crates/seqware/src/main.rs"),
        ] {
            let text = format!("fn a() {{ {text}; }}\n");
            check("crates/niassa-api/src/lib.rs", &text, 1);
            check(home, &text, 0);
            check("crates/niassa-api/tests/it/main.rs", &text, 0);
            check(
                "crates/niassa-api/src/a.rs",
                &format!("#[cfg(test)]\nmod tests {{\n{text}}}\n"),
                0,
            );
        }
    }

    #[test]
    fn some_words_have_none() {
        check("crates/niassa-metadb/src/lib.rs", "query(AssertSqlSafe(text))", 1);
        check("crates/niassa-metadb/tests/it/main.rs", "query(AssertSqlSafe(text))", 1);
        check("crates/niassa-model/src/lib.rs", "#[allow(dead_code)]\nstruct A;", 1);
    }

    #[test]
    fn comments_strings_and_longer_words_do_not_count() {
        check("a.rs", "// println!(\"a\")\nlet a = \"Command::new\";", 0);
        check("a.rs", "StepCommand::new(); my_println!(); SafeAssertSqlSafer;", 0);
        check("a.rs", "env::variables(); Command::new_empty();", 0);
        check("xtask/src/main.rs", "println!(\"a\"); Command::new(\"b\")", 0);
    }
}
