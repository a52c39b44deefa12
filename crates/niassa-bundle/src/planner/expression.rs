//! The expressions of a step, compiled once and rendered for each element.

use std::borrow::Cow;
use std::sync::Arc;

use minijinja::Environment;
use minijinja::value::{Object, Value};
use serde_json::Value as Json;

use super::PlanError;
use super::inputs::Bound;
use crate::manifest::{Step, Template};

/// What a step computes.
pub(super) struct Expressions<'e> {
    pub(super) threads: Expression<'e>,
    pub(super) memory: Option<Expression<'e>>,
    pub(super) time: Option<Expression<'e>>,
    pub(super) outputs: Vec<Expression<'e>>,
}

/// One expression.
pub(super) struct Expression<'e> {
    what: &'static str,
    source: &'e Template,
    /// Nothing where nothing is computed.
    compiled: Option<minijinja::Template<'e, 'e>>,
}

impl<'e> Expressions<'e> {
    pub(super) fn compile(
        environment: &'e Environment<'e>,
        step: &'e Step,
    ) -> Result<Self, PlanError> {
        let compile = |what, source| Expression::compile(environment, step, what, source);
        let outputs = step.outputs.iter().map(|output| compile("output", &output.path));
        Ok(Self {
            threads: compile("threads", &step.threads)?,
            memory: step.memory.as_ref().map(|memory| compile("memory", memory)).transpose()?,
            time: step.time.as_ref().map(|time| compile("time", time)).transpose()?,
            outputs: outputs.collect::<Result<_, _>>()?,
        })
    }
}

impl<'e> Expression<'e> {
    fn compile(
        environment: &'e Environment<'e>,
        step: &Step,
        what: &'static str,
        source: &'e Template,
    ) -> Result<Self, PlanError> {
        let compiled = match source.constant() {
            Some(_) => None,
            None => Some(environment.template_from_str(source.source()).map_err(|error| {
                let (step, text) = (step.name.to_string(), source.to_string());
                PlanError::Expression { step, what, text, source: error }
            })?),
        };
        Ok(Self { what, source, compiled })
    }

    /// Returns what the expression makes.
    pub(super) fn text(
        &self,
        scope: &Scope,
        label: &dyn Fn() -> String,
    ) -> Result<Cow<'e, str>, PlanError> {
        let Some(compiled) = &self.compiled else {
            return Ok(Cow::Borrowed(self.source.source()));
        };
        let rendered = compiled.render(&scope.0).map_err(|source| PlanError::Expression {
            step: label(),
            what: self.what,
            text: self.source.to_string(),
            source,
        })?;
        Ok(Cow::Owned(rendered))
    }
}

/// What expressions see: the parameters, and the element of a `foreach`.
#[derive(Debug, Clone)]
pub(super) struct Scope(Value);

impl Scope {
    /// Makes the scope of steps that are not repeated.
    pub(super) fn of(bound: &Bound<'_>) -> Self {
        let values = bound.values.iter();
        let values = values.map(|(parameter, value)| (parameter.name.as_str(), value_of(value)));
        Self(Value::from_pairs(values))
    }

    /// Makes the scope of one element of a list.
    pub(super) fn with(&self, variable: &str, parameter: &str, element: usize) -> Self {
        let list = self.0.get_attr(parameter).unwrap_or_default();
        let element = list.get_item_by_index(element).unwrap_or_default();
        let scope = ElementScope { outer: self.0.clone(), variable: variable.to_owned(), element };
        Self(Value::from_object(scope))
    }
}

/// Returns a value as expressions have it.
fn value_of(value: &Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::from(number),
            None => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(values) => values.iter().map(value_of).collect(),
        Json::Object(fields) => {
            Value::from_pairs(fields.iter().map(|(name, value)| (name.as_str(), value_of(value))))
        }
    }
}

/// A scope with one more name in it; the others are not copied.
#[derive(Debug)]
struct ElementScope {
    outer: Value,
    variable: String,
    element: Value,
}

impl Object for ElementScope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if key.as_str() == Some(self.variable.as_str()) {
            return Some(self.element.clone());
        }
        self.outer.get_item(key).ok().filter(|value| !value.is_undefined())
    }
}
