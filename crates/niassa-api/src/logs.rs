//! Whole logs: ranges of the streams of steps, whose files lie on the file system of their run.
//!
//! The service has the ends only. An agent that serves the place of a run reads ranges for it: it is told
//! the run, step, attempt, stream and range, and finds the file itself. No path and no command line ever
//! comes from the service.

use niassa_model::accession::Accession;
use niassa_model::run::RunTag;
use niassa_model::step::{AttemptNumber, StepIndex, StepStatus};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which of the two streams of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogStream {
    /// Returns the word used everywhere; the file of the stream has this name too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Which part of a step's log is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Which stream.
    #[param(inline)]
    pub stream: LogStream,
    /// Which attempt, by default the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<u32>)]
    pub attempt: Option<AttemptNumber>,
    /// The first byte that is wanted; without it the last ones are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How many bytes are wanted: at most 262144, and so many by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
}

/// A part of a step's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogPart {
    /// The attempt.
    #[schema(value_type = u32)]
    pub attempt: AttemptNumber,
    /// What the attempt was before the log was read: once it is final, the log has its last byte.
    #[schema(value_type = String)]
    pub status: StepStatus,
    /// The machine it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// What there is of the log.
    pub log: LogText,
}

/// What there is of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogText {
    /// The range that was asked for, as an agent read it in the file.
    Range(LogRange),
    /// The end that the MetaDB has, because nobody could read the file.
    End(LogEnd),
}

/// Bytes of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogRange {
    /// Where the first of these bytes stands in the file.
    pub offset: u64,
    /// How many bytes the file has.
    pub size: u64,
    /// The bytes, in Base64; fewer than were asked for only at the end of the file.
    #[serde(with = "base64_bytes")]
    #[schema(value_type = String, format = Byte)]
    pub bytes: Vec<u8>,
}

/// The end of a log, as it was last told to the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEnd {
    /// Why there is no more, and what can be done about it.
    pub why: String,
    /// Where the whole file lies, once anything is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many bytes it had then.
    pub size: u64,
    /// Its last 64 KiB at most; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// What an agent is told to read: an event named `read_log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadLog {
    /// The request's id, drawn at random; the answer goes to the route that ends with it.
    #[schema(value_type = String)]
    pub id: Uuid,
    /// The run.
    #[schema(value_type = i64)]
    pub run: Accession,
    /// Its tag.
    #[schema(value_type = String)]
    pub tag: RunTag,
    /// The key of its place.
    pub place: String,
    /// The step.
    #[schema(value_type = u32)]
    pub step: StepIndex,
    /// The attempt.
    #[schema(value_type = u32)]
    pub attempt: AttemptNumber,
    /// Which of its streams.
    pub stream: LogStream,
    /// The first byte that is wanted; without it the last ones are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How many bytes are wanted, at most 262144.
    pub length: u32,
}

/// What an agent answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogAnswer {
    /// What it read.
    Read(LogRange),
    /// Why it read nothing.
    Refused(String),
}

/// Bytes as Base64 in JSON.
mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_travel_whole() {
        let bytes: Vec<u8> = (0..=255).collect();
        let answer = LogAnswer::Read(LogRange { offset: 3, size: 999, bytes });
        let text = serde_json::to_string(&answer).unwrap();
        assert!(text.starts_with(r#"{"read":{"offset":3,"size":999,"bytes":"AAEC"#), "{text}");
        assert_eq!(serde_json::from_str::<LogAnswer>(&text).unwrap(), answer);
        assert!(serde_json::from_str::<LogAnswer>(&text.replace("AAEC", "A_EC")).is_err());
    }
}
