//! The fields of a launch form, made of a workflow's parameters; what was typed, as values; and
//! which error belongs to which field.

use niassa_bundle::ini;
use niassa_bundle::manifest::{Items, Kind, Manifest, Parameter, ScalarKind};
use serde_json::{Map, Value};

use crate::pages::form::Form;
use crate::pages::words::shown;

/// What stands before the name of a parameter in the name of its field.
const PREFIX: &str = "p.";
/// The name under which the values are given, as it stands in errors.
pub(super) const SOURCE: &str = "form";

/// A field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name in the form.
    pub(super) name: String,
    /// What stands beside it.
    pub(super) label: String,
    /// Its type, as people write it.
    pub(super) kind: String,
    pub(super) help: Option<String>,
    pub(super) is_required: bool,
    pub(super) input: Input,
    /// What it holds.
    pub(super) value: String,
    pub(super) errors: Vec<String>,
}

/// How a value is typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// One line.
    Line,
    /// A whole number or not, with its bounds.
    Number { min: String, max: String, step: &'static str },
    /// One of a few words.
    Choice(Vec<String>),
    /// A table: a line for each element, its cells separated by tabs or commas.
    Table { columns: String },
}

/// Makes the fields of a workflow; `value` says what one holds.
pub(super) fn fields(manifest: &Manifest, value: impl Fn(&Parameter) -> String) -> Vec<Field> {
    let field = |parameter: &Parameter| Field {
        name: format!("{PREFIX}{}", parameter.name),
        label: parameter.name.clone(),
        kind: parameter.kind_text(),
        help: parameter.help.as_deref().map(shown),
        is_required: parameter.is_required(),
        input: Input::of(parameter),
        value: value(parameter),
        errors: Vec::new(),
    };
    manifest.parameters.iter().map(field).collect()
}

/// Returns what a form holds for a parameter.
pub(super) fn typed(form: &Form, parameter: &Parameter) -> String {
    form.text(&format!("{PREFIX}{}", parameter.name)).replace("\r\n", "\n")
}

/// Returns what the field of a parameter holds before anybody typed.
pub(super) fn preset(parameter: &Parameter) -> String {
    let text = match &parameter.default {
        None => return String::new(),
        Some(Value::String(text)) => return text.clone(),
        Some(other) => other.to_string(),
    };
    as_table(parameter, &text)
}

/// Writes a list as a table, where it is one; anything else stays as it is.
pub(super) fn as_table(parameter: &Parameter, text: &str) -> String {
    let Kind::List(items) = &parameter.kind else { return text.to_owned() };
    let Ok(Value::Array(elements)) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |element: &Value| match items {
        Items::Scalar(_) => cell(element),
        Items::Record(fields) => {
            let cells = fields.iter().map(|(name, _)| element.get(name).map(cell));
            cells.map(Option::unwrap_or_default).collect::<Vec<_>>().join("\t")
        }
    };
    elements.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What was typed, as an ini file has it: a line for each value. An empty field is one that was not
/// filled, unless the workflow's own default has to be taken back.
pub(super) fn values(manifest: &Manifest, form: &Form) -> (String, Vec<(String, String)>) {
    let (mut text, mut pairs) = (String::new(), Vec::new());
    for parameter in &manifest.parameters {
        let typed = typed(form, parameter);
        let is_preset = parameter.default.is_some() && typed == preset(parameter);
        let is_empty = typed.trim().is_empty() && parameter.is_required();
        let value = value(parameter, &typed);
        if !is_preset && !is_empty {
            ini::write_entry(&mut text, &parameter.name, &value);
            pairs.push((parameter.name.clone(), value));
        }
    }
    (text, pairs)
}

/// Puts errors beside the fields they are about, and returns the others.
pub(super) fn place(fields: &mut [Field], errors: &[String]) -> Vec<String> {
    let mut others = Vec::new();
    for error in errors {
        let about = without_line(error);
        let field = fields.iter_mut().find(|field| {
            let named = about.strip_prefix(field.label.as_str());
            named.is_some_and(|rest| rest.starts_with(':'))
                || about.ends_with(&format!("--override {}=...", field.label))
        });
        match field {
            Some(field) => {
                let own = about.strip_prefix(field.label.as_str()).unwrap_or(about);
                // How to give it on the command line helps nobody at its field.
                let own = own.split_once("; --override ").map_or(own, |(what, _)| what);
                field.errors.push(shown(own.trim_start_matches([':', ' '])));
            }
            None => others.push(shown(error)),
        }
    }
    others
}

/// Leaves out the line of our own text that nobody has seen.
fn without_line(error: &str) -> &str {
    let rest = error.strip_prefix(SOURCE).and_then(|rest| rest.strip_prefix(':'));
    let after = rest.and_then(|rest| rest.split_once(": ")).map(|(_, after)| after);
    after.unwrap_or(error)
}

fn value(parameter: &Parameter, typed: &str) -> String {
    match &parameter.kind {
        Kind::Scalar(ScalarKind::String) => typed.to_owned(),
        Kind::Scalar(_) => typed.trim().to_owned(),
        Kind::List(items) => list(items, typed),
    }
}

/// Reads a table as a JSON array; what is JSON already stays as it is.
fn list(items: &Items, typed: &str) -> String {
    if typed.trim_start().starts_with('[') {
        return typed.trim().to_owned();
    }
    let lines = typed.lines().filter(|line| !line.trim().is_empty());
    let element = |line: &str| match items {
        Items::Scalar(kind) => cell(*kind, line),
        Items::Record(fields) => {
            let separator = if line.contains('\t') { '\t' } else { ',' };
            let cells: Vec<&str> = line.split(separator).collect();
            let named = fields.iter().zip(&cells);
            let mut record: Map<String, Value> =
                named.map(|((name, kind), text)| (name.clone(), cell(*kind, text))).collect();
            if cells.len() > fields.len() {
                // Told by whoever checks the values: a record has no such field.
                let rest = cells[fields.len()..].join(&separator.to_string());
                record.insert(format!("column {}", fields.len() + 1), Value::String(rest));
            }
            Value::Object(record)
        }
    };
    Value::Array(lines.filter(|line| !is_heading(items, line)).map(element).collect()).to_string()
}

/// A sheet often comes with the names of its columns.
fn is_heading(items: &Items, line: &str) -> bool {
    let Items::Record(fields) = items else { return false };
    let cells = line.split(['\t', ',']).map(str::trim);
    cells.eq(fields.iter().map(|(name, _)| name.as_str()))
}

/// Reads a cell. What is not of its type stays text: the error is told where values are checked.
fn cell(kind: ScalarKind, text: &str) -> Value {
    let text = text.trim();
    let read = match kind {
        ScalarKind::String | ScalarKind::File => None,
        ScalarKind::Int => text.parse::<i64>().ok().map(Value::from),
        ScalarKind::Float => text.parse::<f64>().ok().map(Value::from),
        ScalarKind::Bool => text.parse::<bool>().ok().map(Value::from),
    };
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

impl Field {
    /// How many lines of a sheet are seen at once.
    pub(super) fn lines(&self) -> usize {
        (self.value.lines().count() + 1).clamp(4, 16)
    }
}

impl Input {
    fn of(parameter: &Parameter) -> Self {
        if !parameter.choices.is_empty() {
            return Self::Choice(parameter.choices.clone());
        }
        let bound = |bound: Option<f64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
        let number =
            |step| Self::Number { min: bound(parameter.min), max: bound(parameter.max), step };
        match &parameter.kind {
            Kind::Scalar(ScalarKind::String | ScalarKind::File) => Self::Line,
            Kind::Scalar(ScalarKind::Int) => number("1"),
            Kind::Scalar(ScalarKind::Float) => number("any"),
            Kind::Scalar(ScalarKind::Bool) => {
                Self::Choice(vec!["true".to_owned(), "false".to_owned()])
            }
            Kind::List(Items::Scalar(kind)) => Self::Table { columns: kind.to_string() },
            Kind::List(Items::Record(fields)) => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                Self::Table { columns: names.join(", ") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "
niassa: 1
name: W
version: '1'
description: d
parameters:
  reads: {type: file, help: the reads}
  threads: {type: int, default: 2, min: 1, max: 64}
  mode: {type: string, default: fast, choices: [fast, slow]}
  regions: {type: list, items: {name: string, from: int}}
  tags: {type: list, items: string, default: [a, b]}
steps:
  - {name: a, command: 'true'}
";

    fn manifest() -> Manifest {
        Manifest::parse(MANIFEST).unwrap()
    }

    fn form(pairs: &[(&str, &str)]) -> Form {
        Form::parse(crate::pages::form::query(pairs.iter().copied()).as_bytes())
    }

    #[test]
    fn every_parameter_has_a_field_of_its_type() {
        let fields = fields(&manifest(), preset);
        let inputs: Vec<&Input> = fields.iter().map(|field| &field.input).collect();
        assert_eq!(*inputs[0], Input::Line);
        let number = Input::Number { min: "1".into(), max: "64".into(), step: "1" };
        assert_eq!(*inputs[1], number);
        assert_eq!(*inputs[2], Input::Choice(vec!["fast".into(), "slow".into()]));
        assert_eq!(*inputs[3], Input::Table { columns: "name, from".into() });
        assert_eq!((fields[0].is_required, fields[1].value.as_str()), (true, "2"));
        assert_eq!(fields[4].value, "a\nb");
    }

    #[test]
    fn a_sheet_becomes_a_list_of_records() {
        let manifest = manifest();
        let typed = form(&[
            ("p.reads", " /r.fq "),
            ("p.threads", "2"),
            ("p.mode", "slow"),
            ("p.regions", "name\tfrom\nleft\t1\n\nright\tx\n"),
            ("p.tags", "a\nb"),
        ]);
        let (text, pairs) = values(&manifest, &typed);
        let regions = r#"[{"name":"left","from":1},{"name":"right","from":"x"}]"#;
        let read: Value = serde_json::from_str(&pairs[2].1).unwrap();
        assert_eq!(read, serde_json::from_str::<Value>(regions).unwrap());
        assert!(text.starts_with("reads=/r.fq\nmode=slow\nregions=["), "{text}");
        assert_eq!(pairs.len(), 3, "what is as preset is not sent: {text}");
        let (_, pairs) = values(&manifest, &form(&[("p.tags", "[\"x\"]"), ("p.regions", "a,1,2")]));
        assert!(pairs.iter().any(|(_, value)| value.contains("column 3")), "{pairs:?}");
        assert!(pairs.iter().any(|(name, value)| name == "tags" && value == "[\"x\"]"));
    }

    #[test]
    fn errors_stand_beside_their_fields() {
        let mut fields = fields(&manifest(), preset);
        let errors = [
            "form:2: threads: 99 is greater than 64".to_owned(),
            "no value is given (file, the reads); --override reads=...".to_owned(),
            "something else".to_owned(),
        ];
        let others = place(&mut fields, &errors);
        assert_eq!(fields[1].errors, ["99 is greater than 64"]);
        assert_eq!(fields[0].errors, ["no value is given (file, the reads)"]);
        assert_eq!(others, ["something else"]);
    }
}
