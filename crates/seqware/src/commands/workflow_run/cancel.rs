//! `seqware workflow-run cancel`.

use niassa_api::runs::CancelRuns;
use serde_json::json;

use super::{bracketed, told_results};
use crate::commands::ManyAccessions;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Asks for runs to be cancelled.
///
/// A run that no launcher has taken is cancelled at once; any other when its launcher has stopped
/// what runs and nothing of it is left.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run cancel --accession 7
  $ seqware workflow-run cancel --accession 7,8,9")]
pub struct Args {
    #[command(flatten)]
    runs: ManyAccessions,
}

/// Asks for runs to be cancelled.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let accessions = args.runs.each_once();
    let request = CancelRuns { accessions: accessions.clone() };
    let results = context.client()?.cancel_runs(&request).await?;
    let line =
        format!("Submitted request to cancel workflow run with SWID(s) {}", bracketed(&accessions));
    context.ui.did(&line, None, &json!(results))?;
    Ok(told_results(&results, context))
}
