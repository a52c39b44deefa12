//! Steps: names, edges, `foreach`, what they ask for and what they make.

use std::collections::HashMap;
use std::sync::Arc;

use niassa_model::plan::RetryPolicy;
use niassa_model::resources::{parse_memory, parse_seconds};
use niassa_model::step::StepName;
use serde_saphyr::Spanned;

use super::super::accept::shown;
use super::super::order::order;
use super::super::parameter::{Items, Kind, Parameter};
use super::super::raw::{Entries, RawManifest, RawOutput, RawRetry, RawStep, line_of};
use super::super::step::{Around, Container, Foreach, Output, Step, Surroundings};
use super::super::template::{self, Template};
use super::Problems;
use super::parameters::Known;
use super::words::{
    backoff_of, check_environment, check_image, check_line, check_variable, percent_of, reason_of,
};
use crate::output_path::check_path;

/// Most further attempts that a step may ask for.
const RETRY_MOST: u32 = 100;
/// Environment variables of the workflow, and of one step.
const ENVIRONMENT: usize = 1_000;
/// How many steps are shown that wait for each other.
const CYCLE: usize = 20;

/// Makes the steps of a manifest, as far as they are good.
pub(super) fn steps_of(raw: &RawManifest, known: &Known, problems: &mut Problems) -> Vec<Step> {
    if raw.steps.is_empty() {
        problems.add(0, "a workflow needs at least one step");
    }
    let common = around_of(
        raw.setup.as_ref(),
        &raw.env,
        &raw.modules,
        raw.container.as_ref(),
        known,
        problems,
    );
    let common = Arc::new(common);
    let names = names_of(&raw.steps, problems);
    check_edges(&raw.steps, &names, problems);
    let mut steps = Vec::new();
    for raw in &raw.steps {
        if problems.is_cut {
            break;
        }
        steps.extend(step_of(&raw.value, known, &common, problems));
    }
    steps
}

/// Notes at which place each name stands.
fn names_of<'r>(steps: &'r [Spanned<RawStep>], problems: &mut Problems) -> HashMap<&'r str, usize> {
    let mut names = HashMap::new();
    for (index, step) in steps.iter().enumerate() {
        let name = &step.value.name;
        if let Some(first) = names.insert(name.value.as_str(), index) {
            let first = line_of(&steps[first].value.name);
            let message = format!("there is a step `{}` already, in line {first}", name.value);
            problems.add(line_of(name), message);
        }
    }
    names
}

/// Checks that steps need only what is there, and never each other.
fn check_edges(steps: &[Spanned<RawStep>], names: &HashMap<&str, usize>, problems: &mut Problems) {
    let mut all_needs = Vec::new();
    // Which step was the last to need each one.
    let mut needed_by = vec![None; steps.len()];
    for (place, step) in steps.iter().enumerate() {
        let mut needs = Vec::new();
        for need in &step.value.needs {
            if problems.is_cut {
                return;
            }
            let (step, needed) = (&step.value.name.value, &need.value);
            match names.get(needed.as_str()) {
                Some(index) if needed_by[*index].replace(place) == Some(place) => {
                    problems.add(line_of(need), format!("{} is needed twice", shown(needed)));
                }
                Some(index) => needs.push(*index),
                None => {
                    let hint = problems.hints.hint(needed, names.keys().copied());
                    let (step, needed) = (shown(step), shown(needed));
                    let message = format!("step {step} needs {needed}, which is no step{hint}");
                    problems.add(line_of(need), message);
                }
            }
        }
        all_needs.push(needs);
    }
    if let Err(cycle) = order(&all_needs) {
        let names = cycle.iter().map(|index| steps[*index].value.name.value.as_str());
        let more = (cycle.len() > CYCLE).then_some("...");
        let path: Vec<&str> = names.take(CYCLE).chain(more).collect();
        let line = line_of(&steps[cycle[0]].value.name);
        problems.add(line, format!("the steps wait for each other: {}", path.join(" -> ")));
    }
}

fn step_of(
    raw: &RawStep,
    known: &Known,
    common: &Arc<Around>,
    problems: &mut Problems,
) -> Option<Step> {
    let named = StepName::try_from(raw.name.value.clone()).map_err(|error| error.to_string());
    let name = problems.keep(line_of(&raw.name), named);
    let needs = raw.needs.iter().filter_map(|need| StepName::try_from(need.value.clone()).ok());
    let needs = needs.collect();
    let foreach = foreach_of(raw, known, problems);
    check_command(raw, problems);
    let own = around_of(
        raw.setup.as_ref(),
        &raw.env,
        &raw.modules,
        raw.container.as_ref(),
        known,
        problems,
    );
    let parameters = &known.parameters;
    let mut expressions = Expressions { parameters, foreach: foreach.as_ref(), problems };
    let threads = raw.threads.as_ref().map(|threads| expressions.threads(threads));
    let memory = raw.memory.as_ref().map(|memory| {
        expressions.amount("memory", memory, |text| parse_memory(text).map_err(|e| e.to_string()))
    });
    let time = raw.time.as_ref().map(|time| {
        expressions.amount("time", time, |text| parse_seconds(text).map_err(|e| e.to_string()))
    });
    let outputs = raw.outputs.iter().map(|output| expressions.output(output)).collect();
    let retry = raw.retry.as_ref().map(|retry| retry_of(retry, problems)).unwrap_or_default();
    Some(Step {
        name: name?,
        needs,
        foreach,
        command: raw.command.value.clone(),
        surroundings: Surroundings { common: Arc::clone(common), own },
        threads: threads.unwrap_or_else(|| Template::new("1")),
        memory,
        time,
        outputs,
        retry,
    })
}

fn check_command(raw: &RawStep, problems: &mut Problems) {
    let command = &raw.command;
    if command.value.trim().is_empty() {
        let message = format!("step `{}` has an empty command", raw.name.value);
        problems.add(line_of(command), message);
    }
    if command.value.contains('\0') || raw.setup.as_ref().is_some_and(|text| text.contains('\0')) {
        problems.add(line_of(command), "bash cannot read a NUL character");
    }
}

fn foreach_of(raw: &RawStep, known: &Known, problems: &mut Problems) -> Option<Foreach> {
    let entry = raw.foreach.0.first()?;
    if let Some(second) = raw.foreach.0.get(1) {
        problems.add(second.line, "foreach takes one list; put what belongs together into records");
    }
    let (variable, name) = (&entry.name, &entry.value);
    problems.keep(entry.line, check_variable("foreach", variable))?;
    let parameters = &known.parameters;
    let parameter = parameters.iter().find(|parameter| parameter.name == *name);
    let Some(parameter) = parameter else {
        let hint =
            problems.hints.hint(name, parameters.iter().map(|parameter| parameter.name.as_str()));
        problems.add(entry.line, format!("foreach: there is no parameter {}{hint}", shown(name)));
        return None;
    };
    let Kind::List(items) = &parameter.kind else {
        let kind = parameter.kind_text();
        problems.add(entry.line, format!("foreach: `{name}` is a {kind}, not a list"));
        return None;
    };
    let foreach =
        Foreach { variable: variable.clone(), parameter: name.clone(), items: items.clone() };
    check_clashes(&foreach, known, entry.line, problems);
    Some(foreach)
}

/// Checks that the variables of an element are not those of a parameter.
fn check_clashes(foreach: &Foreach, known: &Known, line: u64, problems: &mut Problems) {
    let variable = &foreach.variable;
    if known.parameters.iter().any(|parameter| parameter.name == *variable) {
        problems.add(line, format!("foreach `{variable}`: there is a parameter of that name"));
        return;
    }
    let Items::Record(fields) = &foreach.items else { return };
    for (field, _) in fields.iter() {
        let own = format!("{variable}_{field}");
        if let Some(other) = known.variables.get(&own) {
            let message = format!(
                "foreach `{variable}`: its field `{field}` makes the variable `{own}`, as the \
                 parameter `{other}` does"
            );
            problems.add(line, message);
        }
    }
}

fn around_of(
    setup: Option<&String>,
    env: &Entries<String>,
    modules: &[Spanned<String>],
    container: Option<&Spanned<String>>,
    known: &Known,
    problems: &mut Problems,
) -> Around {
    if let Some(entry) = env.0.get(ENVIRONMENT) {
        problems.add(entry.line, format!("env has at most {ENVIRONMENT} variables"));
        return Around::default();
    }
    for entry in &env.0 {
        problems.keep(entry.line, check_environment(&entry.name));
        if known.variables.contains_key(&entry.name) {
            problems.add(entry.line, format!("env `{}`: a parameter is called so", entry.name));
        }
        if entry.value.contains('\0') {
            problems.add(entry.line, format!("env `{}`: bash cannot read a NUL", entry.name));
        }
    }
    for module in modules {
        problems.keep(line_of(module), check_line("module", &module.value));
    }
    if let Some(image) = container {
        problems.keep(line_of(image), check_image(&image.value));
    }
    Around {
        setup: setup.cloned(),
        env: env.0.iter().map(|entry| (entry.name.clone(), entry.value.clone())).collect(),
        modules: modules.iter().map(|module| module.value.clone()).collect(),
        container: container.map(|image| match image.value.as_str() {
            "none" => Container::Leave,
            image => Container::Image(image.to_owned()),
        }),
    }
}

fn retry_of(raw: &RawRetry, problems: &mut Problems) -> RetryPolicy {
    if raw.max.value > RETRY_MOST {
        problems.add(line_of(&raw.max), format!("retry: at most {RETRY_MOST} attempts are made"));
    }
    let mut on = Vec::new();
    for word in &raw.on {
        on.extend(problems.keep(line_of(word), reason_of(&word.value)));
    }
    let mut factor = |what, text: &Option<Spanned<String>>| {
        let text = text.as_ref()?;
        problems.keep(line_of(text), percent_of(what, &text.value))
    };
    let memory_percent = factor("memory", &raw.memory).unwrap_or(100);
    let time_percent = factor("time", &raw.time).unwrap_or(100);
    let backoff = raw.backoff.as_ref();
    let backoff = backoff.and_then(|text| problems.keep(line_of(text), backoff_of(&text.value)));
    RetryPolicy {
        max: raw.max.value,
        on,
        memory_percent,
        time_percent,
        backoff_seconds: backoff.unwrap_or(0),
    }
}

/// The expressions of one step.
struct Expressions<'c> {
    parameters: &'c [Parameter],
    foreach: Option<&'c Foreach>,
    problems: &'c mut Problems,
}

impl Expressions<'_> {
    fn threads(&mut self, text: &Spanned<String>) -> Template {
        self.amount("threads", text, |text| {
            let threads = text.trim().parse::<u32>().ok().filter(|threads| *threads > 0);
            threads.ok_or_else(|| format!("{} is not a number of threads", shown(text)))
        })
    }

    /// Checks an expression; what computes nothing is read at once.
    fn amount<T>(
        &mut self,
        what: &str,
        text: &Spanned<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Template {
        let template = self.template(what, text);
        if let Some(constant) = template.constant() {
            let read = read(constant).map_err(|error| format!("{what}: {error}"));
            self.problems.keep(line_of(text), read);
        }
        template
    }

    fn output(&mut self, raw: &RawOutput) -> Output {
        let path = self.template("output", &raw.path);
        if let Some(constant) = path.constant() {
            self.problems.keep(line_of(&raw.path), check_path(constant));
        }
        let meta_type = &raw.meta_type;
        self.problems.keep(line_of(meta_type), check_line("meta_type", &meta_type.value));
        Output { path, meta_type: meta_type.value.clone() }
    }

    fn template(&mut self, what: &str, text: &Spanned<String>) -> Template {
        let template = Template::new(&text.value);
        let checked =
            template::check(&template, self.parameters, self.foreach, &self.problems.hints);
        let checked = checked.map_err(|error| format!("{what} {}: {error}", shown(&text.value)));
        self.problems.keep(line_of(text), checked);
        template
    }
}
