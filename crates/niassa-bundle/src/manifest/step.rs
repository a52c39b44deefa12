//! Steps, as the manifest describes them.

use std::sync::Arc;

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

/// What stands around a command: what the workflow puts around all commands, then the step's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// The same for all steps of a workflow, so it is kept only once.
    pub(super) common: Arc<Around>,
    pub(super) own: Around,
}

/// What a workflow or a step puts around commands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Around {
    pub(super) setup: Option<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) modules: Vec<String>,
    pub(super) container: Option<Container>,
}

/// Where commands run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Container {
    /// In no container, whatever the workflow says.
    Leave,
    /// In a container of this image.
    Image(String),
}

impl Surroundings {
    /// Returns the shell lines before the command; they see its variables.
    pub fn setup(&self) -> impl Iterator<Item = &str> {
        self.common.setup.iter().chain(&self.own.setup).map(String::as_str)
    }

    /// Returns the environment variables, as they are: nothing in them is evaluated.
    pub fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_common = |name: &str| self.own.env.iter().all(|(own, _)| own != name);
        let common = self.common.env.iter().filter(move |(name, _)| is_common(name));
        common.chain(&self.own.env).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the environment modules to load.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.common.modules.iter().chain(&self.own.modules).map(String::as_str)
    }

    /// Returns the image that the command runs in.
    pub fn container(&self) -> Option<&str> {
        match self.own.container.as_ref().or(self.common.container.as_ref()) {
            Some(Container::Image(image)) => Some(image),
            Some(Container::Leave) | None => None,
        }
    }
}
