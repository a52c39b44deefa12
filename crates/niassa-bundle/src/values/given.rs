//! What was given for a run: every key with its last value and where that stands.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use niassa_model::limits::INI_BYTES;
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::complaints::Complaints;
use super::{Source, SourceFormat};
use crate::ini;
use crate::manifest::shown;

/// Bytes of the name of a file; it stands in every message about a value.
const NAME_BYTES: usize = 255;

/// The values given for a run.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// The value that counts of each key.
    pub(super) values: BTreeMap<String, GivenValue>,
    pub(super) errors: Complaints,
    pub(super) warnings: Complaints,
}

/// The value of a key.
#[derive(Debug)]
pub(super) struct GivenValue {
    pub(super) value: Raw,
    pub(super) origin: Origin,
}

/// A value as its file has it.
#[derive(Debug)]
pub(super) enum Raw {
    /// Plain text, from an ini file or an override.
    Text(String),
    /// A typed value, from YAML, JSON or the manifest.
    Typed(Value),
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file of the bundle.
    Bundle { file: Arc<str>, line: u64 },
    /// A file of the user.
    User { file: Arc<str>, line: Option<u64> },
    /// The command line.
    Override,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle { file, line } | Self::User { file, line: Some(line) } => {
                write!(formatter, "{file}:{line}")
            }
            Self::User { file, line: None } => formatter.write_str(file),
            Self::Override => formatter.write_str("--override"),
        }
    }
}

/// A YAML file of values.
type YamlValues = BTreeMap<String, Spanned<Value>>;

impl Given {
    /// Reads everything that was given, lowest precedence first.
    pub(super) fn read(
        config: &[(String, String)],
        sources: &[Source],
        overrides: &[String],
    ) -> Self {
        let mut given = Self::default();
        for (file, text) in config {
            given.ini(file, text, |file, line| Origin::Bundle { file, line });
        }
        for source in sources {
            if let Err(error) = check_size(source) {
                given.errors.add(|| error);
                continue;
            }
            match source.format {
                SourceFormat::Ini => given.ini(&source.name, &source.text, |file, line| {
                    Origin::User { file, line: Some(line) }
                }),
                SourceFormat::Yaml => given.yaml(source),
                SourceFormat::Json => given.json(source),
            }
        }
        for pair in overrides {
            match pair.split_once('=') {
                Some((key, value)) => {
                    given.set(key.trim(), Raw::Text(value.to_owned()), Origin::Override);
                }
                None => given.errors.add(|| format!("--override `{pair}` is not KEY=VALUE")),
            }
        }
        given
    }

    fn set(&mut self, key: &str, value: Raw, origin: Origin) {
        self.values.insert(key.to_owned(), GivenValue { value, origin });
    }

    fn ini(&mut self, file: &str, text: &str, origin: impl Fn(Arc<str>, u64) -> Origin) {
        let entries = match ini::parse(text) {
            Ok(entries) => entries,
            Err(malformed) => {
                for malformed in malformed {
                    self.errors.add(|| format!("{file}:{}: {malformed}", malformed.line));
                }
                return;
            }
        };
        let shared = Arc::from(file);
        let mut lines: HashMap<String, u64> = HashMap::new();
        for entry in entries {
            if let Some(first) = lines.insert(entry.key.clone(), entry.line) {
                let (line, key) = (entry.line, &entry.key);
                self.warnings
                    .add(|| format!("{file}:{line}: `{key}` replaces its value of line {first}"));
            }
            let origin = origin(Arc::clone(&shared), entry.line);
            self.set(&entry.key, Raw::Text(entry.value), origin);
        }
    }

    fn json(&mut self, source: &Source) {
        let file = &source.name;
        let read = serde_json::from_str::<serde_json::Map<String, Value>>(&source.text);
        match read {
            Ok(values) => {
                let shared = Arc::from(file.as_str());
                for (key, value) in values {
                    let origin = Origin::User { file: Arc::clone(&shared), line: None };
                    self.set(&key, Raw::Typed(value), origin);
                }
            }
            Err(error) => self.errors.add(|| format!("{file}:{}: {error}", error.line())),
        }
    }

    fn yaml(&mut self, source: &Source) {
        let file = &source.name;
        // A file of values may be long; how much it may unfold by aliases stays bounded.
        let options = serde_saphyr::options! {
            with_snippet: false,
            strict_booleans: true,
            budget: serde_saphyr::budget! { max_nodes: 4_000_000, max_events: 8_000_000 },
        };
        match serde_saphyr::from_str_with_options::<YamlValues>(&source.text, options) {
            Ok(values) => {
                let shared = Arc::from(file.as_str());
                for (key, value) in values {
                    let line = Some(value.referenced.line()).filter(|line| *line > 0);
                    let origin = Origin::User { file: Arc::clone(&shared), line };
                    self.set(&key, Raw::Typed(value.value), origin);
                }
            }
            Err(error) => {
                let line = error.location().as_ref().map_or(1, Location::line);
                let message = crate::yaml::without_place(&error.without_snippet().to_string());
                self.errors.add(|| format!("{file}:{line}: {message}"));
            }
        }
    }
}

/// Checks that a file and its name are not too long.
fn check_size(source: &Source) -> Result<(), String> {
    let (name, bytes) = (&source.name, source.text.len());
    if name.len() > NAME_BYTES {
        let name = shown(name);
        return Err(format!("{name}: the name of a file has at most {NAME_BYTES} bytes"));
    }
    if bytes > INI_BYTES {
        return Err(format!("{name}: {bytes} bytes are too many; at most {INI_BYTES} are read"));
    }
    Ok(())
}
