//! Parameters: names, types, defaults, and the shell variables that come of them.

use std::collections::HashMap;

use super::super::accept::{Stage, accept};
use super::super::parameter::{Items, Kind, Parameter, ScalarKind};
use super::super::raw::{Entries, Entry, RawItems, RawParameter, line_of};
use super::Problems;
use super::words::{check_line, check_variable, scalar_kind};

/// Fields of a record.
const FIELDS: usize = 100;

/// The parameters of a manifest.
pub(super) struct Known {
    pub(super) parameters: Vec<Parameter>,
    /// The shell variables they make, each with the name of its parameter.
    pub(super) variables: HashMap<String, String>,
}

/// Makes the parameters of a manifest, as far as they are good.
pub(super) fn parameters_of(raw: &Entries<RawParameter>, problems: &mut Problems) -> Known {
    let mut parameters = Vec::new();
    let mut variables: HashMap<String, String> = HashMap::new();
    for entry in &raw.0 {
        if problems.is_cut {
            break;
        }
        let named = problems.keep(entry.line, check_variable("parameter", &entry.name));
        let parameter = parameter_of(entry, problems);
        // A name that is none may be of any length, which each field would repeat.
        let made = named.map(|()| variables_of(&parameter)).unwrap_or_default();
        for variable in made {
            let name = entry.name.clone();
            if let Some(other) = variables.insert(variable.clone(), name) {
                problems.add(
                    entry.line,
                    format!("`{}` and `{other}` both make the variable `{variable}`", entry.name),
                );
            }
        }
        parameters.push(parameter);
    }
    Known { parameters, variables }
}

/// Returns the shell variables that a parameter makes: a list of records one array per field.
fn variables_of(parameter: &Parameter) -> Vec<String> {
    match &parameter.kind {
        Kind::Scalar(_) | Kind::List(Items::Scalar(_)) => vec![parameter.name.clone()],
        Kind::List(Items::Record(fields)) => {
            fields.iter().map(|(field, _)| format!("{}_{field}", parameter.name)).collect()
        }
    }
}

fn parameter_of(entry: &Entry<RawParameter>, problems: &mut Problems) -> Parameter {
    let raw = &entry.value;
    let kind = kind_of(entry, problems);
    let mut parameter = Parameter {
        name: entry.name.clone(),
        kind: kind.unwrap_or(Kind::Scalar(ScalarKind::String)),
        default: None,
        help: raw.help.as_ref().map(|help| help.trim().to_owned()),
        meta_type: raw.meta_type.as_ref().map(|meta_type| meta_type.value.clone()),
        min: raw.min.as_ref().map(|min| min.value),
        max: raw.max.as_ref().map(|max| max.value),
        choices: raw.choices.as_ref().map(|choices| choices.value.clone()).unwrap_or_default(),
        free_text: raw.free_text,
    };
    check_bounds(entry, &parameter, problems);
    if let Some(default) = &raw.default {
        parameter.default = Some(default.value.clone());
        match accept(&parameter, &default.value, Stage::Written, &problems.hints) {
            Ok(value) => parameter.default = Some(value),
            Err(errors) => {
                for error in errors {
                    problems.add(line_of(default), format!("default of `{}`: {error}", entry.name));
                }
            }
        }
    }
    parameter
}

fn kind_of(entry: &Entry<RawParameter>, problems: &mut Problems) -> Option<Kind> {
    let raw = &entry.value;
    let (line, name) = (line_of(&raw.kind), &entry.name);
    let items = match (raw.kind.value.as_str(), &raw.items) {
        ("list", Some(items)) => items,
        ("list", None) => {
            problems.add(line, format!("`{name}` is a list and needs `items`"));
            return None;
        }
        (word, items) => {
            if items.is_some() {
                problems.add(line, format!("`{name}` has `items` but is not a list"));
            }
            let kind = scalar_kind("type", word).map_err(|error| match word {
                "array" | "lists" | "List" => format!("{error}, or list"),
                _ => error,
            });
            return problems.keep(line, kind).map(Kind::Scalar);
        }
    };
    match items {
        RawItems::Scalar(word) => {
            let kind = problems.keep(line, scalar_kind("items", word))?;
            Some(Kind::List(Items::Scalar(kind)))
        }
        RawItems::Record(fields) => {
            if fields.0.is_empty() {
                problems.add(line, format!("the records of `{name}` have no fields"));
            }
            if let Some(field) = fields.0.get(FIELDS) {
                problems.add(field.line, format!("a record has at most {FIELDS} fields"));
                return None;
            }
            let mut known = Vec::new();
            for field in &fields.0 {
                problems.keep(field.line, check_variable("field", &field.name));
                let kind = problems.keep(field.line, scalar_kind("type", &field.value));
                known.push((field.name.clone(), kind.unwrap_or(ScalarKind::String)));
            }
            Some(Kind::List(Items::Record(known.into())))
        }
    }
}

/// Checks that what bounds the values fits their type.
fn check_bounds(entry: &Entry<RawParameter>, parameter: &Parameter, problems: &mut Problems) {
    let raw = &entry.value;
    let line = line_of(&raw.kind);
    let name = &entry.name;
    let kinds = match &parameter.kind {
        Kind::Scalar(kind) | Kind::List(Items::Scalar(kind)) => vec![*kind],
        Kind::List(Items::Record(fields)) => fields.iter().map(|(_, kind)| *kind).collect(),
    };
    let is_record = matches!(parameter.kind, Kind::List(Items::Record(_)));
    let is_number = matches!(kinds[..], [ScalarKind::Int | ScalarKind::Float]) && !is_record;
    let has_bounds = raw.min.is_some() || raw.max.is_some();
    if has_bounds && !is_number {
        problems.add(line, format!("`{name}`: only numbers have `min` and `max`"));
    }
    if let (Some(min), Some(max)) = (parameter.min, parameter.max)
        && min > max
    {
        problems.add(line, format!("`{name}`: min {min} is more than max {max}"));
    }
    let has_choices = matches!(kinds[..], [ScalarKind::String | ScalarKind::Int]) && !is_record;
    if let Some(choices) = &raw.choices
        && (!has_choices || choices.value.is_empty())
    {
        let what = "`choices` need a string or an int, and at least one of them";
        problems.add(line_of(choices), format!("`{name}`: {what}"));
    }
    if let Some(meta_type) = &raw.meta_type {
        problems.keep(line_of(meta_type), check_line("meta_type", &meta_type.value));
        if !kinds.contains(&ScalarKind::File) {
            problems.add(line_of(meta_type), format!("`{name}`: only files have a `meta_type`"));
        }
    }
    if raw.free_text && !kinds.contains(&ScalarKind::String) {
        problems.add(line, format!("`{name}`: only text can be `free_text`"));
    }
}
