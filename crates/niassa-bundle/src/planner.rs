//! The plan of a run: every step with its script, what it waits for, asks for and makes.
//!
//! A `foreach` step becomes one step per element of its list. A step that needs it waits for all
//! elements; if it is repeated for the same list, each of its elements waits only for the element
//! of the same number. A list without elements makes no step: who needs it waits for what that
//! step would have waited for.
//!
//! Scripts hold values only as quoted assignments. Everything is bounded: steps, bytes of the plan,
//! and the cost of each expression.

mod error;
mod expression;
mod inputs;
mod script;
mod shell;
mod size;

use std::collections::HashMap;
use std::path::PathBuf;

use niassa_model::accession::Accession;
use niassa_model::limits::{PLAN_BYTES, PLAN_STEPS};
use niassa_model::plan::{Plan, PlannedOutput, PlannedStep};
use niassa_model::resources::{Resources, parse_memory, parse_seconds};
use niassa_model::step::{StepIndex, StepName};

use self::expression::{Expressions, Scope};
use self::inputs::Bound;
use self::script::Scripts;
use crate::manifest::{Manifest, Step, environment, order};
use crate::output_path::check_path;
use crate::values::Values;

pub use error::PlanError;

/// Where and for which run a plan is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanContext {
    /// The run.
    pub run: Accession,
    /// Its directory.
    pub run_dir: PathBuf,
    /// Where its bundle is unpacked.
    pub bundle_dir: PathBuf,
}

/// Makes the plan of a run. The same manifest, values and context make the same plan.
pub fn plan(
    manifest: &Manifest,
    values: &Values,
    context: &PlanContext,
) -> Result<Plan, PlanError> {
    let bound = Bound::of(manifest, values, context)?;
    let environment = environment();
    let scope = Scope::of(&bound);
    let scripts = Scripts::new(manifest, &bound, context)?;
    let mut planner = Planner {
        bound: &bound,
        outputs: HashMap::new(),
        output_folder: output_folder(values, context),
        placed: HashMap::new(),
        steps: Vec::new(),
        bytes: size::of_inputs(&bound.inputs),
    };
    for index in manifest_order(manifest) {
        let step = &manifest.steps[index];
        let expressions = Expressions::compile(&environment, step)?;
        planner.place(step, &expressions, &scope, &scripts)?;
    }
    if planner.steps.is_empty() {
        return Err(PlanError::NoSteps);
    }
    Ok(Plan {
        format: 1,
        workflow: manifest.name.clone(),
        version: manifest.version.clone(),
        output_folder: planner.output_folder,
        steps: planner.steps,
        inputs: bound.inputs,
    })
}

/// Returns the steps in an order in which each comes after those it needs.
fn manifest_order(manifest: &Manifest) -> Vec<usize> {
    let names = manifest.steps.iter().map(|step| step.name.as_str());
    let places: HashMap<&str, usize> = names.zip(0..).collect();
    let place = |name: &StepName| places.get(name.as_str()).copied();
    let needs: Vec<Vec<usize>> =
        manifest.steps.iter().map(|step| step.needs.iter().filter_map(place).collect()).collect();
    // A checked manifest has no cycle.
    order(&needs).unwrap_or_default()
}

/// Where outputs go: below `output_prefix`, or nowhere in particular.
fn output_folder(values: &Values, context: &PlanContext) -> Option<String> {
    let prefix = values.output_prefix.as_ref()?.trim_end_matches('/');
    let run = context.run.to_string();
    let dir = values.output_dir.as_deref().unwrap_or(&run).trim_end_matches('/');
    Some(format!("{prefix}/{dir}"))
}

/// A plan in the making.
struct Planner<'p> {
    bound: &'p Bound<'p>,
    /// Which step makes an output: by path, and by name where all go to one folder.
    outputs: HashMap<String, StepIndex>,
    output_folder: Option<String>,
    /// Where each step of the manifest stands, by its name.
    placed: HashMap<&'p str, Placed<'p>>,
    steps: Vec<PlannedStep>,
    bytes: u64,
}

/// Where a step of the manifest stands in the plan.
struct Placed<'p> {
    first: u32,
    count: u32,
    /// The list it was repeated for.
    parameter: Option<&'p str>,
    /// What its followers wait for if it has no elements.
    behind: Vec<StepIndex>,
}

impl<'p> Planner<'p> {
    /// Puts a step, or all its elements, at the end of the plan.
    fn place(
        &mut self,
        step: &'p Step,
        expressions: &Expressions<'_>,
        scope: &Scope,
        scripts: &Scripts<'_>,
    ) -> Result<(), PlanError> {
        let script = scripts.of(step)?;
        let parameter = step.foreach.as_ref().map(|foreach| foreach.parameter.as_str());
        let first = count_of(self.steps.len())?;
        let count = match &step.foreach {
            None => {
                let label = || step.name.to_string();
                self.add(step, None, script.whole(), expressions, scope, &label)?;
                1
            }
            Some(foreach) => {
                let elements = self.bound.list(&foreach.parameter)?;
                for (element, value) in elements.iter().enumerate() {
                    let number = count_of(element)?;
                    let scope = scope.with(&foreach.variable, &foreach.parameter, element);
                    let label = || format!("{}[{number}]", step.name);
                    let text = script.for_element(&foreach.variable, value);
                    self.add(step, Some(number), text, expressions, &scope, &label)?;
                }
                count_of(elements.len())?
            }
        };
        let behind = if count == 0 { self.after(step, None) } else { Vec::new() };
        self.placed.insert(step.name.as_str(), Placed { first, count, parameter, behind });
        Ok(())
    }

    fn add(
        &mut self,
        step: &'p Step,
        element: Option<u32>,
        command: String,
        expressions: &Expressions<'_>,
        scope: &Scope,
        label: &dyn Fn() -> String,
    ) -> Result<(), PlanError> {
        if self.steps.len() >= PLAN_STEPS {
            return Err(PlanError::ManySteps);
        }
        let index = StepIndex(count_of(self.steps.len())?);
        let resources = resources(expressions, scope, label)?;
        let mut outputs = Vec::with_capacity(step.outputs.len());
        for (output, path) in step.outputs.iter().zip(&expressions.outputs) {
            let path = path.text(scope, label)?.into_owned();
            check_path(&path).map_err(|reason| PlanError::Output { step: label(), reason })?;
            self.claim_output(&path, index, label)?;
            outputs.push(PlannedOutput { path, meta_type: output.meta_type.clone() });
        }
        let planned = PlannedStep {
            name: step.name.clone(),
            element,
            after: self.after(step, element),
            command,
            resources,
            outputs,
            retry: step.retry.clone(),
        };
        self.bytes = self.bytes.saturating_add(size::of_step(&planned));
        if self.bytes > PLAN_BYTES {
            return Err(PlanError::Large { steps: self.steps.len() });
        }
        self.steps.push(planned);
        Ok(())
    }

    /// Returns what a step waits for, in the order of the plan.
    fn after(&self, step: &Step, element: Option<u32>) -> Vec<StepIndex> {
        let own = step.foreach.as_ref().map(|foreach| foreach.parameter.as_str());
        let mut after = Vec::new();
        for need in &step.needs {
            let Some(placed) = self.placed.get(need.as_str()) else { continue };
            match element {
                _ if placed.count == 0 => after.extend_from_slice(&placed.behind),
                Some(element) if placed.parameter.is_some() && placed.parameter == own => {
                    after.push(StepIndex(placed.first + element));
                }
                _ => after.extend((placed.first..placed.first + placed.count).map(StepIndex)),
            }
        }
        if step.needs.len() > 1 {
            after.sort_unstable();
            after.dedup();
        }
        after
    }

    /// Sees that nobody else makes this output.
    fn claim_output(
        &mut self,
        path: &str,
        index: StepIndex,
        label: &dyn Fn() -> String,
    ) -> Result<(), PlanError> {
        let name = match self.output_folder {
            // All go into one folder, under their last names.
            Some(_) => path.rsplit('/').next().unwrap_or(path),
            None => path,
        };
        let Some(first) = self.outputs.insert(name.to_owned(), index) else { return Ok(()) };
        let first = match first == index {
            true => label(),
            false => self.steps[first.as_usize()].label(),
        };
        Err(PlanError::SameOutput { name: name.to_owned(), first, second: label() })
    }
}

/// Reads what a step asks for.
fn resources(
    expressions: &Expressions<'_>,
    scope: &Scope,
    label: &dyn Fn() -> String,
) -> Result<Resources, PlanError> {
    let asks = |what, reason: String| PlanError::Amount { step: label(), what, reason };
    let threads = expressions.threads.text(scope, label)?;
    let threads = threads.trim().parse::<u32>().ok().filter(|threads| *threads > 0);
    let threads = threads.ok_or_else(|| {
        asks("threads", "the expression does not make a whole number from 1".to_owned())
    })?;
    let memory = match &expressions.memory {
        None => None,
        Some(memory) => Some(
            parse_memory(&memory.text(scope, label)?)
                .map_err(|error| asks("memory", error.to_string()))?,
        ),
    };
    let seconds = match &expressions.time {
        None => None,
        Some(time) => Some(
            parse_seconds(&time.text(scope, label)?)
                .map_err(|error| asks("time", error.to_string()))?,
        ),
    };
    Ok(Resources { threads, memory_bytes: memory, seconds })
}

/// Counts steps and elements.
fn count_of(count: usize) -> Result<u32, PlanError> {
    u32::try_from(count).map_err(|_| PlanError::ManySteps)
}

#[cfg(test)]
mod tests;
