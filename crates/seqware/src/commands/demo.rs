//! `seqware demo`.

mod bundles;
mod reads;
mod stage;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;

use niassa_model::account::Email;
use niassa_model::host::HostLabel;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::up;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::service::{self, Embedded, write_secret};
use crate::settings::Settings;
use crate::{host, ui};
use reads::Reads;
use stage::Stage;

/// Shows the whole system at work: a Web Service, an account, bundles, real runs, and what came of
/// them, with each command as you would type it.
///
/// Everything is in a throw-away directory. With the reads of a phage and the programs bwa, samtools
/// and bcftools it calls variants, else it only says hello. Ends with 1 if a run did not complete.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware demo
  $ seqware demo --data target/demo-data   # where `cargo xtask demo` put reads
  $ seqware demo --keep                    # to look around afterwards")]
pub struct Args {
    /// Where reads_1.fq.gz, reads_2.fq.gz and lambda_virus.fa lie
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Keep the directory
    #[arg(long)]
    keep: bool,
}

/// Whether all went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Completed,
    NotCompleted,
}

/// Shows the system at work.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    let reads = Reads::find(args.data.as_deref(), &context.surroundings);
    let folder = tempfile::Builder::new()
        .prefix("niassa-demo-")
        .tempdir()
        .map_err(|error| Failure::io("make a throw-away directory", error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", error))?;
    let embedded = runtime.block_on(start(folder.path()))?;
    let label = host::label(None, &Settings::none())?.label;
    let played = play(folder.path(), &embedded, &label, &reads, context);
    stop(embedded, &runtime);
    let outcome = played?;
    leave(folder, args.keep || outcome == Outcome::NotCompleted, context)?;
    Ok(match outcome {
        Outcome::Completed => Exit::Done,
        Outcome::NotCompleted => Exit::Unexpected,
    })
}

/// Starts the service on a free port, with a MetaDB and an account of its own.
async fn start(folder: &Path) -> Result<Embedded, Failure> {
    let bob: Email =
        "bob@lab.net".parse().map_err(|error| Failure::of(Exit::Unexpected, &error))?;
    service::start_embedded(folder, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), bob).await
}

fn stop(embedded: Embedded, runtime: &Runtime) {
    drop(embedded.client);
    runtime.block_on(embedded.service.stop());
}

fn play(
    folder: &Path,
    embedded: &Embedded,
    label: &HostLabel,
    reads: &Result<Reads, String>,
    context: &mut Context,
) -> Result<Outcome, Failure> {
    let settings = folder.join("settings");
    write_secret(&settings, &up::settings_text(embedded, &folder.join("runs"), label))?;
    bundles::write(&folder.join("examples"))?;
    // Paths are shown as they are typed there, and so they are short.
    std::env::set_current_dir(folder)
        .map_err(|error| Failure::io(format_args!("go to {}", folder.display()), error))?;
    let stage = Stage::new(&settings.display().to_string(), context);
    context.ui.text(&format!(
        "A Web Service on {}, with an account for {}.\n\n",
        embedded.service.url(),
        embedded.user
    ))?;
    stage.show_line(&format!("cd {}", folder.display()), context)?;
    stage.show_line("export SEQWARE_SETTINGS=\"$PWD/settings\"", context)?;
    let runs = schedule(&stage, label, reads, context)?;
    launch_and_follow(&stage, label, &runs, context)?;
    report(&stage, reads, &runs, context)
}

/// Installs the bundles, makes a study and schedules a run of each workflow. Returns the runs.
fn schedule(
    stage: &Stage,
    label: &HostLabel,
    reads: &Result<Reads, String>,
    context: &mut Context,
) -> Result<Vec<String>, Failure> {
    let hello =
        stage.play(&["bundle", "install", "--dir", "examples/hello-world"], context)?.swid()?;
    let variants = match reads {
        Ok(_) => {
            let install = ["bundle", "install", "--dir", "examples/variant-calling"];
            Some(stage.play(&install, context)?.swid()?)
        }
        Err(_) => None,
    };
    let study = ["create", "study", "--title", "Demo", "--description", "The phage lambda"];
    let study = stage.play(&study, context)?.swid()?;
    let label = label.as_str();
    let mut schedule = |workflow: &str, values: &[&str]| {
        let mut line = vec!["workflow", "schedule", "--accession", workflow];
        line.extend(["--parent-accession", &study]);
        line.extend(values);
        line.extend(["--host", label]);
        stage.play(&line, context)?.swid()
    };
    let mut runs = vec![schedule(&hello, &[])?];
    if let (Some(variants), Ok(reads)) = (variants, reads) {
        reads.write_ini(Path::new("reads.ini"))?;
        runs.push(schedule(&variants, &["--ini", "reads.ini"])?);
    }
    Ok(runs)
}

const PROPAGATE: [&str; 3] = ["workflow-run", "propagate-statuses", "--until-done"];

/// Launches the runs and follows the last one while a propagator tells the service of both.
fn launch_and_follow(
    stage: &Stage,
    label: &HostLabel,
    runs: &[String],
    context: &mut Context,
) -> Result<(), Failure> {
    stage.play(&["workflow-run", "launch-scheduled", "--host", label.as_str()], context)?;
    let last = runs.last().map_or("1", String::as_str);
    thread::scope(|scope| {
        let propagator = stage.play_beside(&PROPAGATE, scope, context)?;
        let followed = stage.play(&["workflow-run", "watch", "--accession", last], context);
        let propagated = propagator
            .join()
            .map_err(|_| Failure::new(Exit::Unexpected, "the propagator panicked"))?;
        propagated?;
        followed.map(drop)
    })
}

/// Shows the runs and what was found; of a run that did not complete, why.
fn report(
    stage: &Stage,
    reads: &Result<Reads, String>,
    runs: &[String],
    context: &mut Context,
) -> Result<Outcome, Failure> {
    stage.play(&["workflow-run", "report"], context)?;
    let mut outcome = Outcome::Completed;
    for run in runs {
        if stage.ask(&["workflow-run", "report", "--accession", run])?["workflow_run_status"]
            != "completed"
        {
            outcome = Outcome::NotCompleted;
            stage.play(&["workflow-run", "explain", "--accession", run], context)?;
        }
    }
    match (reads, runs.last()) {
        (Ok(_), Some(run)) if outcome == Outcome::Completed => {
            let report = stage.ask(&["workflow-run", "report", "--accession", run])?;
            let found = reads::count_variants(&paths(&report))?;
            context.ui.text(&format!("\nvariants found: {found}"))?;
        }
        (Ok(_), _) => {}
        (Err(missing), _) => {
            context.ui.text(&format!("\nNo variants were called: {missing}"))?;
        }
    }
    Ok(outcome)
}

/// Returns the output files of a report.
fn paths(report: &Value) -> Vec<PathBuf> {
    let paths = report["output_file_paths"].as_str().unwrap_or_default();
    paths.split(',').filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

/// Says where to look next, and removes the directory unless it is kept. Its supervisor ends with it.
fn leave(folder: TempDir, keep: bool, context: &mut Context) -> Result<(), Failure> {
    let path = folder.path().to_owned();
    std::env::set_current_dir("/").map_err(|error| Failure::io("leave the directory", error))?;
    if keep {
        let kept = folder.keep();
        let kept = kept.display();
        return context.ui.text(&format!(
            "\nKept in {kept}. To look around:\n  seqware up --data '{kept}' &\n  \
             export SEQWARE_SETTINGS='{kept}/settings'\n  seqware workflow-run report"
        ));
    }
    if folder.close().is_err() {
        // The supervisor was writing its last line.
        fs::remove_dir_all(&path)
            .map_err(|error| Failure::io(format_args!("remove {}", path.display()), error))?;
    }
    let look = context.ui.look();
    let title = if look.color { ui::words::Tone::Strong.paint("Next") } else { "Next".to_owned() };
    context.ui.text(&format!(
        "\n{title}\n  seqware demo --keep              the same, to look around in afterwards\n  \
         seqware bundle init MyWorkflow   a bundle of your own\n  \
         seqware up                       the whole system for you alone, to stay"
    ))
}
