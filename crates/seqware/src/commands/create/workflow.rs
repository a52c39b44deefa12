//! `seqware create workflow`.

use niassa_api::workflows::CreateWorkflow;

use super::created;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Records a workflow whose runs happen elsewhere. It has no bundle and cannot be scheduled.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware create workflow --name Demultiplex --version 2.1 \\
      --description 'by the sequencer'")]
pub struct Args {
    /// Its name
    #[arg(long)]
    name: String,
    /// Its version
    #[arg(long)]
    version: String,
    /// What it does
    #[arg(long)]
    description: String,
}

/// Records a workflow.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let request =
        CreateWorkflow { name: args.name, version: args.version, description: args.description };
    let made = context.client()?.create_workflow(&request).await?;
    created("workflow", made.swid, context)
}
