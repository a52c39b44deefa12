//! `seqware limit remove`.

use niassa_api::limits::SetLimit;
use serde_json::json;

use super::{OnArgs, named};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Lets any number of runs of a workflow, of an account or with a label run at a time.
///
/// Only for administrators.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware limit remove --workflow 1")]
pub struct Args {
    #[command(flatten)]
    on: OnArgs,
}

/// Removes a limit.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let request = SetLimit { on: args.on.on()?, runs: None };
    context.client()?.set_limit(&request).await?;
    let line = format!("Removed the limit of {}", named(&request.on));
    context.ui.did(&line, None, &json!(request))?;
    Ok(Exit::Done)
}
