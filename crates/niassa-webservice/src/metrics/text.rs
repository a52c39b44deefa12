//! Prometheus' text form: a family of samples begins with what it is.

use std::fmt::{Display, Write};

/// What the numbers of a family do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// They only rise, until the service starts anew.
    Counter,
    /// They rise and fall.
    Gauge,
    /// They are counts of what is not above a bound.
    Histogram,
}

/// A family whose samples are being written.
pub(crate) struct Family<'text> {
    name: &'static str,
    text: &'text mut String,
}

/// Begins a family.
pub(crate) fn family<'text>(
    text: &'text mut String,
    name: &'static str,
    kind: Kind,
    help: &str,
) -> Family<'text> {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    // Writing to a string does not fail, here and below.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    Family { name, text }
}

impl Family<'_> {
    /// Writes a sample.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.sample_of("", labels, value);
    }

    /// Writes a sample whose name ends in something more.
    pub(crate) fn sample_of(&mut self, end: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{end}{labels} {value}", self.name);
    }
}

/// Writes microseconds as seconds.
pub(crate) fn seconds(micros: i64) -> String {
    let (whole, part) = (micros / 1_000_000, (micros % 1_000_000).abs());
    let text = format!("{whole}.{part:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Escapes a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
