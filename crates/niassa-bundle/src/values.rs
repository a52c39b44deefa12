//! The values of a run: from the bundle's ini files, the user's files and overrides, all checked.
//!
//! Precedence, lowest first: the defaults of the manifest, the bundle's `config/*.ini` by name, the
//! user's files in their order, the overrides in theirs. Variables `${key}` are replaced in text from
//! all of them; whatever is generated is generated here, once per run, so that a plan made later is
//! the same plan. Every mistake is told at once, with file and line.

mod complaints;
mod given;
mod resolve;
mod stored;
mod variables;

use std::collections::BTreeMap;
use std::fmt;

use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ini;
use crate::manifest::{Manifest, text_of};

pub use resolve::resolve;
pub(crate) use stored::Decoder;

/// The resolved values of a run, as the MetaDB stores them.
///
/// Text is written as an ini file would have it: `${sqw.bundle-dir}` stands for the folder of the
/// unpacked bundle, which is known only where the run is launched, and `$${` for `${`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Values {
    /// One value per parameter of the workflow.
    pub parameters: BTreeMap<String, Value>,
    /// Below which folder outputs go; without it they stay in the run directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_prefix: Option<String>,
    /// The folder below `output_prefix`; by default the run's accession.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_dir: Option<String>,
}

/// A file of values, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name, for messages.
    pub name: String,
    /// How it is written.
    pub format: SourceFormat,
    /// Its text.
    pub text: String,
}

/// How a file of values is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceFormat {
    /// Java properties with Niassa's variables.
    Ini,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// What generated variables such as `${sqw.date}` are made from; drawn by the caller, once per run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generated {
    /// The time of scheduling.
    pub now: Timestamp,
    /// Random bytes, new for every run.
    pub seed: [u8; 32],
}

/// Values, and what the user should know about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The values.
    pub values: Values,
    /// Such as keys that look misspelt.
    pub warnings: Vec<String>,
}

/// Values that do not fit a workflow: everything that is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuesError {
    errors: Vec<String>,
}

impl ValuesError {
    /// Returns every error, with `file:line` where it has one.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }
}

impl fmt::Display for ValuesError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() {
            1 => formatter.write_str("the values of the run have an error"),
            count => write!(formatter, "the values of the run have {count} errors"),
        }
    }
}

impl std::error::Error for ValuesError {}

/// Writes the effective ini of a run: every value, in the order of the manifest.
///
/// Given to `schedule --ini`, it makes a run with the same values.
pub fn to_ini(manifest: &Manifest, values: &Values) -> String {
    let mut text = String::new();
    for parameter in &manifest.parameters {
        if let Some(value) = values.parameters.get(&parameter.name) {
            ini::write_entry(&mut text, &parameter.name, &text_of(value));
        }
    }
    for (key, value) in
        [("output_prefix", &values.output_prefix), ("output_dir", &values.output_dir)]
    {
        if let Some(value) = value {
            ini::write_entry(&mut text, key, value);
        }
    }
    text
}

#[cfg(test)]
mod tests;
