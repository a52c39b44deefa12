//! `seqware audit export`.

use niassa_api::runs::StepQuery;
use niassa_model::limits::PAGE_MOST;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Prints entries of the audit log, oldest first, one JSON object a line.
///
/// Each holds the SHA-256 of the one before and its own, of the JSON array of previous, at, account,
/// action, subject, detail and origin without spaces. Only for administrators.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware audit export > audit.jsonl
  $ seqware audit export --after 1200 >> audit.jsonl")]
pub struct Args {
    /// Only entries with a larger number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: i64,
}

/// Prints entries.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let after = Some(args.after.to_string());
    let mut query = StepQuery { limit: Some(PAGE_MOST), after, ..StepQuery::default() };
    loop {
        let page = client.audit(&query).await?;
        let lines: Vec<String> = page.items.iter().map(|one| json!(one).to_string()).collect();
        if !lines.is_empty() {
            context.ui.text(&lines.join("\n"))?;
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(Exit::Done),
        }
    }
}
