//! Why there is no plan.

use std::path::PathBuf;

use niassa_model::limits::{PLAN_BYTES, PLAN_STEPS};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The stored values are not those of this manifest.
    #[error("the run's values do not fit the manifest: parameter `{0}`")]
    Value(String),
    /// A folder's name would have to be written into scripts and cannot be.
    #[error("{} holds a `$`, a backquote or a control character, or is not UTF-8; use another folder", .0.display())]
    Folder(PathBuf),
    /// A path cannot be given to a container.
    #[error(
        "step `{step}` runs in a container, which cannot be given the path {path:?}: it holds `:` or `,`"
    )]
    Mount {
        /// The step.
        step: String,
        /// The path.
        path: String,
    },
    /// An expression went wrong.
    #[error("step `{step}`: {what} `{text}`")]
    Expression {
        /// The step, with its element.
        step: String,
        /// What is computed.
        what: &'static str,
        /// The expression.
        text: String,
        /// Why.
        #[source]
        source: minijinja::Error,
    },
    /// An expression did not make an amount.
    #[error("step `{step}`: {what}: {reason}")]
    Amount {
        /// The step, with its element.
        step: String,
        /// What is asked for.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// An output may not lie there.
    #[error("step `{step}`: {reason}")]
    Output {
        /// The step, with its element.
        step: String,
        /// Why.
        reason: String,
    },
    /// Two outputs would be one file.
    #[error("the steps `{first}` and `{second}` both make the output `{name}`")]
    SameOutput {
        /// The output.
        name: String,
        /// The step that makes it first.
        first: String,
        /// The step that makes it again.
        second: String,
    },
    /// The plan has too many steps.
    #[error("the plan has more than {PLAN_STEPS} steps")]
    ManySteps,
    /// The plan is too large.
    #[error(
        "the plan has more than {PLAN_BYTES} bytes after {steps} steps; a value that every step holds, or steps that all wait for each other, may be too many"
    )]
    Large {
        /// How many steps it had then.
        steps: usize,
    },
    /// There is nothing to do.
    #[error("the plan has no steps: every list that its steps are repeated for is empty")]
    NoSteps,
}
