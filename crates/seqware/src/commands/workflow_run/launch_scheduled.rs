//! `seqware workflow-run launch-scheduled`.

use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_pipeline::launcher::{LaunchFilter, Launcher};
use niassa_pipeline::reconcile::WorkEvent;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::faults::Faults;
use crate::{deployments, host, on_change, pipeline};

/// The fault that the work directory is another deployment's too.
const OTHER_DEPLOYMENT: &str = "deployments";

/// Launches the runs of this account that were scheduled for this host's label.
///
/// Any number of these may run at the same time, anywhere: each run is launched once. Without
/// `--host` the label is SW_HOST, else what `hostname --long` prints.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run launch-scheduled --host \"$(hostname --long)\"
  $ seqware workflow-run launch-scheduled               # in the cron script
  $ seqware workflow-run launch-scheduled --accession 7,8")]
pub struct Args {
    /// The label to serve
    #[arg(long, value_name = "LABEL", conflicts_with = "accession")]
    host: Option<HostLabel>,
    /// Launch these runs whatever their label
    #[arg(long, value_name = "SWID", value_delimiter = ',')]
    accession: Vec<Accession>,
}

/// Launches what waits.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let mut faults = pipeline::faults("launch-scheduled", context)?;
    let mut problems = Vec::new();
    let result = tick(args, context, &mut faults, &mut problems).await;
    if result.is_err() {
        // Without the service nobody knows which deployment this is.
        faults.unknown(OTHER_DEPLOYMENT);
    }
    pipeline::end_tick(result, problems, faults, context)
}

async fn tick(
    args: Args,
    context: &mut Context,
    faults: &mut Faults,
    problems: &mut Vec<WorkEvent>,
) -> Result<Exit, Failure> {
    let filter = if args.accession.is_empty() {
        let found = host::label(args.host, context.settings()?)?;
        if let Some(doubt) = found.doubt {
            faults.found("label", doubt);
        }
        LaunchFilter::Host(found.label)
    } else {
        LaunchFilter::Accessions(args.accession)
    };
    let settings = pipeline::settings(context)?;
    let work_dir = settings.work_dir.clone();
    let client = context.client()?;
    let launcher = Launcher::new(client.clone(), settings, pipeline::clock())?;
    let mut printed = Ok(());
    let ui = &mut context.ui;
    let report = launcher
        .launch_tick(&filter, &mut |event| match event {
            WorkEvent::Waiting(number) => {
                keep_first(
                    &mut printed,
                    ui.say(&format!("Number of submitted workflows: {number}")),
                );
            }
            WorkEvent::Working(run) => {
                keep_first(&mut printed, ui.say(&format!("Working Run: {run}")));
            }
            WorkEvent::Problem(..) | WorkEvent::Engine(..) => problems.push(event),
            WorkEvent::Made => {}
        })
        .await?;
    on_change::tell(&report.launched, &client, context, faults).await;
    if let Some(doubt) = deployments::leave_and_look(&work_dir, &client, context.now()) {
        faults.found(OTHER_DEPLOYMENT, doubt);
    }
    printed?;
    match context.ui.format() {
        crate::ui::Format::Table => {}
        crate::ui::Format::Quiet => {
            for run in &report.launched {
                context.ui.text(&run.to_string())?;
            }
        }
        crate::ui::Format::Json | crate::ui::Format::Tsv => {
            let data = json!({ "waiting": report.waiting, "launched": report.launched });
            context.ui.did("", None, &data)?;
        }
    }
    Ok(Exit::Done)
}

/// Remembers the first failure to print: a launch goes on although its reader went away.
pub fn keep_first(printed: &mut Result<(), Failure>, result: Result<(), Failure>) {
    if printed.is_ok() {
        *printed = result;
    }
}
