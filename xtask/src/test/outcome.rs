//! What came of a group: how many passed, and the names of what failed or was skipped.

use super::child::Ending;
use super::skips::Skip;

/// What came of a group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Tests and checks that passed.
    pub(crate) passed: usize,
    /// What failed, each a line to read.
    pub(crate) failures: Vec<String>,
    /// What was left out.
    pub(crate) skips: Vec<Skip>,
}

impl Outcome {
    /// One check that passed.
    pub(crate) fn passed() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    /// One check that failed.
    pub(crate) fn failed(failure: String) -> Self {
        Self { failures: vec![failure], ..Self::default() }
    }

    /// One check that was left out.
    pub(crate) fn skipped(name: &str, reason: &str) -> Self {
        Self { skips: vec![Skip::new(name, reason)], ..Self::default() }
    }

    /// Returns whether anything failed.
    pub(crate) fn has_failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Adds a failure.
    pub(crate) fn add_failure(&mut self, failure: String) {
        self.failures.push(failure);
    }

    /// Adds skips that tests wrote down themselves. Such a test returned early, and the test
    /// harness counted it as passed.
    pub(crate) fn add_skips(&mut self, skips: Vec<Skip>) {
        self.passed = self.passed.saturating_sub(skips.len());
        self.skips.extend(skips);
    }

    /// Adds what a run of `cargo test` printed and how it ended.
    pub(crate) fn add_tests(&mut self, group: &str, ending: &Ending) {
        let before = self.failures.len();
        let mut failed = 0;
        for line in ending.output().lines() {
            if let Some(counts) = line.strip_prefix("test result: ") {
                self.passed += count_of(counts, "passed");
                failed += count_of(counts, "failed");
            } else if let Some(test) = line.strip_prefix("test ") {
                self.add_test(group, test);
            }
        }
        // A test whose output tore its line apart is counted by the harness, but has no name here.
        while self.failures.len() - before < failed {
            self.failures.push(format!("{group}: a test, see above"));
        }
        // The build failed, a test binary died, or the time was over.
        if !ending.is_success() && self.failures.len() == before {
            self.failures.push(format!("{group}: {ending}"));
        }
    }

    fn add_test(&mut self, group: &str, line: &str) {
        let Some((name, result)) = line.rsplit_once(" ... ") else { return };
        if result == "FAILED" {
            self.failures.push(format!("{group}: {name}"));
        } else if let Some(reason) = result.strip_prefix("ignored") {
            let reason = reason.trim_start_matches(", ");
            let reason = if reason.is_empty() { "ignored without a reason" } else { reason };
            self.skips.push(Skip::new(name, reason));
        }
    }
}

/// Returns the number before a word: 12 for `passed` in `ok. 12 passed; 0 failed; ...`.
fn count_of(counts: &str, word: &str) -> usize {
    let words: Vec<&str> = counts.split([' ', ';', '.']).collect();
    let number =
        words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "running 3 tests\ntest a ... ok\ntest b ... ignored, needs a cluster\n\
        test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s\n";
    const BAD: &str = "test c ... FAILED\nfailures:\n    c\n\
        test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";

    fn after(endings: &[Ending]) -> Outcome {
        let mut outcome = Outcome::default();
        for ending in endings {
            outcome.add_tests("unit", ending);
        }
        outcome
    }

    #[test]
    fn results_of_several_binaries_add_up() {
        let outcome = after(&[Ending::code(101, &format!("{GOOD}{BAD}"))]);
        assert_eq!(outcome.passed, 15);
        assert_eq!(outcome.failures, ["unit: c"]);
        assert_eq!(outcome.skips, [Skip::new("b", "needs a cluster")]);
    }

    #[test]
    fn a_failure_without_a_name_still_counts() {
        let torn = BAD.replace("test c ... FAILED", "test c ... some output\nFAILED");
        assert_eq!(after(&[Ending::code(101, &torn)]).failures, ["unit: a test, see above"]);
        assert_eq!(after(&[Ending::code(101, "")]).failures, ["unit: ended with 101"]);
        let dead = after(&[Ending::code(0, GOOD), Ending::code(101, GOOD)]);
        assert_eq!(dead.failures, ["unit: ended with 101"]);
        assert_eq!(after(&[Ending::out_of_time()]).failures, ["unit: stopped, the time was over"]);
    }

    #[test]
    fn a_test_that_skipped_itself_has_not_passed() {
        let mut outcome = after(&[Ending::code(0, GOOD)]);
        outcome.add_skips(vec![Skip::new("d", "no bwa")]);
        assert_eq!((outcome.passed, outcome.skips.len(), outcome.has_failed()), (11, 2, false));
    }
}
