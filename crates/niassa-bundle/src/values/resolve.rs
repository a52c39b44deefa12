//! From what was given to the values of a run.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::complaints::Complaints;
use super::given::{Given, GivenValue, Origin, Raw};
use super::variables::Variables;
use super::{Generated, Resolved, Source, Values, ValuesError};
use crate::manifest::{FILE_NAME, Manifest, Parameter, Stage, accept, accept_text, shown, text_of};
use crate::similar::Hints;

/// The key of the folder for outputs.
const OUTPUT_PREFIX: &str = "output_prefix";
/// The key of the folder below it.
const OUTPUT_DIR: &str = "output_dir";

/// Keys that Niassa wrote into every ini file; they are neither needed nor wrong.
const LEGACY_KEYS: [&str; 10] = [
    "manual_output",
    "metadata",
    "parent_accession",
    "parent_accessions",
    "parent-accessions",
    "workflow_run_accession",
    "workflow-run-accession",
    "workflow_bundle_dir",
    "input_file",
    "seqware-output-lines-number",
];

/// Resolves the values of a run: the manifest's defaults, then the bundle's ini files, the sources in
/// their order, and the overrides, each over what stands before it.
pub fn resolve(
    manifest: &Manifest,
    config: &[(String, String)],
    sources: &[Source],
    overrides: &[String],
    generated: &Generated,
) -> Result<Resolved, ValuesError> {
    let Given { values: given, errors, mut warnings } = Given::read(config, sources, overrides);
    let hints = Hints::default();
    let mut resolution = Resolution {
        manifest,
        parameters: manifest.parameters.iter().map(|parameter| parameter.name.as_str()).collect(),
        given: &given,
        variables: Variables::new(manifest, &given, generated, &hints),
        hints: &hints,
        errors,
    };
    let values = resolution.values();
    if !resolution.errors.is_empty() {
        return Err(ValuesError { errors: resolution.errors.into_lines("errors") });
    }
    resolution.warn_of_unknown_keys(&mut warnings);
    Ok(Resolved { values, warnings: warnings.into_lines("warnings") })
}

/// The work on one set of values.
struct Resolution<'v> {
    manifest: &'v Manifest,
    /// The names of all parameters.
    parameters: HashSet<&'v str>,
    given: &'v BTreeMap<String, GivenValue>,
    variables: Variables<'v>,
    hints: &'v Hints,
    errors: Complaints,
}

impl Resolution<'_> {
    /// Returns all values, as far as they are good.
    fn values(&mut self) -> Values {
        let mut values = Values::default();
        for parameter in &self.manifest.parameters {
            if self.is_over() {
                return values;
            }
            if let Some(value) = self.parameter(parameter) {
                values.parameters.insert(parameter.name.clone(), value);
            }
        }
        values.output_prefix = self.folder(OUTPUT_PREFIX, check_prefix);
        values.output_dir = self.folder(OUTPUT_DIR, check_dir);
        self.replace_the_rest();
        values
    }

    /// Tells whether to look no further: enough is wrong, or nothing more can be replaced.
    fn is_over(&self) -> bool {
        self.errors.is_cut() || self.variables.are_too_large()
    }

    /// Returns the value of a parameter, or notes what is wrong with it.
    fn parameter(&mut self, parameter: &Parameter) -> Option<Value> {
        let given = self.given.get(&parameter.name);
        let is_text = given.is_some_and(|given| matches!(given.value, Raw::Text(_)));
        let accepted = match self.variables.value(&parameter.name) {
            Ok(Some(value)) if is_text => accept_text(parameter, &text_of(&value), self.hints),
            Ok(Some(value)) => accept(parameter, &value, Stage::Replaced, self.hints),
            Ok(None) => Err(vec![missing(parameter)]),
            Err(error) => Err(vec![error]),
        };
        let errors = match accepted {
            Ok(value) => return Some(value),
            Err(errors) => errors,
        };
        let origin = given.map(|given| &given.origin);
        for error in errors {
            self.errors.add(|| located(origin, parameter, &error));
        }
        None
    }

    /// Returns a folder for outputs, or notes what is wrong with it.
    fn folder(&mut self, key: &str, check: fn(&str) -> Result<(), String>) -> Option<String> {
        if self.is_over() {
            return None;
        }
        let value = self.variables.value(key);
        match value.and_then(|value| checked_folder(value.as_ref(), check)) {
            Ok(folder) => folder,
            Err(error) => {
                let place = self.given.get(key).map(|given| format!("{}: ", given.origin));
                self.errors.add(|| format!("{}{key}: {error}", place.unwrap_or_default()));
                None
            }
        }
    }

    /// Replaces the variables of all other keys: as Niassa, refuses what cannot be, even where
    /// nothing needs it.
    fn replace_the_rest(&mut self) {
        for (key, value) in self.given {
            if self.is_over() {
                return;
            }
            if self.has_meaning(key) {
                continue;
            }
            if let Err(error) = self.variables.value(key) {
                self.errors.add(|| format!("{}: {key}: {error}", value.origin));
            }
        }
    }

    /// Warns of the user's keys that nothing reads.
    fn warn_of_unknown_keys(&self, warnings: &mut Complaints) {
        let is_unread = |key: &str, value: &GivenValue| {
            !self.has_meaning(key)
                && !self.variables.is_referred_to(key)
                && !matches!(value.origin, Origin::Bundle { .. })
        };
        let unread = self.given.iter().filter(|(key, value)| is_unread(key, value));
        for (key, value) in unread {
            if warnings.is_cut() {
                return;
            }
            warnings.add(|| {
                let known = self.manifest.parameters.iter().map(|parameter| &*parameter.name);
                let hint = self.hints.hint(key, known.chain([OUTPUT_PREFIX, OUTPUT_DIR]));
                let (origin, name) = (&value.origin, &self.manifest.name);
                let key = shown(key);
                format!("{origin}: {key} is not a parameter of {name} and is ignored{hint}")
            });
        }
    }

    fn has_meaning(&self, key: &str) -> bool {
        [OUTPUT_PREFIX, OUTPUT_DIR].contains(&key)
            || LEGACY_KEYS.contains(&key)
            || self.parameters.contains(key)
    }
}

fn missing(parameter: &Parameter) -> String {
    let help = parameter.help.as_ref().map(|help| format!(", {help}")).unwrap_or_default();
    let kind = parameter.kind_text();
    format!("no value is given ({kind}{help}); --override {}=...", parameter.name)
}

/// Says where a value stands that is not accepted.
fn located(origin: Option<&Origin>, parameter: &Parameter, error: &str) -> String {
    let name = &parameter.name;
    match origin {
        Some(origin) => format!("{origin}: {name}: {error}"),
        None if parameter.default.is_some() => {
            format!("{FILE_NAME}: the default of {name}: {error}")
        }
        None => format!("{name}: {error}"),
    }
}

fn checked_folder(
    value: Option<&Value>,
    check: fn(&str) -> Result<(), String>,
) -> Result<Option<String>, String> {
    let Some(text) = value.map(text_of).filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let text = text.trim().to_owned();
    if text.contains(['$', '`']) || text.chars().any(char::is_control) {
        return Err(format!("{} holds what no folder here may hold", shown(&text)));
    }
    check(&text).map(|()| Some(text))
}

fn check_prefix(text: &str) -> Result<(), String> {
    if text.starts_with('/') {
        return Ok(());
    }
    Err(format!("{} is not an absolute path; outputs go to a folder of the host", shown(text)))
}

fn check_dir(text: &str) -> Result<(), String> {
    let below = text.trim_end_matches('/');
    let is_below = !below.is_empty()
        && !text.starts_with('/')
        && below.split('/').all(|name| !name.is_empty() && name != "..");
    if is_below {
        return Ok(());
    }
    Err(format!("{} is not a folder below output_prefix", shown(text)))
}
