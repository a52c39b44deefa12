//! `seqware workflow-run retry`.

use niassa_api::runs::RetryRuns;
use serde_json::json;
use uuid::Uuid;

use super::{bracketed, told_results};
use crate::commands::ManyAccessions;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Asks for failed or cancelled runs to be tried again.
///
/// Steps that succeeded are reused; the others, and what is behind them, get a new attempt.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run retry --accession 7
  $ seqware workflow-run retry --accession 7,8,9")]
pub struct Args {
    #[command(flatten)]
    runs: ManyAccessions,
}

/// Asks for runs to be tried again.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let accessions = args.runs.each_once();
    let id = Uuid::new_v4().to_string();
    let request = RetryRuns { accessions: accessions.clone(), id };
    let results = context.client()?.retry_runs(&request).await?;
    let line =
        format!("Submitted request to retry workflow run with SWID {}", bracketed(&accessions));
    context.ui.did(&line, None, &json!(results))?;
    Ok(told_results(&results, context))
}
