//! The few places where the manifest computes: threads, memory, time and output paths.
//!
//! Expressions see the parameters and the element of a `foreach`, and cost fuel, which bounds
//! their time and memory. What comes out is never pasted into shell text.

use std::fmt;

use minijinja::{Environment, UndefinedBehavior};

use super::parameter::{Items, Kind, Parameter};
use super::step::Foreach;
use crate::similar::Hints;

/// What one expression may cost: about as many instructions, or 64 times as many bytes.
const FUEL: u64 = 20_000;

/// Text with `{{ }}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

impl Template {
    /// Makes a template; whether it is a good one is for [`check`] to say.
    pub(super) fn new(source: impl Into<String>) -> Self {
        Self(source.into())
    }

    /// Returns its text.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// Returns the text of a template that computes nothing.
    pub fn constant(&self) -> Option<&str> {
        let computes = ["{{", "{%", "{#"].iter().any(|mark| self.0.contains(mark));
        (!computes).then_some(self.0.as_str())
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns the environment that templates are compiled and rendered in.
pub(crate) fn environment<'source>() -> Environment<'source> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}

/// Says what a template engine says, on one line and without the name of the template.
pub(crate) fn say(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// Compiles a template and checks that it names only what will be there.
pub(super) fn check(
    template: &Template,
    parameters: &[Parameter],
    foreach: Option<&Foreach>,
    hints: &Hints,
) -> Result<(), String> {
    let environment = environment();
    let compiled = environment.template_from_str(template.source()).map_err(|e| say(&e))?;
    let mut names: Vec<String> = compiled.undeclared_variables(true).into_iter().collect();
    names.sort_unstable();
    for name in names {
        if !environment.globals().any(|(global, _)| global == name) {
            check_name(&name, parameters, foreach, hints)?;
        }
    }
    Ok(())
}

/// Checks a dotted name.
fn check_name(
    dotted: &str,
    parameters: &[Parameter],
    foreach: Option<&Foreach>,
    hints: &Hints,
) -> Result<(), String> {
    let (name, field) = match dotted.split_once('.') {
        Some((name, field)) => (name, Some(field)),
        None => (dotted, None),
    };
    if let Some(foreach) = foreach.filter(|foreach| foreach.variable == name) {
        return check_field(dotted, field, &foreach.items, hints);
    }
    let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) else {
        let known = parameters.iter().map(|parameter| parameter.name.as_str());
        let known = known.chain(foreach.map(|foreach| foreach.variable.as_str()));
        return Err(format!("unknown variable `{name}`{}", hints.hint(name, known)));
    };
    match (&parameter.kind, field) {
        (Kind::Scalar(_) | Kind::List(_), None) => Ok(()),
        (Kind::Scalar(kind), Some(_)) => {
            Err(format!("unknown variable `{dotted}`: `{name}` is a {kind} and has no fields"))
        }
        (Kind::List(_), Some(_)) => Err(format!(
            "unknown variable `{dotted}`: `{name}` is a list; use foreach, or `{name}[0]`"
        )),
    }
}

fn check_field(
    dotted: &str,
    field: Option<&str>,
    items: &Items,
    hints: &Hints,
) -> Result<(), String> {
    match (items, field) {
        (_, None) => Ok(()),
        (Items::Record(fields), Some(field)) if fields.iter().any(|(name, _)| name == field) => {
            Ok(())
        }
        (Items::Record(fields), Some(field)) => {
            let hint = hints.hint(field, fields.iter().map(|(name, _)| name.as_str()));
            Err(format!("unknown variable `{dotted}`{hint}"))
        }
        (Items::Scalar(_), Some(_)) => Err(format!("unknown variable `{dotted}`: no fields here")),
    }
}
