//! Sizes: a function fits a screen, a file is read in one sitting.

use super::finding::Finding;
use super::source::SourceFile;

/// Lines of a function.
const FUNCTION: usize = 60;
/// Lines of a file before its tests.
const FILE: usize = 600;
/// Lines of a file with its tests, and of a file of tests.
const FILE_WITH_TESTS: usize = 1_200;

/// A function or a file that may be longer, and why.
struct Exception {
    path: &'static str,
    /// The function; nothing for the file itself.
    function: Option<&'static str>,
    reason: &'static str,
}

/// Everything that may be longer. An entry that is no longer needed is a finding.
const EXCEPTIONS: &[Exception] = &[];

/// Checks all files of the repository.
pub(crate) fn check(sources: &[SourceFile]) -> Vec<Finding> {
    check_with(sources, EXCEPTIONS)
}

fn check_with(sources: &[SourceFile], exceptions: &[Exception]) -> Vec<Finding> {
    let mut too_long = Vec::new();
    for source in sources {
        too_long.extend(long_file(source));
        too_long.extend(long_functions(source));
    }
    let excused = |item: &TooLong, exception: &Exception| {
        item.path == exception.path && item.function.as_deref() == exception.function
    };
    let unexcused = too_long.iter().filter(|item| !exceptions.iter().any(|e| excused(item, e)));
    let mut findings: Vec<Finding> = unexcused.map(|item| item.finding.clone()).collect();
    for exception in exceptions {
        if !too_long.iter().any(|item| excused(item, exception)) {
            let what = exception.function.unwrap_or("the file");
            let message = format!("{what} needs its exception no more ({})", exception.reason);
            findings.push(Finding::of_file(exception.path, message));
        }
    }
    findings
}

struct TooLong {
    path: String,
    function: Option<String>,
    finding: Finding,
}

fn long_file(source: &SourceFile) -> Option<TooLong> {
    let (production, all) = (source.production_line_count(), source.line_count());
    let message = if production > FILE {
        format!("{production} lines before the tests, at most {FILE}")
    } else if all > FILE_WITH_TESTS {
        format!("{all} lines with the tests, at most {FILE_WITH_TESTS}")
    } else {
        return None;
    };
    let finding = Finding::of_file(source.path(), message);
    Some(TooLong { path: source.path().to_owned(), function: None, finding })
}

fn long_functions(source: &SourceFile) -> Vec<TooLong> {
    let long = source
        .functions()
        .into_iter()
        .filter(|function| function.length > FUNCTION && !source.is_test_line(function.line));
    long.map(|function| {
        let message = format!(
            "function `{}` has {} lines, at most {FUNCTION}",
            function.name, function.length
        );
        let finding = Finding::of_line(source.path(), function.line, message);
        TooLong { path: source.path().to_owned(), function: Some(function.name), finding }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}() {{\n{}}}\n", "    x();\n".repeat(lines - 2))
    }

    fn check(path: &str, text: String, expected: &[&str]) {
        let found = super::check_with(&[SourceFile::new(path, text)], &[]);
        let found: Vec<String> = found.iter().map(Finding::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn functions_have_a_limit() {
        check("a.rs", function("fits", FUNCTION), &[]);
        check("a.rs", function("long", 61), &["a.rs:1: function `long` has 61 lines, at most 60"]);
    }

    #[test]
    fn functions_of_tests_have_none() {
        check("a.rs", format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function("long", 99)), &[]);
        check("tests/it/a.rs", function("long", 99), &[]);
    }

    #[test]
    fn files_have_a_limit() {
        check("a.rs", "\n".repeat(FILE), &[]);
        check("a.rs", "\n".repeat(601), &["a.rs: 601 lines before the tests, at most 600"]);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(601));
        check("a.rs", tests, &[]);
        check("tests/a.rs", "\n".repeat(FILE_WITH_TESTS), &[]);
        check(
            "tests/a.rs",
            "\n".repeat(1_201),
            &["tests/a.rs: 1201 lines with the tests, at most 1200"],
        );
    }

    #[test]
    fn an_exception_excuses_one_item_and_may_not_outlive_it() {
        let exception =
            |function| [Exception { path: "a.rs", function: Some(function), reason: "a table" }];
        let source = SourceFile::new("a.rs", function("long", 61));
        assert_eq!(check_with(std::slice::from_ref(&source), &exception("long")), []);
        let found = check_with(std::slice::from_ref(&source), &exception("other"));
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
