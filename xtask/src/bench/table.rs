//! The table of results, as it stands in docs/performance.md.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// What begins and ends the part of docs/performance.md that is written by the bench.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// One line: what, how much, how much is allowed.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) measured: String,
    pub(super) goal: String,
    pub(super) verdict: Verdict,
}

/// Whether a goal was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    /// Printed beside a goal, without one of its own.
    Beside,
}

impl Row {
    /// A number that must not be above its goal.
    pub(super) fn at_most(what: impl Into<String>, measured: f64, goal: f64, unit: &str) -> Self {
        Self::judged(what, measured, goal, unit, "at most", measured <= goal)
    }

    /// A number that must not be below its goal.
    pub(super) fn at_least(what: impl Into<String>, measured: f64, goal: f64, unit: &str) -> Self {
        Self::judged(what, measured, goal, unit, "at least", measured >= goal)
    }

    /// Something printed beside, in its own words.
    pub(super) fn beside(what: impl Into<String>, measured: impl Into<String>) -> Self {
        let (what, measured) = (what.into(), measured.into());
        Self { what, measured, goal: String::new(), verdict: Verdict::Beside }
    }

    fn judged(
        what: impl Into<String>,
        measured: f64,
        goal: f64,
        unit: &str,
        relation: &str,
        is_met: bool,
    ) -> Self {
        Self {
            what: what.into(),
            measured: format!("{}{unit}", number(measured)),
            goal: format!("{relation} {}{unit}", number(goal)),
            verdict: if is_met { Verdict::Met } else { Verdict::Missed },
        }
    }
}

fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Writes the rows as a table under the machine and the date.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = format!("{}\n\n| what | measured | goal | |\n|---|---|---|---|\n", machine());
    for row in rows {
        let verdict = match row.verdict {
            Verdict::Met => "met",
            Verdict::Missed => "**missed**",
            Verdict::Beside => "",
        };
        // Writing to a String cannot fail.
        let _infallible =
            writeln!(text, "| {} | {} | {} | {verdict} |", row.what, row.measured, row.goal);
    }
    text
}

/// Writes the rows as data.
pub(super) fn json(rows: &[Row]) -> Result<String> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            serde_json::json!({
                "what": row.what,
                "measured": row.measured,
                "goal": row.goal,
                "met": match row.verdict {
                    Verdict::Met => Some(true),
                    Verdict::Missed => Some(false),
                    Verdict::Beside => None,
                },
            })
        })
        .collect();
    serde_json::to_string_pretty(&rows).context("write the rows as JSON")
}

/// Puts the table between the marks in docs/performance.md.
pub(super) fn write(root: &Path, table: &str) -> Result<()> {
    let path = root.join("docs/performance.md");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let begin = text.find(BEGIN).context("docs/performance.md has no mark where to begin")?;
    let end = text.find(END).context("docs/performance.md has no mark where to end")?;
    let text = format!("{}\n{table}{}", &text[..begin + BEGIN.len()], &text[end..]);
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}

fn machine() -> String {
    let ask = |program: &str, arguments: &[&str]| -> String {
        let output = Command::new(program).args(arguments).output();
        output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
    };
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |name| name.trim_start_matches([' ', '\t', ':']));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "Measured {} on {} cores of {model}, Linux {}, load {} at the end; medians of alternating pairs.",
        ask("date", &["--utc", "+%Y-%m-%d"]),
        std::thread::available_parallelism().map_or(1, usize::from),
        ask("uname", &["-r"]),
        load.split_whitespace().next().unwrap_or("unknown"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_judged() {
        assert_eq!(Row::at_most("a", 1.0, 1.0, "").verdict, Verdict::Met);
        assert_eq!(Row::at_most("a", 1.1, 1.0, "").verdict, Verdict::Missed);
        assert_eq!(Row::at_least("a", 3_000.0, 3_000.0, "/s").verdict, Verdict::Met);
        let table = markdown(&[Row::at_most("`true`", 1.234, 1.25, " times")]);
        assert!(table.contains("| `true` | 1.23 times | at most 1.25 times | met |"), "{table}");
    }
}
