//! How texts of users, times, sizes and statuses look on a page.
//!
//! Templates escape all text; what is done here is against texts that mislead although they are
//! escaped: control characters, marks that turn the direction of writing, and endless length.

use niassa_model::run::RunStatus;
use niassa_model::step::StepStatus;
use niassa_model::time::Timestamp;

/// Most characters of a text of one line.
const LINE: usize = 240;
const SECOND: i64 = 1_000_000;

/// A status as people see it: never by its colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Badge {
    pub(super) word: &'static str,
    pub(super) symbol: &'static str,
    /// The class by which the style sheet knows it.
    pub(super) class: &'static str,
}

/// A point in time, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// RFC 3339.
    pub(super) iso: String,
    /// The same without its letters; it is UTC.
    pub(super) text: String,
}

/// Returns a text as one line of bounded length in which nothing is hidden.
pub(super) fn shown(text: &str) -> String {
    shown_within(text, LINE)
}

/// Returns a text as one line of at most so many characters in which nothing is hidden.
pub(super) fn shown_within(text: &str, most: usize) -> String {
    let mut line: String = text.chars().take(most).map(visible).collect();
    if text.chars().nth(most).is_some() {
        line.push('…');
    }
    line
}

/// Begins a message as a sentence begins; one that begins with a name or a value stays as it is.
pub(super) fn sentence(message: &str) -> String {
    let first = message.split(' ').next().unwrap_or_default();
    if first.is_empty() || !first.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return message.to_owned();
    }
    let (head, rest) = message.split_at(1);
    format!("{}{rest}", head.to_ascii_uppercase())
}

/// Returns a text of many lines in which nothing is hidden.
pub(super) fn shown_block(text: &str) -> String {
    let keep = |c: char| if matches!(c, '\n' | '\t') { c } else { visible(c) };
    text.replace("\r\n", "\n").chars().map(keep).collect()
}

/// Replaces a character that one does not see, but that changes what one sees.
fn visible(c: char) -> char {
    match c {
        '\n' => '⏎',
        '\t' => ' ',
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{061c}'
        | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Writes a time.
pub(super) fn moment(at: Timestamp) -> Moment {
    let iso = at.to_string();
    let text = iso.replace('T', " ").trim_end_matches('Z').to_owned();
    Moment { iso, text }
}

/// Writes a length of time.
pub(super) fn span(micros: i64) -> String {
    let micros = micros.max(0);
    if micros < SECOND {
        return format!("{} ms", micros / 1_000);
    }
    let seconds = micros / SECOND;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{}.{} s", seconds, micros % SECOND / 100_000),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Writes a number of bytes.
pub(super) fn bytes(bytes: i64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = i128::from(bytes.max(0)) * 10;
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1_024;
        unit += 1;
    }
    match unit {
        0 => format!("{} B", tenths / 10),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, units[unit]),
    }
}

/// Writes a number with the right form of what is counted.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// Shows the status of a run.
pub(super) fn run_badge(status: RunStatus) -> Badge {
    let (symbol, class) = match status {
        RunStatus::Submitted | RunStatus::SubmittedRetry => ("◷", "waiting"),
        RunStatus::Pending => ("…", "waiting"),
        RunStatus::Running => ("▶", "running"),
        RunStatus::Completed => ("✔", "success"),
        RunStatus::Failed => ("✖", "failed"),
        RunStatus::SubmittedCancel => ("◌", "waiting"),
        RunStatus::Cancelled => ("⊘", "cancelled"),
    };
    Badge { word: status.as_str(), symbol, class }
}

/// Shows the status of a step.
pub(super) fn step_badge(status: StepStatus) -> Badge {
    let (symbol, class) = match status {
        StepStatus::Pending => ("…", "waiting"),
        StepStatus::Running => ("▶", "running"),
        StepStatus::Success => ("✔", "success"),
        StepStatus::Failed => ("✖", "failed"),
        StepStatus::Skipped => ("↷", "skipped"),
        StepStatus::Cancelled => ("⊘", "cancelled"),
        StepStatus::Lost => ("?", "lost"),
    };
    Badge { word: status.as_str(), symbol, class }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_hidden_in_a_text() {
        assert_eq!(shown("a\u{202e}b\u{7}c\nd"), "a\u{fffd}b\u{fffd}c⏎d");
        assert_eq!(shown_block("a\r\nb\u{1b}[31m\tc"), "a\nb\u{fffd}[31m\tc");
        let long = shown(&"ü".repeat(10_000));
        assert_eq!(long.chars().count(), LINE + 1);
        assert!(long.ends_with('…'));
        assert_eq!(shown_within("abc", 3), "abc");
    }

    #[test]
    fn a_message_begins_as_a_sentence_does() {
        assert_eq!(sentence("there is no run 7"), "There is no run 7");
        for stays in ["", "`x` is no mark", "lab.net is not known", "ümlaut", "Already so"] {
            assert_eq!(sentence(stays), stays);
        }
    }

    #[test]
    fn times_and_sizes_are_read_at_a_glance() {
        let moment = moment(Timestamp::from_micros(1_800_000_000_000_000));
        assert_eq!(moment.iso, "2027-01-15T08:00:00Z");
        assert_eq!(moment.text, "2027-01-15 08:00:00");
        let spans = [0, 1_500_000, 59 * SECOND, 61 * SECOND, 3_700 * SECOND, 90_000 * SECOND];
        let spans: Vec<String> = spans.into_iter().map(span).collect();
        assert_eq!(spans, ["0 ms", "1.5 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
        let sizes = [0, 1_023, 1_536, 5 << 30, i64::MAX].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.5 KiB", "5.0 GiB", "8388607.9 TiB"]);
        assert_eq!(
            (count(1, "run", "runs"), count(2, "run", "runs")),
            ("1 run".into(), "2 runs".into())
        );
    }
}
