//! `seqware create`: metadata objects.

pub mod experiment;
pub mod file;
pub mod sample;
pub mod study;
pub mod workflow;
pub mod workflow_run;

use clap::Subcommand;
use niassa_model::accession::Accession;
use serde_json::json;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to make.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "A study: the root of metadata and the unit of sharing")]
    Study(study::Args),
    #[command(about = "An experiment within a study")]
    Experiment(experiment::Args),
    #[command(about = "A sample of an experiment")]
    Sample(sample::Args),
    #[command(about = "A workflow whose runs happen elsewhere")]
    Workflow(workflow::Args),
    #[command(about = "A run that happened elsewhere, with its files")]
    WorkflowRun(workflow_run::Args),
    #[command(about = "A file")]
    File(file::Args),
}

/// Makes an object.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Study(args) => block_on(study::run(args, context)),
        Command::Experiment(args) => block_on(experiment::run(args, context)),
        Command::Sample(args) => block_on(sample::run(args, context)),
        Command::Workflow(args) => block_on(workflow::run(args, context)),
        Command::WorkflowRun(args) => block_on(workflow_run::run(args, context)),
        Command::File(args) => block_on(file::run(args, context)),
    }
}

/// Tells the accession of what was made, in the words that scripts know.
fn created(thing: &str, swid: Accession, context: &mut Context) -> Result<Exit, Failure> {
    let line = format!("Created {thing} with SWID: {swid}");
    context.ui.did(&line, Some(swid), &json!({ "swid": swid }))?;
    Ok(Exit::Done)
}
