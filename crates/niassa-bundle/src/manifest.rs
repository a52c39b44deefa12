//! `workflow.yaml`: what a workflow takes and which steps it has.
//!
//! A manifest is read and completely checked by [`Manifest::parse`]; what it returns needs no
//! second look. A mistake in the YAML itself ends the reading, all others are found at once, each
//! with its line.

mod accept;
mod check;
mod order;
mod parameter;
mod problem;
mod raw;
mod step;
mod template;

pub(crate) use accept::{BUNDLE_DIR, Stage, accept, accept_text, shown};
pub(crate) use order::order;
pub(crate) use parameter::text_of;
pub use parameter::{Items, Kind, Parameter, ScalarKind};
pub use problem::{ManifestError, Problem};
pub use step::{Foreach, Output, Step, Surroundings};
pub use template::Template;
pub(crate) use template::environment;

/// The name of the manifest in its bundle.
pub const FILE_NAME: &str = "workflow.yaml";

/// A workflow as its manifest describes it, completely checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The workflow's name: a letter, then at most 63 of `A-Z a-z 0-9 _ - .`
    pub name: String,
    /// Its version: at most 64 of `A-Z a-z 0-9 _ - . +`
    pub version: String,
    /// What it does.
    pub description: String,
    /// What a run of it is given, in the order of the manifest.
    pub parameters: Vec<Parameter>,
    /// Its steps, in the order of the manifest.
    pub steps: Vec<Step>,
}

impl Manifest {
    /// Reads and checks the text of a `workflow.yaml`.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let raw = raw::read(text)?;
        check::check(&raw)
    }

    /// Returns the parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

#[cfg(test)]
mod tests;
