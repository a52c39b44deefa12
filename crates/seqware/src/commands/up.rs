//! `seqware up`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use niassa_api::client::Credentials;
use niassa_model::accession::Accession;
use niassa_model::account::Email;
use niassa_model::host::HostLabel;
use niassa_model::limits::MAX_JOBS;
use niassa_model::place::EngineKind;
use niassa_pipeline::agent::Wakes;
use niassa_pipeline::engine::cluster::ClusterSettings;
use niassa_pipeline::reconcile::PipelineSettings;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::serve::{log_to_stderr, until_told_to_stop};
use crate::commands::{agent, init};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::on_change::{self, OnChange};
use crate::service::{self, Embedded, write_secret};
use crate::settings::{Key, Settings, this_executable};
use crate::work_loop::{Pace, WorkLoop};
use crate::{host, ui};

/// Runs the whole system in one process: service, embedded MetaDB, launcher and propagator.
///
/// The first time it makes an account and a settings file of its own in the data directory; point
/// SEQWARE_SETTINGS to that file, and every command works. Steps that run go on when it is stopped.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware up
  $ seqware up --data /data/niassa --listen 127.0.0.1:0")]
pub struct Args {
    /// Where everything is kept
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the service listens; port 0 is a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The label to serve, by default this machine's full name
    #[arg(long, value_name = "LABEL")]
    host: Option<HostLabel>,
    /// The account that is made the first time, by default your user name @localhost
    #[arg(long, value_name = "EMAIL")]
    account: Option<Email>,
}

/// Runs the whole system until it is told to stop.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    if !args.listen.ip().is_loopback() {
        let what = format!("`up` speaks http only to this machine, not on {}", args.listen.ip());
        return Err(Failure::usage(what).with_hint("seqware serve --tls-cert FILE --tls-key FILE"));
    }
    log_to_stderr(&context.surroundings);
    let data = data_dir(args.data, context)?;
    let user = args.account.map_or_else(service::local_user, Ok)?;
    let embedded = service::start_embedded(&data, args.listen, user).await?;
    let label = label(args.host)?;
    let runs = data.join("runs");
    let settings_file = data.join("settings");
    write_secret(&settings_file, &settings_text(&embedded, &runs, &label))?;
    welcome(&embedded, &settings_file, &runs, &label, context)?;
    let executable =
        this_executable().map_err(|error| Failure::io("find this program's file", error))?;
    let settings = PipelineSettings {
        work_dir: runs.clone(),
        known_work_dirs: None,
        bundle_dir: None,
        default_engine: EngineKind::Local,
        executable,
        clusters: ClusterSettings::default(),
        max_jobs: MAX_JOBS,
        step_runner: None,
    };
    let mut work = WorkLoop::of_host(
        &embedded.client,
        embedded.user.as_str(),
        settings,
        label,
        Pace::Polling,
    )?;
    // Its service asks it for whole logs, as it would ask an agent.
    let _reads_logs = Wakes::follow(embedded.client.clone(), work.log_reader());
    let (sender, changed) = unbounded_channel();
    let program = program_to_tell(&runs, &embedded, context)?;
    tokio::select! {
        stopped = until_told_to_stop() => stopped?,
        () = work_for_ever(&mut work, &sender) => {}
        () = on_change::tell_for_ever(program, changed, embedded.client.clone()) => {}
    }
    embedded.service.stop().await;
    Ok(Exit::Done)
}

/// Works until the process is stopped. What goes wrong is logged when it begins and when it ends.
async fn work_for_ever(work: &mut WorkLoop, sender: &UnboundedSender<Vec<Accession>>) {
    let mut told: Vec<String> = Vec::new();
    loop {
        let problems = match work.turn().await {
            Ok(turn) => {
                if !turn.changed.is_empty() {
                    // Its reader lives as long as this loop.
                    drop(sender.send(turn.changed));
                }
                [turn.problems, turn.doubts].concat()
            }
            Err(failure) => vec![failure.explain().to_owned()],
        };
        agent::tell(&mut told, problems);
        if let Err(failure) = work.wait().await {
            tracing::warn!("{}", failure.explain());
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}

/// Returns the program that the environment names: `up` looks at no settings but its own.
fn program_to_tell(
    runs: &Path,
    embedded: &Embedded,
    context: &Context,
) -> Result<Option<OnChange>, Failure> {
    let Some(program) = context.surroundings.variable(Key::OnChange.name()) else {
        return Ok(None);
    };
    let program = PathBuf::from(program);
    if !program.is_absolute() {
        let what = format!("{} is `{}`", Key::OnChange.name(), program.display());
        return Err(Failure::usage(what).with_hint("the absolute path of a program"));
    }
    Ok(Some(OnChange::new(program, runs, &format!("embedded {}", embedded.user))))
}

fn data_dir(flag: Option<PathBuf>, context: &Context) -> Result<PathBuf, Failure> {
    let data = flag.or_else(|| context.surroundings.data_dir()).ok_or_else(|| {
        Failure::usage("there is no home directory to keep data in").with_hint("--data DIR")
    })?;
    std::path::absolute(&data)
        .map_err(|error| Failure::io(format_args!("find {}", data.display()), error))
}

/// `up` looks at no settings but its own, so only the flag and the machine's name count.
fn label(flag: Option<HostLabel>) -> Result<HostLabel, Failure> {
    Ok(host::label(flag, &Settings::none())?.label)
}

/// Returns the settings of everybody who uses an embedded service.
pub fn settings_text(embedded: &Embedded, runs: &Path, label: &HostLabel) -> String {
    let (user, password) = (embedded.user.to_string(), embedded.password.clone());
    let credentials = Credentials::Basic { user, password };
    let mut text = init::settings(&embedded.service.url(), &credentials);
    text.push_str(&format!("SW_WORK_DIR={}\n", init::escape(&runs.display().to_string())));
    text.push_str(&format!("SW_HOST={}\n", init::escape(label.as_str())));
    text
}

fn welcome(
    embedded: &Embedded,
    settings: &Path,
    runs: &Path,
    label: &HostLabel,
    context: &mut Context,
) -> Result<(), Failure> {
    let strong = |text: &str| match context.ui.look().color {
        true => ui::words::Tone::Strong.paint(text),
        false => text.to_owned(),
    };
    let text = format!(
        "{}\n  account   {}\n  label     {label}\n  runs      {}\n  use it    export SEQWARE_SETTINGS='{}'\n\
         Stop with Ctrl-C; steps that run go on.",
        strong(&format!("Niassa is up: {}", embedded.service.url())),
        embedded.user,
        runs.display(),
        settings.display(),
    );
    context.ui.text(&text)
}
