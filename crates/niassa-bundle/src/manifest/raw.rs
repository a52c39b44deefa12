//! The manifest as YAML gives it: keys, types and lines, nothing understood yet.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{Error, Spanned};

use super::problem::Problem;
use crate::similar::hint;
use crate::yaml::without_place;

/// Bytes of a manifest.
const MANIFEST_BYTES: usize = 1024 * 1024;
/// Bytes of all its words, those counted again that it repeats by aliases.
const WORDS_BYTES: usize = 4 * MANIFEST_BYTES;

/// `workflow.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawManifest {
    pub(super) niassa: Spanned<i64>,
    pub(super) name: Spanned<String>,
    pub(super) version: Spanned<String>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) parameters: Entries<RawParameter>,
    pub(super) setup: Option<String>,
    #[serde(default)]
    pub(super) env: Entries<String>,
    #[serde(default)]
    pub(super) modules: Vec<Spanned<String>>,
    pub(super) container: Option<Spanned<String>>,
    pub(super) steps: Vec<Spanned<RawStep>>,
}

/// A parameter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawParameter {
    #[serde(rename = "type")]
    pub(super) kind: Spanned<String>,
    pub(super) items: Option<RawItems>,
    pub(super) default: Option<Spanned<Value>>,
    pub(super) help: Option<String>,
    pub(super) meta_type: Option<Spanned<String>>,
    pub(super) min: Option<Spanned<f64>>,
    pub(super) max: Option<Spanned<f64>>,
    pub(super) choices: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(super) free_text: bool,
}

/// What a list holds: a type, or fields with types.
#[derive(Debug)]
pub(super) enum RawItems {
    Scalar(String),
    Record(Entries<String>),
}

/// A step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) needs: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) foreach: Entries<String>,
    pub(super) command: Spanned<String>,
    pub(super) threads: Option<Spanned<String>>,
    pub(super) memory: Option<Spanned<String>>,
    pub(super) time: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) outputs: Vec<RawOutput>,
    pub(super) retry: Option<RawRetry>,
    pub(super) setup: Option<String>,
    #[serde(default)]
    pub(super) env: Entries<String>,
    #[serde(default)]
    pub(super) modules: Vec<Spanned<String>>,
    pub(super) container: Option<Spanned<String>>,
}

/// A file that a step makes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOutput {
    pub(super) path: Spanned<String>,
    pub(super) meta_type: Spanned<String>,
}

/// When to try a step again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetry {
    pub(super) max: Spanned<u32>,
    #[serde(default)]
    pub(super) on: Vec<Spanned<String>>,
    pub(super) memory: Option<Spanned<String>>,
    pub(super) time: Option<Spanned<String>>,
    pub(super) backoff: Option<Spanned<String>>,
}

/// A mapping in the order of the manifest.
#[derive(Debug)]
pub(super) struct Entries<T>(pub(super) Vec<Entry<T>>);

/// One key of a mapping, with its line.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) name: String,
    pub(super) line: u64,
    pub(super) value: T,
}

/// Reads the YAML of a manifest.
pub(super) fn read(text: &str) -> Result<RawManifest, Problem> {
    let bytes = text.len();
    if bytes > MANIFEST_BYTES {
        let message = format!("{bytes} bytes are too many; at most {MANIFEST_BYTES} are read");
        return Err(Problem::at(0, message));
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_total_scalar_bytes: WORDS_BYTES },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| problem_of(&error))
}

/// Returns the line of a value.
pub(super) fn line_of<T>(value: &Spanned<T>) -> u64 {
    value.referenced.line()
}

/// Says in our words what the YAML reader says.
fn problem_of(error: &Error) -> Problem {
    let error = error.without_snippet();
    let line = error.location().map_or(0, |location| location.line());
    let message = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{field}`{}", hint(field, expected.iter().copied()))
        }
        Error::SerdeMissingField { field, .. } => format!("`{field}` is missing"),
        other => without_place(&other.to_string()),
    };
    Problem::at(line, message)
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A key with nothing behind it is an empty mapping.
        deserializer.deserialize_option(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a mapping")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Entries::default())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Entries::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let line = line_of(&key);
            entries.push(Entry { name: key.value, line, value: map.next_value()? });
        }
        Ok(Entries(entries))
    }
}

impl<'de> Deserialize<'de> for RawItems {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = RawItems;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a type, or a mapping of fields to types")
    }

    fn visit_str<E>(self, text: &str) -> Result<RawItems, E> {
        Ok(RawItems::Scalar(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawItems, A::Error> {
        EntriesVisitor(PhantomData).visit_map(map).map(RawItems::Record)
    }
}
