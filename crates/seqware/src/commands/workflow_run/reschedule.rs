//! `seqware workflow-run reschedule`.

use niassa_api::runs::RescheduleRun;
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;
use serde_json::json;

use crate::commands::ManyAccessions;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Schedules new runs with the workflow and the values of old ones.
///
/// Values that are drawn anew for each run, such as random names, are drawn anew.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run reschedule --accession 7
  $ seqware workflow-run reschedule --accession 7 --host server3")]
pub struct Args {
    #[command(flatten)]
    runs: ManyAccessions,
    /// Another label
    #[arg(long, value_name = "LABEL")]
    host: Option<HostLabel>,
    /// Another engine
    #[arg(long)]
    engine: Option<EngineKind>,
}

/// Schedules runs once more.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let request = RescheduleRun { host: args.host, engine: args.engine };
    for run in args.runs.each_once() {
        let scheduled = client.reschedule_run(run, &request).await?;
        for warning in &scheduled.warnings {
            context.ui.note(warning);
        }
        let line = format!("Created workflow run with SWID: {}", scheduled.swid);
        context.ui.did(&line, Some(scheduled.swid), &json!(scheduled))?;
    }
    Ok(Exit::Done)
}
