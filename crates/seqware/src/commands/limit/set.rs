//! `seqware limit set`.

use niassa_api::limits::SetLimit;
use serde_json::json;

use super::{OnArgs, named};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Sets how many runs of a workflow, of an account or with a label may run at a time.
///
/// Runs above it wait, and `workflow-run explain` says for which limit. Only for administrators.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware limit set --workflow 1 --runs 5
  $ seqware limit set --account alice@lab.net --runs 20
  $ seqware limit set --host server2 --runs 100")]
pub struct Args {
    #[command(flatten)]
    on: OnArgs,
    /// How many
    #[arg(long, value_name = "NUMBER")]
    runs: u32,
}

/// Sets a limit.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let request = SetLimit { on: args.on.on()?, runs: Some(args.runs) };
    context.client()?.set_limit(&request).await?;
    let line = format!("Limit of {}: {}", named(&request.on), args.runs);
    context.ui.did(&line, None, &json!(request))?;
    Ok(Exit::Done)
}
