//! The end of the run: a table of seconds, skips and failures by name, and the last line.

use std::fmt::Write;
use std::time::Duration;

use super::outcome::Outcome;

/// A group, how long it took, and what came of it.
pub(crate) struct Row {
    /// The group's name.
    pub(crate) group: &'static str,
    /// Wall-clock time.
    pub(crate) took: Duration,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// Returns the text that ends a run which took `total`.
pub(crate) fn table(rows: &[Row], total: Duration) -> String {
    let mut text = format!(
        "\n{:<12} {:>8} {:>7} {:>7} {:>8}\n",
        "group", "seconds", "passed", "failed", "skipped"
    );
    for row in rows {
        let counts = Counts::of(std::slice::from_ref(row));
        text.push_str(&line(row.group, row.took, counts));
    }
    let all = Counts::of(rows);
    text.push_str(&line("total", total, all));
    let skips = rows.iter().flat_map(|row| &row.outcome.skips);
    for (index, skip) in skips.enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}SKIPPED {}: {}", skip.name, skip.reason);
    }
    let failures = rows.iter().flat_map(|row| &row.outcome.failures);
    for (index, failure) in failures.enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}FAILED {failure}");
    }
    let _ =
        writeln!(text, "\n{} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped);
    text
}

#[derive(Clone, Copy)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Counts {
    fn of(rows: &[Row]) -> Self {
        Self {
            passed: rows.iter().map(|row| row.outcome.passed).sum(),
            failed: rows.iter().map(|row| row.outcome.failures.len()).sum(),
            skipped: rows.iter().map(|row| row.outcome.skips.len()).sum(),
        }
    }
}

fn line(name: &str, took: Duration, counts: Counts) -> String {
    let Counts { passed, failed, skipped } = counts;
    format!("{name:<12} {:>8.1} {passed:>7} {failed:>7} {skipped:>8}\n", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(group: &'static str, outcome: Outcome) -> Row {
        Row { group, took: Duration::from_millis(1_250), outcome }
    }

    #[test]
    fn the_last_line_sums_up_and_names_come_before_it() {
        let rows = [
            row("build", Outcome::passed()),
            row("deny", Outcome::skipped("deny", "cargo-deny is not installed")),
            row("unit", Outcome { passed: 40, ..Outcome::failed("unit: a::b".to_owned()) }),
        ];
        let expected = "
group         seconds  passed  failed  skipped
build             1.2       1       0        0
deny              1.2       0       0        1
unit              1.2      40       1        0
total             4.0      41       1        1

SKIPPED deny: cargo-deny is not installed

FAILED unit: a::b

41 passed, 1 failed, 1 skipped
";
        assert_eq!(table(&rows, Duration::from_secs(4)), expected);
    }

    #[test]
    fn nothing_skipped_and_nothing_failed_leaves_no_lists() {
        let text = table(&[row("build", Outcome::passed())], Duration::from_secs(1));
        assert!(text.ends_with("\n\n1 passed, 0 failed, 0 skipped\n"), "{text}");
        assert!(!text.contains("SKIPPED") && !text.contains("FAILED"), "{text}");
    }
}
