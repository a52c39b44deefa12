//! A Rust file as the rules see it: text, code, and where its tests begin.

use super::functions::{Function, functions};
use super::rust_text::code_only;

/// A Rust file of the repository.
pub(crate) struct SourceFile {
    path: String,
    text: String,
    code: String,
    tests_from: usize,
}

impl SourceFile {
    /// Takes the text of the file at `path`, which is relative to the root.
    pub(crate) fn new(path: &str, text: String) -> Self {
        let code = code_only(&text);
        let tests_from = if is_test_path(path) { 0 } else { first_line_of_tests(&code) };
        Self { path: path.to_owned(), text, code, tests_from }
    }

    /// Returns the path relative to the root.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the text as it is.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text without comments and literals.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// Returns the lines of code with their numbers from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Returns whether the line, counted from 1, belongs to tests.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        line > self.tests_from
    }

    /// Returns how many lines the file has.
    pub(crate) fn line_count(&self) -> usize {
        self.text.lines().count()
    }

    /// Returns how many lines stand before the tests.
    pub(crate) fn production_line_count(&self) -> usize {
        self.line_count().min(self.tests_from)
    }

    /// Returns the functions with a body, outermost ones only, tests included.
    pub(crate) fn functions(&self) -> Vec<Function> {
        functions(&self.code)
    }
}

/// Returns whether a file at this path is compiled for tests only.
fn is_test_path(path: &str) -> bool {
    let in_tests = path.split('/').any(|part| part == "tests" || part == "benches");
    in_tests || path.ends_with("/tests.rs") || path.ends_with("/testing.rs")
}

/// Returns the index of the line `#[cfg(test)]` that opens a module with a body, from which on the
/// house style has nothing but tests; the number of lines if there is none.
fn first_line_of_tests(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let opens_module = |index: usize| {
        let item = lines[index + 1..].iter().find(|line| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with("#[")
        });
        item.is_some_and(|line| {
            let line = line.trim_start_matches("pub(crate) ");
            line.starts_with("mod ") && !line.contains(';')
        })
    };
    let marked = |index: &usize| lines[*index].trim_end() == "#[cfg(test)]" && opens_module(*index);
    (0..lines.len()).find(marked).unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, production: usize) {
        let source = SourceFile::new(path, text.to_owned());
        assert_eq!(source.production_line_count(), production, "{path}: {text}");
    }

    #[test]
    fn tests_begin_at_their_module() {
        check("src/a.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n", 2);
        check("src/a.rs", "fn a() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n", 1);
        check("src/a.rs", "#[cfg(test)]\nmod testing;\nfn a() {}\n", 3);
        check("src/a.rs", "#[cfg(test)]\nfn for_tests() {}\nfn a() {}\n", 3);
        check("src/a.rs", "fn a() {}\n", 1);
    }

    #[test]
    fn some_files_are_tests_throughout() {
        check("crates/x/tests/it/main.rs", "fn a() {}\n", 0);
        check("crates/x/src/testing.rs", "fn a() {}\n", 0);
        check("crates/x/src/run/tests.rs", "fn a() {}\n", 0);
    }

    #[test]
    fn a_mark_in_a_string_is_no_mark() {
        check("src/a.rs", "const A: &str = \"\n#[cfg(test)]\nmod x {\n\";\n", 4);
    }
}
