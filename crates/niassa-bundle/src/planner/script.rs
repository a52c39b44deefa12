//! `command.sh`: what stands around a command of the manifest.
//!
//! Plain values are assigned at the head of every script. A list is an array; it is assigned only
//! where the step's own text names it, because a long list in each of many steps would be the
//! square of it. Nothing is exported but what `env` says: values are for the command, and whoever it
//! starts is given them by the command. What evaluates text on purpose (`eval`, `${x@P}`) evaluates
//! values too; that is for the author of a command to know.

mod container;

use std::collections::HashSet;
use std::fmt::Write;

use niassa_model::plan::PlannedInput;
use serde_json::Value;

use super::inputs::{Bound, folder_text};
use super::shell::{assign, assign_list, quote};
use super::{PlanContext, PlanError};
use crate::manifest::{Items, Kind, Manifest, Parameter, Step};

/// What all scripts of a run share.
pub(super) struct Scripts<'p> {
    manifest: &'p Manifest,
    bound: &'p Bound<'p>,
    context: &'p PlanContext,
    /// The folder of the bundle, quoted, and the way to its tools.
    bundle: String,
    /// The assignments of all plain values.
    scalars: String,
}

/// The script of one step, but for the element of a `foreach`.
pub(super) struct Script {
    head: String,
    tail: String,
}

impl<'p> Scripts<'p> {
    pub(super) fn new(
        manifest: &'p Manifest,
        bound: &'p Bound<'p>,
        context: &'p PlanContext,
    ) -> Result<Self, PlanError> {
        let mut bundle = "export NIASSA_BUNDLE_DIR=".to_owned();
        quote(&mut bundle, folder_text(&context.bundle_dir)?);
        bundle.push_str("\nexport PATH=\"$NIASSA_BUNDLE_DIR/bin:$PATH\"\n");
        let mut scalars = String::new();
        for (parameter, value) in &bound.values {
            if matches!(parameter.kind, Kind::Scalar(_)) {
                assign(&mut scalars, &parameter.name, value);
            }
        }
        Ok(Self { manifest, bound, context, bundle, scalars })
    }

    /// Makes the script of a step.
    pub(super) fn of(&self, step: &Step) -> Result<Script, PlanError> {
        let around = &step.surroundings;
        let mut head = self.title(step);
        head.push_str("set -euo pipefail\n");
        head.push_str(&self.bundle);
        match around.container() {
            Some(image) => head.push_str(&self.container(step, image)?),
            None => load_modules(&mut head, around.modules()),
        }
        for (name, value) in around.env() {
            head.push_str("export ");
            assign(&mut head, name, &Value::String(value.to_owned()));
        }
        head.push_str(&self.scalars);
        let named = words_of(step);
        for (parameter, value) in &self.bound.values {
            assign_lists(&mut head, parameter, value, &named);
        }
        let mut tail = String::new();
        for setup in around.setup() {
            tail.push_str(setup.trim_end());
            tail.push('\n');
        }
        tail.push_str(step.command.trim_end());
        tail.push('\n');
        Ok(Script { head, tail })
    }

    /// Says what this is. The directive is for shellcheck: not every command uses every value, and
    /// values are in single quotes because nothing in them shall be expanded.
    fn title(&self, step: &Step) -> String {
        let (name, version, run) = (&self.manifest.name, &self.manifest.version, self.context.run);
        format!(
            "#!/usr/bin/env bash\n# {name} {version}, run {run}, step {}\n\
             # shellcheck disable=SC2016,SC2034\n",
            step.name
        )
    }

    fn container(&self, step: &Step, image: &str) -> Result<String, PlanError> {
        let mut on_host = String::new();
        load_modules(&mut on_host, step.surroundings.modules());
        let sources = self.bound.inputs.iter().map(|input: &PlannedInput| input.source.as_str());
        let local = sources.filter(|source| source.starts_with('/'));
        let mut mounts = vec![
            container::Mount::writable(folder_text(&self.context.run_dir)?),
            container::Mount::read_only(folder_text(&self.context.bundle_dir)?),
        ];
        mounts.extend(local.map(container::Mount::read_only));
        container::enter(step, image, &mounts, &on_host)
    }
}

impl Script {
    /// Returns the script of a step that is not repeated.
    pub(super) fn whole(&self) -> String {
        format!("{}{}", self.head, self.tail)
    }

    /// Returns the script of one element: `$region` is a plain element, `$region_name` a field.
    pub(super) fn for_element(&self, variable: &str, element: &Value) -> String {
        let mut script = self.head.clone();
        match element {
            Value::Object(fields) => {
                for (field, value) in fields {
                    assign(&mut script, &format!("{variable}_{field}"), value);
                }
            }
            plain => assign(&mut script, variable, plain),
        }
        script.push_str(&self.tail);
        script
    }
}

/// Appends the arrays of a list that are named; a list of records has one per field.
fn assign_lists(script: &mut String, parameter: &Parameter, value: &Value, named: &HashSet<&str>) {
    let (Kind::List(items), Value::Array(values)) = (&parameter.kind, value) else { return };
    match items {
        Items::Scalar(_) if named.contains(parameter.name.as_str()) => {
            assign_list(script, &parameter.name, values.iter());
        }
        Items::Scalar(_) => {}
        Items::Record(fields) => {
            for (field, _) in fields.iter() {
                let array = format!("{}_{field}", parameter.name);
                if named.contains(array.as_str()) {
                    assign_list(script, &array, values.iter().filter_map(|v| v.get(field)));
                }
            }
        }
    }
}

/// Returns every word of a step's shell text.
fn words_of(step: &Step) -> HashSet<&str> {
    let texts = step.surroundings.setup().chain([step.command.as_str()]);
    let is_between = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    texts.flat_map(|text| text.split(is_between)).collect()
}

/// Appends the loading of environment modules. Their own code is not written for `set -u`.
fn load_modules<'m>(script: &mut String, modules: impl Iterator<Item = &'m str>) {
    let mut modules = modules.peekable();
    if modules.peek().is_none() {
        return;
    }
    script.push_str(
        "set +u\n\
         if ! type module > /dev/null 2>&1; then\n\
         \x20 for niassa_init in \"$LMOD_PKG/init/bash\" \"$MODULESHOME/init/bash\" \
         /etc/profile.d/modules.sh /etc/profile.d/lmod.sh; do\n\
         \x20   # shellcheck source=/dev/null\n\
         \x20   if [ -r \"$niassa_init\" ]; then . \"$niassa_init\"; break; fi\n\
         \x20 done\n\
         fi\n\
         module load",
    );
    for module in modules {
        script.push(' ');
        quote(script, module);
    }
    script.push_str("\nset -u\n");
}

/// Appends formatted text; a String takes all of it.
fn append(script: &mut String, text: std::fmt::Arguments<'_>) {
    let _infallible = script.write_fmt(text);
}
