//! `seqware metadb reconcile`.

use std::collections::HashMap;
use std::path::PathBuf;

use niassa_api::client::Client;
use niassa_api::recovery::{FindRuns, FoundRun, RecoveredRun};
use niassa_model::host::HostLabel;
use niassa_model::limits::FACTS_PER_CALL;
use niassa_model::run::RunTag;
use niassa_pipeline::recovery::{self, KeptRun};

use crate::context::Context;
use crate::deployments;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};

/// Lists runs that the MetaDB does not know although the work directory has them, and takes them in.
///
/// After a restore, what was accepted since the backup lives in run directories only. Run this on each
/// pipeline host as the OS user of the launcher, signed in as an administrator. A run keeps its tag, and
/// its accession unless another object has it now. Nothing is launched and no file is changed; runs that
/// kept their accession are gone on with by the next launcher or propagator.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware metadb reconcile                 # what is not known
  $ seqware metadb reconcile --import")]
pub struct Args {
    /// The work directory; by default SW_WORK_DIR
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// Take in what is not known
    #[arg(long)]
    import: bool,
    /// The label of runs whose directory does not name one
    #[arg(long, value_name = "LABEL", default_value = "reconciled")]
    host: HostLabel,
}

const COLUMNS: &[Column] = &[
    Column::short("SWID"),
    Column::short("Was"),
    Column::short("Tag"),
    Column::short("Status"),
    Column::long("Workflow"),
    Column::long("Account"),
    Column::long("Directory").wide(),
];

/// Lists or takes in runs.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let work_dir = match args.work_dir {
        Some(work_dir) => work_dir,
        None => context.settings()?.work_dir()?,
    };
    let failed = |error| Failure::io(format_args!("read {}", work_dir.display()), error);
    let kept = recovery::look(&work_dir).map_err(failed)?;
    for (path, why) in &kept.unreadable {
        context.ui.note(&format!("{}: {why}", path.display()));
    }
    let client = context.client()?;
    let known = known(&client, &kept.runs).await?;
    let others = client.deployment().map(|own| deployments::others(&work_dir, &own, context.now()));
    if let Some(others) = others.filter(|others| !others.is_empty()) {
        let named = deployments::named(&others);
        context.ui.note(&format!(
            "{named} uses this work directory too: its runs are not known here either; do not take them in"
        ));
    }
    let mut listing = Listing::new(COLUMNS, "every run of this work directory is known");
    let mut exit = if kept.unreadable.is_empty() { Exit::Done } else { Exit::Partly };
    for run in kept.runs.iter().filter(|run| !known.contains_key(run.tag())) {
        let taken = match args.import {
            true => take_in(&client, run, &args.host).await,
            false => Ok(None),
        };
        match taken {
            Ok(None) if args.import => {
                let directory = run.directory().display();
                context.ui.note(&format!(
                    "{directory}: it was never planned, so nothing of it ran; schedule it again"
                ));
            }
            Ok(taken) => listing.rows.push(row(run, taken.as_ref(), context)),
            Err(failure) => {
                exit = Exit::Partly;
                let why = failure.explain();
                let hint = failure.hint().map(|hint| format!(" (try: {hint})"));
                let hint = hint.unwrap_or_default();
                context.ui.note(&format!("{}: {why}{hint}", run.directory().display()));
            }
        }
    }
    let found = listing.rows.len();
    context.ui.listing(&listing)?;
    if found > 0 && !args.import {
        context.ui.note("take them in with: seqware metadb reconcile --import");
    }
    Ok(exit)
}

/// Asks which runs are known.
async fn known(client: &Client, runs: &[KeptRun]) -> Result<HashMap<RunTag, FoundRun>, Failure> {
    let mut known = HashMap::new();
    for some in runs.chunks(FACTS_PER_CALL) {
        let tags = some.iter().map(|run| run.tag().clone()).collect();
        let found = client.find_runs(&FindRuns { tags }).await?.runs;
        known.extend(found.into_iter().map(|run| (run.tag.clone(), run)));
    }
    Ok(known)
}

/// Tells the service of a run; nothing where it never got as far as a plan.
async fn take_in(
    client: &Client,
    run: &KeptRun,
    host: &HostLabel,
) -> Result<Option<RecoveredRun>, Failure> {
    let Some(mut request) = run.request(host) else { return Ok(None) };
    let mut told = client.recover_run(&request).await?;
    let failed = |error| Failure::io(format_args!("read {}", run.directory().display()), error);
    let mut facts = run.facts().map_err(failed)?;
    if told.swid != run.swid() {
        // Its directory has another name now: nobody can go on with it.
        let verdicts = run.verdicts(&facts).map_err(failed)?;
        facts.extend(verdicts);
    }
    // The steps are there; facts alone follow.
    request.steps.clear();
    request.accessions.clear();
    for some in facts.chunks(FACTS_PER_CALL) {
        request.facts = some.to_vec();
        let recovered = client.recover_run(&request).await?;
        told.status = recovered.status;
        told.refused.extend(recovered.refused);
    }
    Ok(Some(told))
}

fn row(run: &KeptRun, taken: Option<&RecoveredRun>, context: &mut Context) -> Vec<Cell> {
    let directory = run.directory().display().to_string();
    if let Some(taken) = taken {
        for why in &taken.refused {
            context.ui.note(&format!("{directory}: a fact was not taken: {why}"));
        }
        if taken.swid != run.swid() && taken.status.is_active() {
            context.ui.note(&format!(
                "run {} was run {} and is not over; nobody can go on with it under its new accession: \
                 seqware workflow-run cancel --accession {} --it-is-dead, then reschedule it",
                taken.swid,
                run.swid(),
                taken.swid
            ));
        }
    }
    let status = taken.map_or("not known".to_owned(), |taken| taken.status.as_str().to_owned());
    let swid = taken.map_or(run.swid(), |taken| taken.swid);
    vec![
        Cell::Number(swid.get()),
        Cell::Number(run.swid().get()),
        Cell::text(run.tag().as_str()),
        Cell::Text(status),
        Cell::Text(run.workflow()),
        Cell::text(run.account()),
        Cell::Text(directory),
    ]
}
