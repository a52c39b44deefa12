//! `seqware workflow schedule`.

use niassa_api::claims::SchedulerOptions;
use niassa_api::runs::ScheduleRun;
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;
use serde_json::json;
use uuid::Uuid;

use crate::commands::OneAccession;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::files::ValueArgs;

/// What a person is told who forgot `--host`.
const HOST_HINT: &str = "seqware workflow schedule ... --host \"$(hostname --long)\"";

/// Schedules a run of a workflow for the launchers of a host.
///
/// The run waits until `seqware workflow-run launch-scheduled` with the same label and the same
/// account launches it. Any text will do as a label; usually it is a host's full name.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow schedule --accession 1 --parent-accession 99 \\
      --ini workflow.ini --host \"$(hostname --long)\"
  $ seqware workflow schedule --accession 1 --params lane3.yaml \\
      --override threads=8 --host cluster --engine slurm --queue long")]
pub struct Args {
    /// The workflow
    #[command(flatten)]
    workflow: OneAccession,
    /// The label of the launchers that may launch it
    #[arg(long, value_name = "LABEL")]
    host: Option<HostLabel>,
    /// What the run descends from: any objects but workflows
    #[arg(long, value_name = "SWID", value_delimiter = ',')]
    parent_accession: Vec<Accession>,
    /// Files that are its inputs
    #[arg(long, value_name = "SWID", value_delimiter = ',')]
    input_file: Vec<Accession>,
    /// IUS and lanes to link the run to
    #[arg(long, value_name = "SWID", value_delimiter = ',')]
    link_to_ius: Vec<Accession>,
    /// Demand an engine: local, slurm or sge; else the launcher decides
    #[arg(long)]
    engine: Option<EngineKind>,
    #[command(flatten)]
    values: ValueArgs,
    /// How urgent it is: of your runs that wait for the host the highest goes first
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    #[command(flatten)]
    options: OptionArgs,
}

/// Options for a cluster's scheduler.
#[derive(clap::Args, Clone, Default)]
#[command(next_help_heading = "Cluster")]
pub struct OptionArgs {
    /// Slurm's partition, Grid Engine's queue
    #[arg(long)]
    queue: Option<String>,
    /// Slurm's account, Grid Engine's project
    #[arg(long)]
    project: Option<String>,
    /// Slurm's quality of service
    #[arg(long)]
    qos: Option<String>,
}

impl From<OptionArgs> for SchedulerOptions {
    fn from(args: OptionArgs) -> Self {
        Self { queue: args.queue, project: args.project, qos: args.qos }
    }
}

/// Schedules a run.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let Some(host) = args.host else {
        let what = "--host is missing: which launchers may launch the run?";
        return Err(Failure::usage(what).with_hint(HOST_HINT));
    };
    let request = ScheduleRun {
        workflow: args.workflow.accession,
        parents: args.parent_accession,
        input_files: args.input_file,
        link_to: args.link_to_ius,
        host,
        engine: args.engine,
        options: args.options.into(),
        sources: args.values.sources()?,
        overrides: args.values.overrides()?,
        priority: args.priority,
        claim_for: None,
    };
    let scheduled = context.client()?.schedule_run(&request, Uuid::new_v4()).await?;
    for warning in &scheduled.warnings {
        context.ui.note(warning);
    }
    let line = format!("Created workflow run with SWID: {}", scheduled.swid);
    context.ui.did(&line, Some(scheduled.swid), &json!(scheduled))?;
    Ok(Exit::Done)
}
