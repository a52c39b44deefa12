//! `seqware host release`.

use niassa_model::host::HostLabel;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Lets a label that was held give out launches again. Only for administrators.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware host release --host server2")]
pub struct Args {
    /// The label
    #[arg(long, value_name = "LABEL")]
    host: HostLabel,
}

/// Releases a label.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    context.client()?.release_host(&args.host).await?;
    let line = format!("{} is released", args.host);
    context.ui.did(&line, None, &json!({ "host": args.host }))?;
    Ok(Exit::Done)
}
