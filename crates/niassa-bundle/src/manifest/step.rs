//! Steps, as the manifest describes them.

use niassa_model::plan::RetryPolicy;
use niassa_model::step::StepName;

use super::parameter::Items;
use super::template::Template;

/// One step, or one per element of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name, unique in the workflow.
    pub name: StepName,
    /// The steps that must have succeeded before.
    pub needs: Vec<StepName>,
    /// The list it is repeated for.
    pub foreach: Option<Foreach>,
    /// Plain bash.
    pub command: String,
    /// What stands around the command: the workflow's and the step's own.
    pub surroundings: Surroundings,
    /// Threads it asks for.
    pub threads: Template,
    /// Memory it asks for.
    pub memory: Option<Template>,
    /// Time it asks for.
    pub time: Option<Template>,
    /// Files it makes that become part of provenance.
    pub outputs: Vec<Output>,
    /// When to try it again without a person.
    pub retry: RetryPolicy,
}

/// The list that a step is repeated for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreach {
    /// What an element is called: `$region` for plain values, `$region_name` for fields.
    pub variable: String,
    /// The parameter that holds the list.
    pub parameter: String,
    /// What the list holds.
    pub items: Items,
}

/// A file that a step makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its path, relative to where the steps run.
    pub path: Template,
    /// Its type, such as `text/vcf-4-gzip`.
    pub meta_type: String,
}

/// What stands around a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Shell lines before the command; they see its variables.
    pub setup: Vec<String>,
    /// Environment variables, as they are: nothing in them is evaluated.
    pub env: Vec<(String, String)>,
    /// Environment modules to load.
    pub modules: Vec<String>,
    /// The image that the command runs in.
    pub container: Option<String>,
}
