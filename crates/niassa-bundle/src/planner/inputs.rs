//! Values as steps see them: the bundle's folder filled in, and every file where it is linked.

use std::path::Path;

use niassa_model::plan::PlannedInput;
use serde_json::Value;

use super::{PlanContext, PlanError};
use crate::manifest::{Items, Kind, Manifest, Parameter, ScalarKind};
use crate::values::{Decoder, Values};

/// The values of a run, bound to its place.
pub(super) struct Bound<'m> {
    /// Each parameter with its value, in the order of the manifest.
    pub(super) values: Vec<(&'m Parameter, Value)>,
    /// Every file among them.
    pub(super) inputs: Vec<PlannedInput>,
}

impl<'m> Bound<'m> {
    pub(super) fn of(
        manifest: &'m Manifest,
        values: &Values,
        context: &PlanContext,
    ) -> Result<Self, PlanError> {
        let decoder = Decoder { bundle_dir: folder_text(&context.bundle_dir)? };
        let mut links = Links { run_dir: folder_text(&context.run_dir)?, inputs: Vec::new() };
        let mut bound = Vec::with_capacity(manifest.parameters.len());
        for parameter in &manifest.parameters {
            let stored = values.parameters.get(&parameter.name);
            let stored = stored.ok_or_else(|| PlanError::Value(parameter.name.clone()))?;
            bound.push((parameter, links.link(parameter, decoder.value(stored))));
        }
        Ok(Self { values: bound, inputs: links.inputs })
    }

    /// Returns the elements of a list.
    pub(super) fn list(&self, parameter: &str) -> Result<&[Value], PlanError> {
        let found = self.values.iter().find(|(known, _)| known.name == parameter);
        let list = found.and_then(|(_, value)| value.as_array());
        list.map(Vec::as_slice).ok_or_else(|| PlanError::Value(parameter.to_owned()))
    }
}

/// Returns a folder as text that can stand in a script and in a value.
pub(super) fn folder_text(folder: &Path) -> Result<&str, PlanError> {
    folder
        .to_str()
        .filter(|text| !text.chars().any(|c| matches!(c, '$' | '`') || c.is_control()))
        .ok_or_else(|| PlanError::Folder(folder.to_owned()))
}

/// Gives every file its link in the run directory.
struct Links<'c> {
    run_dir: &'c str,
    inputs: Vec<PlannedInput>,
}

impl Links<'_> {
    /// Returns a value in which every file is the path of its link.
    fn link(&mut self, parameter: &Parameter, value: Value) -> Value {
        match (&parameter.kind, value) {
            (Kind::Scalar(ScalarKind::File), Value::String(source)) => self.file(parameter, source),
            (Kind::List(Items::Scalar(ScalarKind::File)), Value::Array(sources)) => {
                let link = |source| match source {
                    Value::String(source) => self.file(parameter, source),
                    other => other,
                };
                Value::Array(sources.into_iter().map(link).collect())
            }
            (Kind::List(Items::Record(fields)), Value::Array(records)) => {
                let is_file = |name: &String| {
                    fields.iter().any(|(field, kind)| field == name && *kind == ScalarKind::File)
                };
                let mut link = |(name, value): (String, Value)| match value {
                    Value::String(source) if is_file(&name) => {
                        let link = self.file(parameter, source);
                        (name, link)
                    }
                    other => (name, other),
                };
                let records = records.into_iter().map(|record| match record {
                    Value::Object(fields) => {
                        Value::Object(fields.into_iter().map(&mut link).collect())
                    }
                    other => other,
                });
                Value::Array(records.collect())
            }
            (_, value) => value,
        }
    }

    /// A file that was left out stays empty and is no input.
    fn file(&mut self, parameter: &Parameter, source: String) -> Value {
        if source.is_empty() {
            return Value::String(source);
        }
        let link = format!("provisionfiles/{}/{}", self.inputs.len() + 1, name_of(&source));
        let path = format!("{}/{link}", self.run_dir);
        self.inputs.push(PlannedInput {
            parameter: parameter.name.clone(),
            source,
            link,
            meta_type: parameter.meta_type.clone(),
        });
        Value::String(path)
    }
}

/// Returns the last name of a path, or of the path of a URL.
fn name_of(source: &str) -> &str {
    let path = match source.split_once("://") {
        Some((_, rest)) if !source.starts_with('/') => {
            let end = rest.find(['?', '#']).unwrap_or(rest.len());
            &rest[..end]
        }
        _ => source,
    };
    match path.rsplit('/').find(|name| !name.is_empty()) {
        Some(name) if !matches!(name, "." | "..") && name.len() <= 255 => name,
        _ => "input",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_called_like_their_files() {
        for (source, name) in [
            ("/data/reads_1.fq.gz", "reads_1.fq.gz"),
            ("/data/a b/", "a b"),
            ("/data/..", "input"),
            ("/", "input"),
            ("https://host/x/reads.fq?token=a/b", "reads.fq"),
            ("s3://bucket/key", "key"),
        ] {
            assert_eq!(name_of(source), name, "{source}");
        }
    }

    #[test]
    fn folders_that_bash_would_read_are_refused() {
        assert!(folder_text(Path::new("/home/bob/it's a \"run\"")).is_ok());
        for folder in ["/a/$HOME", "/a`b", "/a\nb"] {
            assert!(folder_text(Path::new(folder)).is_err(), "{folder}");
        }
    }
}
