//! Which values a parameter accepts: their types, their bounds, and what bash would evaluate.
//!
//! Text is in the form in which it is stored: `${sqw.bundle-dir}` stands for the folder of the
//! bundle, which is known only at launch, and `$${` for `${`.

use std::collections::HashSet;

use serde_json::{Number, Value};

use super::parameter::{Items, Kind, Parameter, ScalarKind, text_of};
use crate::similar::Hints;

/// What stands for the folder of the unpacked bundle in stored values.
pub(crate) const BUNDLE_DIR: &str = "${sqw.bundle-dir}";

/// How many items of a list are complained about.
const COMPLAINTS: usize = 10;
/// How many choices a complaint shows.
const CHOICES: usize = 20;

/// Whether variables in text were replaced already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Text is as it was written; what holds variables is looked at when they are replaced.
    Written,
    /// Text is as it will be stored.
    Replaced,
}

/// Checks a value as YAML and JSON give it, and returns it as it is stored.
pub(crate) fn accept(
    parameter: &Parameter,
    value: &Value,
    stage: Stage,
    hints: &Hints,
) -> Result<Value, Vec<String>> {
    let choices = parameter.choices.iter().map(String::as_str).collect();
    let check = Check { parameter, choices, stage, hints };
    match (&parameter.kind, value) {
        (Kind::Scalar(kind), value) => check.scalar(*kind, value).map_err(|error| vec![error]),
        (Kind::List(items), Value::Array(values)) => check.list(items, values),
        (Kind::List(_), other) => {
            Err(vec![format!("{} is not a {}", shown(&text_of(other)), parameter.kind_text())])
        }
    }
}

/// Checks a value as ini files give it: plain text for one value, JSON for a list.
pub(crate) fn accept_text(
    parameter: &Parameter,
    text: &str,
    hints: &Hints,
) -> Result<Value, Vec<String>> {
    let value = match &parameter.kind {
        Kind::Scalar(kind) => scalar_of(*kind, text).map_err(|error| vec![error])?,
        Kind::List(items) => serde_json::from_str(text).map_err(|error| {
            let example = example_of(items);
            vec![format!("{} is not a list in JSON, such as {example}: {error}", shown(text))]
        })?,
    };
    accept(parameter, &value, Stage::Replaced, hints)
}

/// Shows a value in a message: on one line, and not all of a long one.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        short.push_str("...");
    }
    // Quotes are no trouble between backquotes.
    format!("`{}`", short.replace("\\\"", "\"").replace("\\'", "'"))
}

/// Reads one value from an ini file's text.
fn scalar_of(kind: ScalarKind, text: &str) -> Result<Value, String> {
    let word = text.trim();
    match kind {
        ScalarKind::String | ScalarKind::File => Ok(Value::String(text.to_owned())),
        ScalarKind::Int => {
            let number = word.parse::<i64>();
            number.map(Value::from).map_err(|_| mismatch(text, "a whole number"))
        }
        ScalarKind::Float => {
            let number = word.parse::<f64>().ok().and_then(Number::from_f64);
            number.map(Value::Number).ok_or_else(|| mismatch(text, "a number"))
        }
        ScalarKind::Bool => match word.to_ascii_lowercase().as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(mismatch(text, "true or false")),
        },
    }
}

fn mismatch(text: &str, what: &str) -> String {
    format!("{} is not {what}", shown(text))
}

/// Shows how a list is written.
fn example_of(items: &Items) -> String {
    let value = |kind: &ScalarKind| match kind {
        ScalarKind::String => "\"a\"",
        ScalarKind::Int => "1",
        ScalarKind::Float => "0.5",
        ScalarKind::Bool => "true",
        ScalarKind::File => "\"/data/a\"",
    };
    match items {
        Items::Scalar(kind) => format!("[{}]", value(kind)),
        Items::Record(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, kind)| format!("\"{name}\": {}", value(kind))).collect();
            format!("[{{{}}}]", fields.join(", "))
        }
    }
}

/// The check of one value.
struct Check<'p> {
    parameter: &'p Parameter,
    choices: HashSet<&'p str>,
    stage: Stage,
    hints: &'p Hints,
}

impl Check<'_> {
    fn list(&self, items: &Items, values: &[Value]) -> Result<Value, Vec<String>> {
        let mut accepted = Vec::with_capacity(values.len());
        let mut errors = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let checked = match items {
                Items::Scalar(kind) => self.scalar(*kind, value),
                Items::Record(fields) => self.record(fields, value),
            };
            match checked {
                Ok(value) => accepted.push(value),
                Err(error) if errors.len() < COMPLAINTS => {
                    errors.push(format!("item {}: {error}", index + 1));
                }
                Err(_) => {
                    errors.push("more items are wrong".to_owned());
                    break;
                }
            }
        }
        if errors.is_empty() { Ok(Value::Array(accepted)) } else { Err(errors) }
    }

    fn record(&self, fields: &[(String, ScalarKind)], value: &Value) -> Result<Value, String> {
        let Value::Object(object) = value else {
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            let what = format!("a record of {}", names.join(", "));
            return Err(mismatch(&text_of(value), &what));
        };
        let known = || fields.iter().map(|(name, _)| name.as_str());
        if let Some(unknown) = object.keys().find(|key| !known().any(|name| name == *key)) {
            return Err(format!("unknown field `{unknown}`{}", self.hints.hint(unknown, known())));
        }
        let mut accepted = serde_json::Map::new();
        for (name, kind) in fields {
            let value = object.get(name).ok_or_else(|| format!("field `{name}` is missing"))?;
            let value = self.scalar(*kind, value).map_err(|error| format!("`{name}`: {error}"))?;
            accepted.insert(name.clone(), value);
        }
        Ok(Value::Object(accepted))
    }

    fn scalar(&self, kind: ScalarKind, value: &Value) -> Result<Value, String> {
        match (kind, value) {
            (ScalarKind::String, Value::String(text)) => self.text(text)?,
            (ScalarKind::File, Value::String(text)) => self.file(text)?,
            (ScalarKind::Int, Value::Number(number)) if number.as_i64().is_some() => {
                self.number(number)?;
            }
            (ScalarKind::Float, Value::Number(number)) => self.number(number)?,
            (ScalarKind::Bool, Value::Bool(_)) => {}
            (kind, value) => return Err(wrong_type(kind, value)),
        }
        let text = text_of(value);
        if self.choices.is_empty() || self.choices.contains(text.as_str()) {
            return Ok(value.clone());
        }
        Err(self.no_choice(&text))
    }

    fn no_choice(&self, text: &str) -> String {
        let choices = &self.parameter.choices;
        let hint = self.hints.hint(text, choices.iter().map(String::as_str));
        let told = choices.get(..CHOICES).unwrap_or(choices).join(", ");
        let more = if choices.len() > CHOICES { ", ..." } else { "" };
        format!("{} is not one of {told}{more}{hint}", shown(text))
    }

    fn number(&self, number: &Number) -> Result<(), String> {
        let value = number.as_f64().unwrap_or(f64::NAN);
        match (self.parameter.min, self.parameter.max) {
            (Some(min), _) if value < min => Err(format!("{number} is less than {min}")),
            (_, Some(max)) if value > max => Err(format!("{number} is more than {max}")),
            _ => Ok(()),
        }
    }

    fn text(&self, text: &str) -> Result<(), String> {
        if self.stage == Stage::Written && text.contains("${") {
            return Ok(());
        }
        if text.contains('\0') {
            return Err("a NUL character cannot be given to a command".to_owned());
        }
        if self.parameter.free_text {
            return Ok(());
        }
        let rest = text.replace(BUNDLE_DIR, "");
        match rest.chars().find(|c| matches!(c, '$' | '`')) {
            None => Ok(()),
            Some('`') => Err("holds a backquote, which bash may evaluate; only a parameter with \
                              free_text: true may"
                .to_owned()),
            Some(_) => Err(format!(
                "{} holds a `$`, which bash may evaluate; only a parameter with free_text: true may",
                shown(text)
            )),
        }
    }

    fn file(&self, text: &str) -> Result<(), String> {
        self.text(text)?;
        let is_unknown_yet = self.stage == Stage::Written && text.contains("${");
        let is_left_out =
            text.is_empty() && (self.stage == Stage::Written || self.parameter.may_be_no_file());
        let is_place = text.starts_with('/') || text.starts_with(BUNDLE_DIR) || is_url(text);
        if is_unknown_yet || is_left_out || is_place {
            return Ok(());
        }
        Err(mismatch(text, "an absolute path or a URL"))
    }
}

fn wrong_type(kind: ScalarKind, value: &Value) -> String {
    let text = text_of(value);
    match (kind, value) {
        (ScalarKind::String | ScalarKind::File, Value::Number(_) | Value::Bool(_)) => {
            format!("{} is not text; put it in quotes", shown(&text))
        }
        (ScalarKind::String, _) => mismatch(&text, "text"),
        (ScalarKind::File, _) => mismatch(&text, "an absolute path or a URL"),
        (ScalarKind::Int, _) => mismatch(&text, "a whole number"),
        (ScalarKind::Float, _) => mismatch(&text, "a number"),
        (ScalarKind::Bool, _) => mismatch(&text, "true or false"),
    }
}

/// Tells whether text begins like a URL.
fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
            && !rest.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parameter(kind: Kind) -> Parameter {
        Parameter {
            name: "x".to_owned(),
            kind,
            default: None,
            help: None,
            meta_type: None,
            min: None,
            max: None,
            choices: Vec::new(),
            free_text: false,
        }
    }

    fn scalar(kind: ScalarKind) -> Parameter {
        parameter(Kind::Scalar(kind))
    }

    fn accept_text(parameter: &Parameter, text: &str) -> Result<Value, Vec<String>> {
        super::accept_text(parameter, text, &Hints::default())
    }

    fn refused(parameter: &Parameter, text: &str, why: &str) {
        let errors = accept_text(parameter, text).expect_err(text);
        assert!(errors.join("\n").contains(why), "{text}: {errors:?}");
    }

    #[test]
    fn text_becomes_typed_values() {
        for (kind, text, expected) in [
            (ScalarKind::String, " a ", json!(" a ")),
            (ScalarKind::Int, " 12 ", json!(12)),
            (ScalarKind::Int, "-9223372036854775808", json!(i64::MIN)),
            (ScalarKind::Float, "1e-3", json!(0.001)),
            (ScalarKind::Bool, "True", json!(true)),
            (ScalarKind::File, "/data/a b", json!("/data/a b")),
            (ScalarKind::File, "s3://bucket/a", json!("s3://bucket/a")),
            (ScalarKind::File, "${sqw.bundle-dir}/data/x", json!("${sqw.bundle-dir}/data/x")),
        ] {
            assert_eq!(accept_text(&scalar(kind), text), Ok(expected), "{kind} {text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (kind, text, why) in [
            (ScalarKind::Int, "many", "`many` is not a whole number"),
            (ScalarKind::Int, "1.5", "whole number"),
            (ScalarKind::Int, "9223372036854775808", "whole number"),
            (ScalarKind::Float, "NaN", "not a number"),
            (ScalarKind::Float, "inf", "not a number"),
            (ScalarKind::Bool, "yes", "true or false"),
            (ScalarKind::File, "data/a", "absolute path"),
            (ScalarKind::File, "", "absolute path"),
            (ScalarKind::File, "://a", "absolute path"),
            (ScalarKind::File, "/a/$HOME", "holds a `$`"),
            (ScalarKind::String, "$(touch /tmp/canary)", "holds a `$`"),
            (ScalarKind::String, "a`id`", "backquote"),
            (ScalarKind::String, "$${x}", "holds a `$`"),
            (ScalarKind::String, "a\0b", "NUL"),
        ] {
            refused(&scalar(kind), text, why);
        }
    }

    #[test]
    fn free_text_may_hold_all_but_nul() {
        let free = Parameter { free_text: true, ..scalar(ScalarKind::String) };
        assert!(accept_text(&free, "$(x) `y` $${z}").is_ok());
        refused(&free, "\0", "NUL");
    }

    #[test]
    fn bounds_and_choices_hold_for_each_value() {
        let number = Parameter { min: Some(1.0), max: Some(64.0), ..scalar(ScalarKind::Int) };
        assert!(accept_text(&number, "64").is_ok());
        refused(&number, "0", "0 is less than 1");
        refused(&number, "65", "65 is more than 64");
        let choices = vec!["fast".to_owned(), "slow".to_owned()];
        let word = Parameter { choices, ..scalar(ScalarKind::String) };
        assert!(accept_text(&word, "slow").is_ok());
        refused(&word, "fsat", "not one of fast, slow (did you mean `fast`?)");
        let list =
            Parameter { max: Some(3.0), ..parameter(Kind::List(Items::Scalar(ScalarKind::Int))) };
        refused(&list, "[1, 9]", "item 2: 9 is more than 3");
    }

    #[test]
    fn lists_stand_in_an_ini_as_json() {
        let fields =
            vec![("name".to_owned(), ScalarKind::String), ("size".to_owned(), ScalarKind::Int)];
        let list = parameter(Kind::List(Items::Record(fields.into())));
        let text = r#"[{"size": 1, "name": "a"}]"#;
        assert_eq!(accept_text(&list, text), Ok(json!([{"name": "a", "size": 1}])));
        assert_eq!(accept_text(&list, "[]"), Ok(json!([])));
        refused(&list, "a,b", r#"such as [{"name": "a", "size": 1}]"#);
        refused(&list, r#"{"name": "a"}"#, "not a list of {name, size}");
        refused(&list, r#"[{"name": "a"}]"#, "item 1: field `size` is missing");
        refused(&list, r#"[{"name": "a", "size": 1, "nmae": 2}]"#, "did you mean `name`?");
        refused(&list, r#"[{"name": "a", "size": "1"}]"#, "item 1: `size`: `1` is not a whole");
        refused(&list, r#"[{"name": "$x", "size": 1}]"#, "holds a `$`");
    }

    #[test]
    fn a_long_list_of_mistakes_is_cut() {
        let list = parameter(Kind::List(Items::Scalar(ScalarKind::Int)));
        let errors = accept(&list, &json!(vec!["x"; 1_000]), Stage::Replaced, &Hints::default())
            .unwrap_err();
        assert_eq!(errors.len(), COMPLAINTS + 1);
        assert_eq!(errors[COMPLAINTS], "more items are wrong");
    }

    #[test]
    fn yaml_numbers_are_not_text() {
        let errors =
            accept(&scalar(ScalarKind::String), &json!(1.1), Stage::Replaced, &Hints::default());
        assert_eq!(errors, Err(vec!["`1.1` is not text; put it in quotes".to_owned()]));
    }

    #[test]
    fn a_file_may_be_left_out_if_its_default_is_none() {
        let optional = Parameter { default: Some(json!("")), ..scalar(ScalarKind::File) };
        assert_eq!(accept_text(&optional, ""), Ok(json!("")));
    }

    #[test]
    fn values_are_shown_on_one_short_line() {
        assert_eq!(shown("a\n\"b\""), "`a\\n\"b\"`");
        assert!(shown(&"x".repeat(1_000)).len() < 80);
    }

    #[test]
    fn many_choices_are_not_all_told() {
        let choices = (0..1_000).map(|number| format!("c{number}")).collect();
        let word = Parameter { choices, ..scalar(ScalarKind::String) };
        let errors = accept_text(&word, "other").unwrap_err();
        assert!(errors[0].ends_with("c18, c19, ..."), "{errors:?}");
        assert!(accept_text(&word, "c999").is_ok());
    }
}
