//! `seqware workflow-run cancel`.

use niassa_api::runs::{CancelRuns, EndDeadRuns};
use serde_json::json;

use super::{bracketed, told_results};
use crate::commands::ManyAccessions;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Asks for runs to be cancelled.
///
/// A run that no launcher has taken is cancelled at once; any other when its launcher has stopped
/// what runs and nothing of it is left.
///
/// With --it-is-dead you say that the place of the runs (its machines, or its work directory) is
/// gone for good. The runs are cancelled at once, without a launcher: what never started counts as
/// cancelled, what ran as lost. `workflow-run reschedule --host LABEL` then moves the work elsewhere.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run cancel --accession 7
  $ seqware workflow-run cancel --accession 7,8,9
  $ seqware workflow-run cancel --accession 7 --it-is-dead")]
pub struct Args {
    #[command(flatten)]
    runs: ManyAccessions,
    /// The place of these runs is gone for good: end them without a launcher
    #[arg(long)]
    it_is_dead: bool,
}

/// Asks for runs to be cancelled.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let accessions = args.runs.each_once();
    let client = context.client()?;
    let results = if args.it_is_dead {
        client.end_dead_runs(&EndDeadRuns { accessions: accessions.clone() }).await?
    } else {
        client.cancel_runs(&CancelRuns { accessions: accessions.clone() }).await?
    };
    let line =
        format!("Submitted request to cancel workflow run with SWID(s) {}", bracketed(&accessions));
    context.ui.did(&line, None, &json!(results))?;
    Ok(told_results(&results, context))
}
