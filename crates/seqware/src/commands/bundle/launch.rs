//! `seqware bundle launch`.

use std::net::{Ipv4Addr, SocketAddr};

use niassa_api::bundles::InstallQuery;
use niassa_api::client::{Archive, Client};
use niassa_api::runs::{ScheduleRun, ScheduledRun};
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;
use niassa_pipeline::launcher::Launcher;
use uuid::Uuid;

use super::opened::BundleArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::files::ValueArgs;
use crate::follow::{Following, Heard, News, follow, interrupts};
use crate::settings::MetadataMethod;
use crate::ui::Format;
use crate::work_loop::{Turn, WorkLoop};
use crate::{host, pipeline, service};

/// Runs a bundle now, on this machine, and follows it to its end, which decides the exit code: 0
/// completed, 10 failed, 11 cancelled. Ctrl-C ends the following; the run goes on.
///
/// The bundle is installed as a development version, which `workflow list` hides. The run belongs
/// to this command from its first moment: no launcher of cron can take it.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware bundle launch --dir CountReads --override threads=4
  $ seqware bundle launch --dir CountReads --ini lane3.ini --no-metadata
  $ seqware bundle launch --zip CountReads.zip --parent-accession 99")]
pub struct Args {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Keep metadata beside the runs instead of in the Web Service; as SW_METADATA_METHOD=none
    #[arg(long, visible_alias = "no-meta-db")]
    no_metadata: bool,
    /// What the run descends from: any objects but workflows
    #[arg(long, value_name = "SWID", value_delimiter = ',', conflicts_with = "no_metadata")]
    parent_accession: Vec<Accession>,
    /// The label that the run is recorded for, by default this machine's
    #[arg(long, value_name = "LABEL")]
    host: Option<HostLabel>,
    /// Demand an engine; else the one in the settings
    #[arg(long)]
    engine: Option<EngineKind>,
    #[command(flatten)]
    values: ValueArgs,
}

/// Runs a bundle.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let method = match args.no_metadata {
        true => MetadataMethod::None,
        false => context.settings()?.metadata_method()?,
    };
    match method {
        MetadataMethod::Webservice => {
            let client = context.client().map_err(or_without_metadata)?;
            let identity = format!("{} {}", context.settings()?.signed_in_as(), client.url());
            launch(args, &client, &identity, method, context).await
        }
        MetadataMethod::None => {
            // Beside the run directories, so that it is found again with them.
            let data = context.settings()?.work_dir()?.join(".metadb");
            let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let user = service::local_user()?;
            let embedded = service::start_embedded(&data, anywhere, user).await?;
            let identity = format!("embedded {}", embedded.user);
            let result = launch(args, &embedded.client, &identity, method, context).await;
            drop(embedded.client);
            embedded.service.stop().await;
            result
        }
    }
}

/// Somebody who has no service yet is told of the way without one.
fn or_without_metadata(failure: Failure) -> Failure {
    match failure.hint() {
        Some(hint) if failure.exit() == Exit::Usage => {
            let hint = format!("{hint}; or without a service: --no-metadata");
            failure.with_hint(hint)
        }
        Some(_) | None => failure,
    }
}

async fn launch(
    args: Args,
    client: &Client,
    identity: &str,
    metadata: MetadataMethod,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let mut settings = pipeline::settings(context)?;
    settings.default_engine = args.engine.unwrap_or(settings.default_engine);
    let launcher = Launcher::new(client.clone(), settings.clone(), pipeline::clock())?;
    if let Some(why) = launcher.cannot_serve(settings.default_engine) {
        return Err(Failure::new(Exit::SchedulerUnreachable, why).with_hint("seqware check"));
    }
    let scheduled = schedule(args, client, launcher.holder(), context).await?;
    let interrupt = interrupts()?;
    let mut work = WorkLoop::of_run(launcher, scheduled.swid, client, identity, settings)?;
    for problem in work.turn().await?.problems {
        context.ui.note(&problem);
    }
    let following = Following { run: scheduled.swid, deadline: None, metadata, interrupt };
    let wait = async || {
        work.wait().await?;
        Ok(heard(work.turn().await?))
    };
    follow(following, client, context, wait).await
}

/// Installs the bundle as a development version and schedules a run of it that nobody else can take.
async fn schedule(
    args: Args,
    client: &Client,
    holder: &str,
    context: &mut Context,
) -> Result<ScheduledRun, Failure> {
    // Another program says this machine's name, while the bundle is packed and sent.
    let label = host::Question::ask(args.host, context.settings()?)?;
    let (sources, overrides) = (args.values.sources()?, args.values.overrides()?);
    let archive = args.bundle.open()?.pack()?;
    let development = InstallQuery { development: Some(1) };
    let installed = client.install_bundle(Archive::File(archive.path()), &development).await?;
    let label = label.answer()?;
    let request = ScheduleRun {
        workflow: installed.swid,
        parents: args.parent_accession,
        input_files: Vec::new(),
        link_to: Vec::new(),
        host: label.label,
        engine: args.engine,
        options: niassa_api::claims::SchedulerOptions::default(),
        sources,
        overrides,
        priority: 0,
        claim_for: Some(holder.to_owned()),
    };
    let scheduled = client.schedule_run(&request, Uuid::new_v4()).await?;
    for warning in &scheduled.warnings {
        context.ui.note(warning);
    }
    if context.ui.format() == Format::Table {
        let line = format!("Created workflow run with SWID: {}", scheduled.swid);
        context.ui.text(&line)?;
    }
    Ok(scheduled)
}

/// What a turn of work means for whoever follows.
fn heard(turn: Turn) -> Heard {
    let news = match (turn.changed.len(), turn.facts) {
        (1.., _) => News::Status,
        (0, 1..) => News::Steps,
        (0, 0) => News::None,
    };
    Heard { news, problems: turn.problems }
}
