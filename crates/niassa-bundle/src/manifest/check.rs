//! From YAML to a manifest: every rule, and all that breaks one.

mod parameters;
mod steps;
mod words;

use self::parameters::parameters_of;
use self::steps::steps_of;
use self::words::{check_bundle_name, check_version};
use super::Manifest;
use super::problem::{ManifestError, Problem};
use super::raw::{RawManifest, line_of};

/// What was found wrong so far.
#[derive(Debug, Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, line: u64, message: impl Into<String>) {
        self.0.push(Problem::at(line, message));
    }

    /// Keeps what is good, and notes what is not.
    fn keep<T>(&mut self, line: u64, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(line, message)).ok()
    }
}

/// Checks a manifest.
pub(super) fn check(raw: &RawManifest) -> Result<Manifest, ManifestError> {
    let mut problems = Problems::default();
    if raw.niassa.value != 1 {
        // Whatever follows may mean something else in another version.
        let message = format!("niassa: {} is not known; this Niassa reads 1", raw.niassa.value);
        return Err(Problem::at(line_of(&raw.niassa), message).into());
    }
    problems.keep(line_of(&raw.name), check_bundle_name(&raw.name.value));
    problems.keep(line_of(&raw.version), check_version(&raw.version.value));
    let parameters = parameters_of(&raw.parameters, &mut problems);
    let steps = steps_of(raw, &parameters, &mut problems);
    if !problems.0.is_empty() {
        return Err(problems.0.into());
    }
    Ok(Manifest {
        name: raw.name.value.clone(),
        version: raw.version.value.clone(),
        description: raw.description.trim().to_owned(),
        parameters,
        steps,
    })
}
