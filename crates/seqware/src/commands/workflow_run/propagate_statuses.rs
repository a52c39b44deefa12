//! `seqware workflow-run propagate-statuses`.

use std::num::NonZeroUsize;
use std::time::Duration;

use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_pipeline::propagator::{PropagateFilter, Propagator};
use niassa_pipeline::reconcile::WorkEvent;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::faults::Faults;
use crate::{on_change, pipeline};

/// How long to wait for a change before looking at the service's wishes again.
const WAIT: Duration = Duration::from_millis(50);

/// Tells the Web Service what the engine did with the runs launched from this work directory.
///
/// Also does what the service wants done about them: cancels, retries, further attempts.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run propagate-statuses --threads 10
  $ seqware workflow-run propagate-statuses --until-done
  $ seqware workflow-run propagate-statuses --accession 7")]
pub struct Args {
    /// Only runs scheduled for this label; else all, whatever their label
    #[arg(long, value_name = "LABEL", conflicts_with = "accession")]
    host: Option<HostLabel>,
    /// Only these runs
    #[arg(long, value_name = "SWID", value_delimiter = ',')]
    accession: Vec<Accession>,
    /// How many run directories to read at a time
    #[arg(long, value_name = "N", default_value = "4")]
    threads: NonZeroUsize,
    /// Go on until none of these runs is active
    #[arg(long)]
    until_done: bool,
}

/// Propagates statuses.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let mut faults = pipeline::faults("propagate-statuses", context)?;
    let mut problems = Vec::new();
    let result = propagate(args, context, &mut faults, &mut problems).await;
    pipeline::end_tick(result, problems, faults, context)
}

async fn propagate(
    args: Args,
    context: &mut Context,
    faults: &mut Faults,
    problems: &mut Vec<WorkEvent>,
) -> Result<Exit, Failure> {
    let accessions = (!args.accession.is_empty()).then_some(args.accession);
    let filter = PropagateFilter { host: args.host, accessions };
    let client = context.client()?;
    let identity = format!("{} {}", context.settings()?.signed_in_as(), client.url());
    let mut propagator = Propagator::new(
        client.clone(),
        &identity,
        pipeline::settings(context)?,
        filter,
        args.threads,
        pipeline::clock(),
    )?;
    let (mut changed, mut calls) = (Vec::new(), 0);
    let active = loop {
        problems.clear();
        let report = propagator
            .propagate_tick(&mut |event| match event {
                WorkEvent::Problem(..) | WorkEvent::Engine(..) => problems.push(event),
                WorkEvent::Waiting(_) | WorkEvent::Working(_) | WorkEvent::Made => {}
            })
            .await?;
        let is_last = !args.until_done || report.active == 0;
        if is_last || !report.changed.is_empty() {
            let runs: Vec<Accession> = report.changed.iter().map(|(run, _)| *run).collect();
            on_change::tell(&runs, &client, context, faults).await;
        }
        changed.extend(report.changed);
        calls += report.scheduler_calls;
        if is_last {
            break report.active;
        }
        propagator.wait_for_change(WAIT).await?;
    };
    let changed: Vec<_> =
        changed.iter().map(|(run, status)| json!({ "swid": run, "status": status })).collect();
    let data = json!({ "active": active, "changed": changed, "scheduler_calls": calls });
    context.ui.did("Propagated workflow engine statuses", None, &data)?;
    Ok(Exit::Done)
}
