//! `seqware token create`.

use std::time::Duration;

use niassa_api::accounts::CreateToken;
use niassa_model::account::Scope;
use serde_json::json;

use crate::commands::workflow_run::watch::seconds;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::Format;

/// Makes a token. Its secret is shown this once; put it into settings as SW_REST_TOKEN.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware token create --scope \"launch:$(hostname --long)\" --expires 90d
  $ seqware token create --scope schedule --expires 1d --label pipeline")]
pub struct Args {
    /// What it is good for: read, schedule, launch:HOST, admin
    #[arg(long, required = true)]
    scope: Vec<Scope>,
    /// How long it is good: 45s, 30m, 2h or 90d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires: Duration,
    /// What it is for, in your words
    #[arg(long)]
    label: Option<String>,
}

/// Makes a token.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let seconds = i64::try_from(args.expires.as_secs())
        .map_err(|_| Failure::usage("--expires is too long"))?;
    let request = CreateToken { scopes: args.scope, seconds, label: args.label };
    let created = context.client()?.create_token(&request).await?;
    match context.ui.format() {
        Format::Quiet => context.ui.text(&created.secret)?,
        Format::Table | Format::Json | Format::Tsv => {
            let line = format!("SW_REST_TOKEN={}", created.secret);
            context.ui.did(&line, None, &json!(created))?;
        }
    }
    Ok(Exit::Done)
}
