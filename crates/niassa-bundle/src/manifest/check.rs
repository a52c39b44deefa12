//! From YAML to a manifest: every rule, and all that breaks one.

mod parameters;
mod steps;
mod words;

use self::parameters::parameters_of;
use self::steps::steps_of;
use self::words::{check_bundle_name, check_version};
use super::Manifest;
use super::problem::{MOST, ManifestError, Problem, Rest};
use super::raw::{RawManifest, line_of};
use crate::similar::Hints;

/// Steps of one manifest.
const STEPS: usize = 10_000;
/// Parameters of one manifest.
const PARAMETERS: usize = 1_000;
/// Bytes of a description.
const DESCRIPTION_BYTES: usize = 64 * 1024;

/// What was found wrong so far; of too much of it only the first.
#[derive(Debug, Default)]
struct Problems {
    told: Vec<Problem>,
    /// What may still be asked for the nearest word.
    hints: Hints,
    is_cut: bool,
}

impl Problems {
    fn add(&mut self, line: u64, message: impl Into<String>) {
        match self.told.len() < MOST {
            true => self.told.push(Problem::at(line, message)),
            false => self.is_cut = true,
        }
    }

    /// Keeps what is good, and notes what is not.
    fn keep<T>(&mut self, line: u64, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(line, message)).ok()
    }

    fn into_error(self) -> ManifestError {
        ManifestError::of(self.told, if self.is_cut { Rest::Untold } else { Rest::None })
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
    check_sizes(raw)?;
    problems.keep(line_of(&raw.name), check_bundle_name(&raw.name.value));
    problems.keep(line_of(&raw.version), check_version(&raw.version.value));
    let known = parameters_of(&raw.parameters, &mut problems);
    let steps = steps_of(raw, &known, &mut problems);
    if !problems.told.is_empty() {
        return Err(problems.into_error());
    }
    Ok(Manifest {
        name: raw.name.value.clone(),
        version: raw.version.value.clone(),
        description: raw.description.trim().to_owned(),
        parameters: known.parameters,
        steps,
    })
}

/// Refuses what is too much, before anything is made of it.
fn check_sizes(raw: &RawManifest) -> Result<(), Problem> {
    if let Some(step) = raw.steps.get(STEPS) {
        let line = line_of(&step.value.name);
        return Err(Problem::at(line, format!("a workflow has at most {STEPS} steps")));
    }
    if let Some(parameter) = raw.parameters.0.get(PARAMETERS) {
        let message = format!("a workflow has at most {PARAMETERS} parameters");
        return Err(Problem::at(parameter.line, message));
    }
    if raw.description.len() > DESCRIPTION_BYTES {
        let message = format!("the description has at most {DESCRIPTION_BYTES} bytes");
        return Err(Problem::at(0, message));
    }
    Ok(())
}
