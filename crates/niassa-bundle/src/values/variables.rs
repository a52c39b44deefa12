//! Niassa's variables: `${key}` is another value of the run, or one that is generated.
//!
//! Each key is replaced once and its text kept, so that all who refer to it see the same; two
//! occurrences of a generator are two values. Depth and size are bounded, and a circle is an error
//! that shows its path.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use niassa_model::limits::INI_BYTES;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::Generated;
use super::given::{GivenValue, Raw};
use crate::manifest::{BUNDLE_DIR, Manifest, shown, text_of};
use crate::similar::Hints;

/// How deep values may stand within each other.
const DEPTH: usize = 64;
/// Bytes that all replaced text of a run may have.
const BYTES: usize = 2 * INI_BYTES;

/// The generators by their names, old names included.
const GENERATORS: [(&str, Generator); 10] = [
    ("sqw.date", Generator::Date),
    ("date", Generator::Date),
    ("sqw.datetime", Generator::DateTime),
    ("sqw.timestamp", Generator::Timestamp),
    ("sqw.random", Generator::Random),
    ("random", Generator::Random),
    ("sqw.uuid", Generator::Uuid),
    ("sqw.bundle-seqware-version", Generator::Version),
    ("sqw.bundle-dir", Generator::BundleDir),
    ("workflow_bundle_dir", Generator::BundleDir),
];

#[derive(Debug, Clone, Copy)]
enum Generator {
    Date,
    DateTime,
    Timestamp,
    Random,
    Uuid,
    Version,
    BundleDir,
}

/// Replaces variables in the values of one run.
pub(super) struct Variables<'g> {
    given: &'g BTreeMap<String, GivenValue>,
    hints: &'g Hints,
    defaults: BTreeMap<&'g str, &'g Value>,
    now: String,
    micros: i64,
    random: StdRng,
    /// The stored form of each key that was asked for.
    done: HashMap<String, Value>,
    /// The keys that are being replaced now, outermost first.
    path: Vec<String>,
    /// Bytes that may still be written; none once a value was too large for them.
    left: Option<usize>,
    /// Every key that something refers to.
    referred: BTreeSet<String>,
}

impl<'g> Variables<'g> {
    pub(super) fn new(
        manifest: &'g Manifest,
        given: &'g BTreeMap<String, GivenValue>,
        generated: &Generated,
        hints: &'g Hints,
    ) -> Self {
        let defaults = manifest.parameters.iter().filter_map(|parameter| {
            parameter.default.as_ref().map(|default| (parameter.name.as_str(), default))
        });
        Self {
            given,
            hints,
            defaults: defaults.collect(),
            now: generated.now.to_string(),
            micros: generated.now.as_micros(),
            random: StdRng::from_seed(generated.seed),
            done: HashMap::new(),
            path: Vec::new(),
            left: Some(BYTES),
            referred: BTreeSet::new(),
        }
    }

    /// Returns a key's value in the stored form; nothing if there is no such key.
    pub(super) fn value(&mut self, key: &str) -> Result<Option<Value>, String> {
        if let Some(done) = self.done.get(key) {
            return Ok(Some(done.clone()));
        }
        if let Some(start) = self.path.iter().position(|outer| outer == key) {
            let path = self.path[start..].iter().map(String::as_str).chain([key]);
            // Keys may be of any length.
            let path: Vec<String> = path.map(|key| key.chars().take(64).collect()).collect();
            return Err(format!("the variables refer to each other: {}", path.join(" -> ")));
        }
        if self.path.len() >= DEPTH {
            return Err(format!("more than {DEPTH} variables stand within each other"));
        }
        self.path.push(key.to_owned());
        let replaced = match (self.given.get(key), self.defaults.get(key)) {
            (Some(GivenValue { value: Raw::Text(text), .. }), _) => {
                Some(self.text(text).map(Value::String))
            }
            (Some(GivenValue { value: Raw::Typed(value), .. }), _) => Some(self.typed(value)),
            (None, Some(default)) => Some(self.typed(default)),
            (None, None) => None,
        };
        self.path.pop();
        let Some(value) = replaced.transpose()? else { return Ok(None) };
        self.done.insert(key.to_owned(), value.clone());
        Ok(Some(value))
    }

    /// Tells whether something refers to this key.
    pub(super) fn is_referred_to(&self, key: &str) -> bool {
        self.referred.contains(key)
    }

    /// Tells whether the values are too large together: none can be replaced any more.
    pub(super) fn are_too_large(&self) -> bool {
        self.left.is_none()
    }

    fn typed(&mut self, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) => self.text(text).map(Value::String),
            Value::Array(values) => {
                let values: Result<_, _> = values.iter().map(|value| self.typed(value)).collect();
                values.map(Value::Array)
            }
            Value::Object(fields) => {
                let mut replaced = serde_json::Map::new();
                for (name, value) in fields {
                    replaced.insert(name.clone(), self.typed(value)?);
                }
                Ok(Value::Object(replaced))
            }
            other => Ok(other.clone()),
        }
    }

    /// Replaces the variables of a text.
    fn text(&mut self, text: &str) -> Result<String, String> {
        let mut replaced = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            self.push(&mut replaced, before)?;
            if let Some(after) = from.strip_prefix("$${") {
                self.push(&mut replaced, "$${")?;
                rest = after;
            } else if let Some(after) = from.strip_prefix("${") {
                let Some((name, after)) = after.split_once('}') else {
                    return Err(format!("{} has no `}}` after `${{`", shown(text)));
                };
                let value = self.variable(name)?;
                self.push(&mut replaced, &value)?;
                rest = after;
            } else {
                self.push(&mut replaced, "$")?;
                rest = &from[1..];
            }
        }
        self.push(&mut replaced, rest)?;
        Ok(replaced)
    }

    fn push(&mut self, text: &mut String, more: &str) -> Result<(), String> {
        self.left = self.left.and_then(|left| left.checked_sub(more.len()));
        if self.left.is_none() {
            return Err(format!("the variables make more than {BYTES} bytes"));
        }
        text.push_str(more);
        Ok(())
    }

    fn variable(&mut self, name: &str) -> Result<String, String> {
        self.referred.insert(name.to_owned());
        if let Some(value) = self.value(name)? {
            return Ok(text_of(&value));
        }
        if let Some((_, generator)) = GENERATORS.iter().find(|(known, _)| *known == name) {
            return Ok(self.generate(*generator));
        }
        let known = GENERATORS.into_iter().map(|(name, _)| name);
        let hint = self.hints.hint(name, known.chain(self.given.keys().map(String::as_str)));
        Err(format!(
            "there is no value and no variable {}{hint}; write $${{ for a plain ${{",
            shown(name)
        ))
    }

    fn generate(&mut self, generator: Generator) -> String {
        // The time is written as 2027-01-15T08:00:00Z; its parts have fixed places.
        let part = |length| self.now.get(..length).unwrap_or(&self.now).to_owned();
        match generator {
            Generator::Date => part("2027-01-15".len()),
            Generator::DateTime => part("2027-01-15T08:00:00".len()),
            Generator::Timestamp => self.micros.div_euclid(1_000).to_string(),
            // A positive number of 31 bits, as Java's.
            Generator::Random => (self.random.next_u32() >> 1).to_string(),
            Generator::Uuid => {
                let mut bytes = [0; 16];
                self.random.fill_bytes(&mut bytes);
                uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
            }
            Generator::Version => env!("CARGO_PKG_VERSION").to_owned(),
            Generator::BundleDir => BUNDLE_DIR.to_owned(),
        }
    }
}
