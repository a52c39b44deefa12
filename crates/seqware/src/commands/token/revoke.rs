//! `seqware token revoke`.

use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Makes a token useless, at the latest a minute from now.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware token revoke 3")]
pub struct Args {
    /// The token's id, as `seqware token list` shows it
    #[arg(value_name = "ID")]
    id: i64,
}

/// Revokes a token.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    context.client()?.revoke_token(args.id).await?;
    context.ui.did(&format!("Revoked token {}", args.id), None, &json!({ "id": args.id }))?;
    Ok(Exit::Done)
}
