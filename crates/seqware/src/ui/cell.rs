//! Single values of tables and records: how people read them and how programs do.

use niassa_model::accession::Accession;
use niassa_model::resources::format_memory;
use niassa_model::run::RunStatus;
use niassa_model::step::StepStatus;
use niassa_model::time::Timestamp;
use serde_json::{Value, json};

use super::words::{self, Symbols, Tone};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// An accession.
    Swid(Accession),
    /// A run's status.
    Run(RunStatus),
    /// A step's status.
    Step(StepStatus),
    /// A point in time.
    At(Timestamp),
    /// A point in time that people want to know the distance of: when, and the time now.
    Ago(Timestamp, Timestamp),
    /// A duration in microseconds.
    Micros(i64),
    /// An amount of memory or a size, in bytes.
    Bytes(i64),
    /// How many of how many.
    Share(u32, u32),
    /// Whether something holds.
    Flag(bool),
}

impl Cell {
    /// Makes a cell of text that may not be there.
    pub fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.into()))
    }

    /// Makes a cell of text.
    #[expect(clippy::needless_pass_by_value, reason = "callers have both text and references")]
    pub fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    /// Tells whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty) || matches!(self, Self::Text(text) if text.is_empty())
    }

    /// Returns what people read, and its tone.
    pub fn shown(&self, symbols: Symbols) -> (String, Tone) {
        let plain = |text: String| (text, Tone::Plain);
        match self {
            Self::Empty => plain(String::new()),
            Self::Text(text) => plain(text.clone()),
            Self::Number(number) => plain(number.to_string()),
            Self::Swid(swid) => (swid.to_string(), Tone::Strong),
            Self::Run(status) => words::run_status(*status, symbols),
            Self::Step(status) => words::step_status(*status, symbols),
            Self::At(at) => plain(words::moment(*at)),
            Self::Ago(at, now) => plain(words::ago(*at, *now)),
            Self::Micros(micros) => plain(words::duration(*micros)),
            Self::Bytes(bytes) => plain(format_memory(u64::try_from(*bytes).unwrap_or(0))),
            Self::Share(part, whole) => plain(format!("{part}/{whole}")),
            Self::Flag(flag) => plain(if *flag { "yes" } else { "no" }.to_owned()),
        }
    }

    /// Returns the value for programs.
    pub fn json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Swid(swid) => json!(swid.get()),
            Self::Run(status) => json!(status.as_str()),
            Self::Step(status) => json!(status.as_str()),
            Self::At(at) | Self::Ago(at, _) => json!(at.to_string()),
            Self::Micros(micros) => json!(seconds(*micros)),
            Self::Bytes(bytes) => json!(bytes),
            Self::Share(part, whole) => json!(format!("{part}/{whole}")),
            Self::Flag(flag) => json!(flag),
        }
    }

    /// Returns the value for tab-separated text: one line, no tab.
    pub fn tsv(&self) -> String {
        tsv_of(&self.json())
    }
}

/// Writes a JSON value into one field of tab-separated text.
pub fn tsv_of(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

#[expect(clippy::cast_precision_loss, reason = "a duration of 2^52 microseconds is a century")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_read_plain_values() {
        assert_eq!(Cell::Bytes(1_536).json(), json!(1_536));
        assert_eq!(Cell::Bytes(1_536).shown(Symbols::Ascii).0, "1.5K");
        assert_eq!(Cell::Micros(1_500_000).json(), json!(1.5));
        assert_eq!(Cell::At(Timestamp::from_micros(0)).json(), json!("1970-01-01T00:00:00Z"));
        assert_eq!(Cell::Text("a\tb\nc\\".to_owned()).tsv(), "a\\tb\\nc\\\\");
        assert_eq!(Cell::maybe(None::<String>).json(), Value::Null);
    }
}
