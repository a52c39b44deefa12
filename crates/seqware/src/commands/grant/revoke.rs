//! `seqware grant revoke`.

use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Takes back that an account may launch runs. It is worth nothing at the next call.
///
/// What was launched goes on; somebody else has to propagate it.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware grant revoke 3")]
pub struct Args {
    /// The grant's id, as `seqware grant list` shows it
    #[arg(value_name = "ID")]
    id: i64,
}

/// Revokes a grant.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    context.client()?.revoke_launch_grant(args.id).await?;
    context.ui.did(&format!("Revoked grant {}", args.id), None, &json!({ "id": args.id }))?;
    Ok(Exit::Done)
}
