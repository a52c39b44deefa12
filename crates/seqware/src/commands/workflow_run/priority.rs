//! `seqware workflow-run priority`.

use niassa_api::runs::PrioritizeRuns;
use serde_json::json;

use super::{bracketed, told_results};
use crate::commands::ManyAccessions;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Says how urgent runs are.
///
/// Of the runs of an account that wait for a host the highest is launched first, of these the oldest.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run priority --accession 7 --priority 10
  $ seqware workflow-run priority --accession 8,9 --priority -1")]
pub struct Args {
    #[command(flatten)]
    runs: ManyAccessions,
    /// -1000 to 1000; runs have 0 unless somebody says otherwise
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    priority: i32,
}

/// Says how urgent runs are.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let accessions = args.runs.each_once();
    let request = PrioritizeRuns { accessions: accessions.clone(), priority: args.priority };
    let results = context.client()?.prioritize_runs(&request).await?;
    let line = format!("Priority {} for {}", args.priority, bracketed(&accessions));
    context.ui.did(&line, None, &json!(results))?;
    Ok(told_results(&results, context))
}
