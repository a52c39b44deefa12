//! Parameters: what a run is given, typed.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::ini;

/// One parameter of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name: `[a-z][a-z0-9_]*`; a shell variable in every command.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it is when nothing is given; without a default a value is needed.
    pub default: Option<Value>,
    /// What it is for.
    pub help: Option<String>,
    /// The type of a file, such as `chemical/seq-na-fastq-gzip`.
    pub meta_type: Option<String>,
    /// The least number allowed.
    pub min: Option<f64>,
    /// The greatest number allowed.
    pub max: Option<f64>,
    /// The only values allowed; empty allows all.
    pub choices: Vec<String>,
    /// Whether text may hold `$` and backquotes, which bash evaluates in some places.
    pub free_text: bool,
}

/// The type of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One value.
    Scalar(ScalarKind),
    /// Any number of values.
    List(Items),
}

/// What a list holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Items {
    /// Plain values.
    Scalar(ScalarKind),
    /// Records: named fields, in the order of the manifest. Every step that is repeated for them
    /// has them too, so they are shared.
    Record(Arc<[(String, ScalarKind)]>),
}

/// The type of a single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarKind {
    /// Text.
    String,
    /// A whole number of 64 bits.
    Int,
    /// A finite number.
    Float,
    /// True or false.
    Bool,
    /// An absolute path, or a URL.
    File,
}

impl Parameter {
    /// Tells whether a value must be given.
    pub fn is_required(&self) -> bool {
        self.default.is_none()
    }

    /// Returns the type as people write it: `int`, `list of string`, `list of {name, span}`.
    pub fn kind_text(&self) -> String {
        match &self.kind {
            Kind::Scalar(kind) => kind.as_str().to_owned(),
            Kind::List(Items::Scalar(kind)) => format!("list of {kind}"),
            Kind::List(Items::Record(fields)) => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                format!("list of {{{}}}", names.join(", "))
            }
        }
    }

    /// Returns the default as an ini file writes it.
    pub fn default_text(&self) -> Option<String> {
        self.default.as_ref().map(|value| ini::escape(&text_of(value)))
    }

    /// Returns whether a file of this parameter may be left out: its default is no file.
    pub(crate) fn may_be_no_file(&self) -> bool {
        self.default.as_ref().is_some_and(|default| default.as_str() == Some(""))
    }
}

/// Writes a value as text: strings as they are, everything else as JSON.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl ScalarKind {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::String, Self::Int, Self::Float, Self::Bool, Self::File];

    /// Returns the word of the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::File => "file",
        }
    }

    /// Finds a type by its word.
    pub(super) fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for ScalarKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
