//! The pipeline host: what runs where workflows are launched.
//!
//! The launcher claims scheduled runs and hands them to an engine; the propagator tells the service
//! what the engine did. Both do it through `reconcile`, which is all that is ever done to a run.
//! This is the only crate that starts processes. It knows the service through `niassa-api` alone
//! and reads neither settings nor the environment, but for two exceptions: a step runner learns from
//! it which job it is, and tests name failpoints by it.

pub mod agent;
mod ended_marks;
pub mod engine;
mod failpoint;
pub mod launcher;
mod machine;
pub mod node_test;
pub mod place;
mod process_group;
pub mod programs;
pub mod propagator;
pub mod reconcile;
pub mod recovery;
pub mod run_dir;
pub mod server_programs;
pub mod step;
pub(crate) mod step_program;
pub mod told_program;

/// Writes an error and everything it came from in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
