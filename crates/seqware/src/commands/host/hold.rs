//! `seqware host hold`.

use niassa_api::hosts::HoldHost;
use niassa_model::host::HostLabel;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Lets a label give out no new launches. What runs goes on, and can be cancelled.
///
/// Runs that wait show the reason. Only for administrators.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware host hold --host server2 --reason \"new disks until Friday\"")]
pub struct Args {
    /// The label
    #[arg(long, value_name = "LABEL")]
    host: HostLabel,
    /// Why, for whoever waits
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Holds a label.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let Args { host, reason } = args;
    context.client()?.hold_host(&host, &HoldHost { reason: reason.clone() }).await?;
    let line = format!("{host} is held: {reason}");
    context.ui.did(&line, None, &json!({ "host": host, "reason": reason }))?;
    Ok(Exit::Done)
}
