//! How times, amounts and statuses are put into words.

use niassa_model::run::RunStatus;
use niassa_model::step::{StepReason, StepStatus};
use niassa_model::time::Timestamp;

/// What a word means, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Plain,
    /// Less important than the rest.
    Faint,
    /// A title.
    Strong,
    /// It went well.
    Good,
    /// It is under way.
    Busy,
    /// Somebody should look.
    Warning,
    /// It did not go well.
    Bad,
}

impl Tone {
    /// Wraps text in the escape codes of its colour.
    pub fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Faint => "2",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Busy => "36",
            Self::Warning => "33",
            Self::Bad => "31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Whether symbols may be beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbols {
    /// They may.
    Unicode,
    /// They may not.
    Ascii,
}

/// Returns a status with its symbol, and its tone.
pub fn run_status(status: RunStatus, symbols: Symbols) -> (String, Tone) {
    let (unicode, ascii, tone) = match status {
        RunStatus::Submitted => ('○', '.', Tone::Plain),
        RunStatus::Pending => ('◔', ':', Tone::Busy),
        RunStatus::Running => ('●', '>', Tone::Busy),
        RunStatus::Completed => ('✔', '+', Tone::Good),
        RunStatus::Failed => ('✘', 'x', Tone::Bad),
        RunStatus::SubmittedCancel => ('◌', '-', Tone::Warning),
        RunStatus::Cancelled => ('⊘', '/', Tone::Warning),
        RunStatus::SubmittedRetry => ('↻', '~', Tone::Plain),
    };
    let symbol = if symbols == Symbols::Unicode { unicode } else { ascii };
    (format!("{symbol} {status}"), tone)
}

/// Returns a step's status with its symbol, and its tone.
pub fn step_status(status: StepStatus, symbols: Symbols) -> (String, Tone) {
    let (unicode, ascii, tone) = match status {
        StepStatus::Pending => ('○', '.', Tone::Faint),
        StepStatus::Running => ('●', '>', Tone::Busy),
        StepStatus::Success => ('✔', '+', Tone::Good),
        StepStatus::Failed => ('✘', 'x', Tone::Bad),
        StepStatus::Skipped => ('↷', '_', Tone::Faint),
        StepStatus::Cancelled => ('⊘', '/', Tone::Warning),
        StepStatus::Lost => ('?', '?', Tone::Bad),
    };
    let symbol = if symbols == Symbols::Unicode { unicode } else { ascii };
    (format!("{symbol} {}", status.as_str()), tone)
}

/// Puts the reason of a step into words.
pub fn reason(reason: StepReason) -> &'static str {
    match reason {
        StepReason::ExitCode => "exit code",
        StepReason::Signal => "signal",
        StepReason::OutOfMemory => "out of memory",
        StepReason::TimeLimit => "time limit",
        StepReason::NodeFailure => "node failure",
        StepReason::Preempted => "preempted",
        StepReason::Lost => "lost",
        StepReason::ParentFailed => "a step before failed",
        StepReason::ProvisionIn => "input not readable",
        StepReason::ProvisionOut => "output not provisioned",
        StepReason::CouldNotStart => "could not start",
        StepReason::Duplicate => "duplicate",
        StepReason::CancelledBy => "cancelled",
    }
}

/// Writes a duration with its two largest units: `1d 2h`, `3m 5s`, `1.2s`, `30ms`.
pub fn duration(micros: i64) -> String {
    let micros = micros.max(0);
    let seconds = micros / 1_000_000;
    match seconds {
        0 => format!("{}ms", micros / 1_000),
        1..10 => format!("{}.{}s", seconds, micros % 1_000_000 / 100_000),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Writes how long ago something was.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let micros = now.micros_since(at);
    match micros / 1_000_000 {
        0..5 => "just now".to_owned(),
        5..60 => format!("{}s ago", micros / 1_000_000),
        60..3_600 => format!("{}m ago", micros / 60_000_000),
        3_600..172_800 => format!("{}h ago", micros / 3_600_000_000),
        _ => format!("{}d ago", micros / 86_400_000_000),
    }
}

/// Writes a point in time in the zone of the machine, to the second.
pub fn moment(at: Timestamp) -> String {
    zoned(at, "%Y-%m-%d %H:%M:%S")
}

/// Writes the time of day in the zone of the machine.
pub fn time_of_day(at: Timestamp) -> String {
    zoned(at, "%H:%M:%S")
}

fn zoned(at: Timestamp, format: &str) -> String {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime(format).to_string(),
        Err(_) => at.to_string(),
    }
}

/// Writes a number of things: `1 step`, `3 steps`.
pub fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Returns a line that a program wrote without what would steer the terminal: colours, cursor
/// movements, bells.
pub fn harmless(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.clone().next() == Some('[') => {
                // A control sequence ends with its first letter or sign from `@` on.
                characters.next();
                characters.by_ref().find(|c| ('@'..='~').contains(c));
            }
            '\t' => plain.push('\t'),
            other if other.is_control() => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        let cases = [
            (0, "0ms"),
            (999_999, "999ms"),
            (1_250_000, "1.2s"),
            (59_999_999, "59s"),
            (65_000_000, "1m 5s"),
            (3_661_000_000, "1h 1m"),
            (90_000_000_000, "1d 1h"),
            (-5, "0ms"),
        ];
        for (micros, expected) in cases {
            assert_eq!(duration(micros), expected);
        }
    }

    #[test]
    fn the_past_is_told_in_one_unit() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(ago(at(100), at(101)), "just now");
        assert_eq!(ago(at(0), at(59)), "59s ago");
        assert_eq!(ago(at(0), at(3_599)), "59m ago");
        assert_eq!(ago(at(0), at(7_200)), "2h ago");
        assert_eq!(ago(at(0), at(864_000)), "10d ago");
        assert_eq!(ago(at(100), at(50)), "just now");
    }

    #[test]
    fn every_status_has_a_symbol_of_its_own() {
        for symbols in [Symbols::Unicode, Symbols::Ascii] {
            let mut seen = std::collections::HashSet::new();
            for status in RunStatus::ALL {
                let (text, _) = run_status(status, symbols);
                assert!(seen.insert(text.chars().next()), "{text}");
                assert!(text.ends_with(status.as_str()));
                assert!(symbols == Symbols::Unicode || text.is_ascii());
            }
        }
    }

    #[test]
    fn what_programs_write_cannot_steer_the_terminal() {
        assert_eq!(harmless("\u{1b}[31mred\u{1b}[0m\ta\u{7}b"), "red\tab");
        assert_eq!(harmless("\u{1b}]0;title\u{7}x \u{1b}[2J\u{1b}["), "]0;titlex ");
        assert_eq!(harmless("[not a sequence] ü"), "[not a sequence] ü");
    }
}
