//! `seqware bundle dry-run`.

use std::fs;
use std::path::{Path, PathBuf};

use niassa_bundle::planner::{self, PlanContext};
use niassa_bundle::values::{self, Generated, Resolved, Source};
use niassa_model::accession::Accession;
use niassa_model::plan::{Plan, PlannedStep};
use niassa_model::resources::format_memory;
use serde_json::json;
use uuid::Uuid;

use super::inspect::branches;
use super::opened::{BundleArgs, Opened};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::files::ValueArgs;
use crate::ui::Format;
use crate::ui::cell::Cell;
use crate::ui::dag::{self, Branches};
use crate::ui::listing::{Column, Listing};
use crate::ui::words;

/// Makes the plan of a run and its scripts, without running anything.
///
/// Nothing is written but below --out: plan.json, the scripts, and the steps as a tree of text.
/// No service and no settings are needed.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware bundle dry-run --dir CountReads
  $ seqware bundle dry-run --dir CountReads --override threads=4 --out dry")]
pub struct Args {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Where to write plan and scripts
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    values: ValueArgs,
}

/// Where the run directory of a plan would be that is not written.
const NOWHERE: &str = "/run-directory";

/// How many steps people are shown one by one.
const SHOWN: usize = 40;

/// Plans a run.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    let bundle = args.bundle.open()?;
    let resolved = resolve(&bundle, &args.values, context)?;
    for warning in &resolved.warnings {
        context.ui.note(warning);
    }
    let out = args.out.as_deref().map(fresh_folder).transpose()?;
    let plan = plan(&bundle, &resolved, out.as_deref())?;
    if let Some(out) = &out {
        write(&plan, out)?;
    }
    show(&plan, out.as_deref(), context)?;
    Ok(Exit::Done)
}

/// Resolves the values as the service does when a run is scheduled.
fn resolve(bundle: &Opened, args: &ValueArgs, context: &Context) -> Result<Resolved, Failure> {
    let sources: Vec<Source> = args.sources()?.into_iter().map(source).collect();
    let [first, second] = [Uuid::new_v4(), Uuid::new_v4()];
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(first.as_bytes());
    seed[16..].copy_from_slice(second.as_bytes());
    let generated = Generated { now: context.now(), seed };
    values::resolve(&bundle.manifest, &bundle.config, &sources, &args.overrides()?, &generated)
        .map_err(|error| Failure::usage(error.to_string()).with_details(error.errors().to_vec()))
}

fn source(source: niassa_api::runs::ValueSource) -> Source {
    let format = match source.format {
        niassa_api::runs::SourceFormat::Ini => values::SourceFormat::Ini,
        niassa_api::runs::SourceFormat::Yaml => values::SourceFormat::Yaml,
        niassa_api::runs::SourceFormat::Json => values::SourceFormat::Json,
    };
    Source { name: source.name, format, text: source.text }
}

/// Makes the folder to write to; one that holds something is left alone.
fn fresh_folder(out: &Path) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::io(format_args!("make {}", out.display()), error);
    fs::create_dir_all(out).map_err(failed)?;
    if fs::read_dir(out).map_err(failed)?.next().is_some() {
        let what = format!("{} is not empty", out.display());
        return Err(Failure::new(Exit::Conflict, what).with_hint("another --out"));
    }
    out.canonicalize().map_err(failed)
}

fn plan(bundle: &Opened, resolved: &Resolved, out: Option<&Path>) -> Result<Plan, Failure> {
    let unpacked = bundle.unpack()?;
    let run = Accession::try_from(1).map_err(|error| Failure::of(Exit::Unexpected, &error))?;
    let context = PlanContext {
        run,
        run_dir: out.unwrap_or(Path::new(NOWHERE)).to_owned(),
        bundle_dir: unpacked.path().to_owned(),
    };
    planner::plan(&bundle.manifest, &resolved.values, &context)
        .map_err(|error| Failure::of(Exit::Usage, &error).while_doing(bundle.path().display()))
}

/// Writes plan, scripts and tree, each script under the name of its step.
fn write(plan: &Plan, out: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::io(format_args!("write to {}", out.display()), error);
    let text =
        serde_json::to_vec_pretty(plan).map_err(|error| Failure::of(Exit::Unexpected, &error))?;
    fs::write(out.join("plan.json"), text).map_err(failed)?;
    let tree = dag::draw(&dag::of_plan(plan), Branches::Unicode);
    fs::write(out.join("steps.txt"), format!("{tree}\n")).map_err(failed)?;
    let scripts = out.join("scripts");
    fs::create_dir(&scripts).map_err(failed)?;
    for (index, step) in plan.steps.iter().enumerate() {
        let path = scripts.join(format!("{index}-{}.sh", step.name));
        fs::write(path, &step.command).map_err(failed)?;
    }
    Ok(())
}

const STEPS: &[Column] = &[
    Column::long("Step"),
    Column::short("Threads"),
    Column::short("Memory"),
    Column::short("Time"),
    Column::long("Outputs"),
];

fn steps(plan: &Plan) -> Listing {
    let mut listing = Listing::new(STEPS, "no steps");
    listing.rows = plan.steps.iter().take(SHOWN).map(step_row).collect();
    listing
}

fn step_row(step: &PlannedStep) -> Vec<Cell> {
    let resources = step.resources;
    let outputs: Vec<&str> = step.outputs.iter().map(|output| output.path.as_str()).collect();
    vec![
        Cell::Text(step.label()),
        Cell::Number(i64::from(resources.threads)),
        Cell::maybe(resources.memory_bytes.map(format_memory)),
        resources.seconds.map_or(Cell::Empty, |seconds| {
            Cell::Micros(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000))
        }),
        Cell::Text(outputs.join(", ")),
    ]
}

fn show(plan: &Plan, out: Option<&Path>, context: &mut Context) -> Result<(), Failure> {
    let look = context.ui.look();
    match context.ui.format() {
        Format::Json => context.ui.json(&json!(plan)),
        format @ Format::Tsv => {
            let text = steps(plan).render(format, look);
            context.ui.text(&text)
        }
        Format::Quiet => Ok(()),
        Format::Table => {
            let count = words::count(plan.steps.len() as u64, "step");
            let mut text = format!(
                "{} {}: {count}\n\n{}\n\n{}",
                plan.workflow,
                plan.version,
                dag::draw(&dag::of_plan(plan), branches(look)),
                steps(plan).render(Format::Table, look)
            );
            if plan.steps.len() > SHOWN {
                text.push_str(&format!("\nand {} more", plan.steps.len() - SHOWN));
            }
            if let Some(out) = out {
                let out = out.display();
                text.push_str(&format!("\n\nwritten: {out}/plan.json, steps.txt, scripts/"));
            }
            context.ui.text(&text)
        }
    }
}
