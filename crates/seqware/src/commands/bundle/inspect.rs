//! `seqware bundle inspect`.

use std::io;

use niassa_bundle::manifest::{Items, Kind, Manifest, Parameter, Step};
use niassa_pipeline::programs::{self, Remark};
use serde_json::{Value, json};

use super::opened::BundleArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::dag::{self, Branches};
use crate::ui::listing::{Column, Listing};
use crate::ui::run_view::Brush;
use crate::ui::words::Tone;
use crate::ui::{Format, Look};

/// Shows parameters and steps of a bundle, and what shellcheck says about its commands.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware bundle inspect --dir CountReads
  $ seqware bundle inspect --zip CountReads.zip --json")]
pub struct Args {
    #[command(flatten)]
    bundle: BundleArgs,
}

/// What shellcheck said of one step.
struct Looked<'step> {
    step: &'step Step,
    remarks: Vec<Remark>,
}

/// Shows a bundle.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    let bundle = args.bundle.open()?;
    let manifest = &bundle.manifest;
    let looked = look_at(manifest).map_err(|error| Failure::io("run shellcheck", error))?;
    match context.ui.format() {
        Format::Json => context.ui.json(&data(manifest, looked.as_deref()))?,
        Format::Quiet => context.ui.text(&manifest.name)?,
        format @ Format::Tsv => {
            let text = parameters(manifest).render(format, context.ui.look());
            context.ui.text(&text)?;
        }
        Format::Table => {
            let text = text(manifest, looked.as_deref(), context.ui.look());
            context.ui.text(&text)?;
        }
    }
    Ok(Exit::Done)
}

/// Lets shellcheck look at every command, or returns nothing where it is not installed.
fn look_at(manifest: &Manifest) -> io::Result<Option<Vec<Looked<'_>>>> {
    let mut looked = Vec::new();
    for step in &manifest.steps {
        let Some(mut remarks) = programs::shellcheck(&script(manifest, step))? else {
            return Ok(None);
        };
        for remark in &mut remarks {
            // The first line of the script is ours.
            remark.line = remark.line.saturating_sub(1);
        }
        looked.push(Looked { step, remarks });
    }
    Ok(Some(looked))
}

/// Returns a step's command behind one line that gives its variables a value, as the real script
/// does: shellcheck knows them then.
fn script(manifest: &Manifest, step: &Step) -> String {
    let mut variables: Vec<String> = manifest.parameters.iter().map(variable).collect();
    if let Some(foreach) = &step.foreach {
        variables.extend(match &foreach.items {
            Items::Scalar(_) => vec![format!("{}=x", foreach.variable)],
            Items::Record(fields) => {
                fields.iter().map(|(name, _)| format!("{}_{name}=x", foreach.variable)).collect()
            }
        });
    }
    format!("set -euo pipefail; {}\n{}\n", variables.join("; "), step.command)
}

fn variable(parameter: &Parameter) -> String {
    match &parameter.kind {
        Kind::Scalar(_) => format!("{}=x", parameter.name),
        Kind::List(Items::Scalar(_)) => format!("{}=(x)", parameter.name),
        Kind::List(Items::Record(fields)) => {
            let lists = fields.iter().map(|(field, _)| format!("{}_{field}=(x)", parameter.name));
            lists.collect::<Vec<_>>().join("; ")
        }
    }
}

const PARAMETERS: &[Column] = &[
    Column::short("Parameter"),
    Column::short("Type"),
    Column::long("Default"),
    Column::long("Help"),
    Column::short("Meta Type").data(),
];

fn parameters(manifest: &Manifest) -> Listing {
    let mut listing = Listing::new(PARAMETERS, "no parameters");
    listing.rows = manifest
        .parameters
        .iter()
        .map(|parameter| {
            let default = match parameter.default_text() {
                Some(text) => Cell::Text(text),
                None => Cell::text("(needed)"),
            };
            vec![
                Cell::text(&parameter.name),
                Cell::Text(parameter.kind_text()),
                default,
                Cell::maybe(parameter.help.clone()),
                Cell::maybe(parameter.meta_type.clone()),
            ]
        })
        .collect();
    listing
}

const STEPS: &[Column] = &[
    Column::short("Step"),
    Column::short("Threads"),
    Column::short("Memory"),
    Column::short("Time"),
    Column::short("Tries"),
    Column::long("Outputs"),
];

fn steps(manifest: &Manifest) -> Listing {
    let mut listing = Listing::new(STEPS, "no steps");
    let row = |step: &Step| {
        let outputs: Vec<String> = step.outputs.iter().map(|o| o.path.to_string()).collect();
        let tries = (!step.retry.is_never()).then(|| format!("up to {}", step.retry.max + 1));
        vec![
            Cell::text(&step.name),
            Cell::text(&step.threads),
            Cell::maybe(step.memory.as_ref().map(ToString::to_string)),
            Cell::maybe(step.time.as_ref().map(ToString::to_string)),
            Cell::maybe(tries),
            Cell::Text(outputs.join(", ")),
        ]
    };
    listing.rows = manifest.steps.iter().map(row).collect();
    listing
}

fn text(manifest: &Manifest, looked: Option<&[Looked<'_>]>, look: Look) -> String {
    let brush = Brush { look };
    let title = format!("{} {}", manifest.name, manifest.version);
    let mut parts = vec![
        format!("{}\n{}", brush.paint(Tone::Strong, &title), brush.wrap(&manifest.description, 0)),
        parameters(manifest).render(Format::Table, look),
        steps(manifest).render(Format::Table, look),
        dag::draw(&dag::of_manifest(manifest), branches(look)),
    ];
    parts.push(match looked {
        None => "shellcheck is not installed: nobody looked at the commands".to_owned(),
        Some(looked) => said(looked, brush),
    });
    parts.join("\n\n")
}

/// Returns the branches that a terminal can show.
pub fn branches(look: Look) -> Branches {
    if look.unicode { Branches::Unicode } else { Branches::Ascii }
}

fn said(looked: &[Looked<'_>], brush: Brush) -> String {
    let mut lines = Vec::new();
    for looked in looked {
        for remark in &looked.remarks {
            let place = format!("step {}, line {}: ", looked.step.name, remark.line);
            let what = format!("{} (SC{})", remark.message, remark.code);
            let tone = if remark.level == "error" { Tone::Bad } else { Tone::Warning };
            let level = brush.paint(tone, &remark.level);
            lines.push(format!("{place}{level}\n  {}", brush.wrap(&what, 2)));
        }
    }
    if lines.is_empty() {
        return "shellcheck finds nothing odd in the commands".to_owned();
    }
    lines.join("\n")
}

fn data(manifest: &Manifest, looked: Option<&[Looked<'_>]>) -> Value {
    let parameters = manifest.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "type": parameter.kind_text(),
            "default": parameter.default,
            "required": parameter.is_required(),
            "help": parameter.help,
            "meta_type": parameter.meta_type,
        })
    });
    let steps = manifest.steps.iter().map(|step| {
        let text = |template: &dyn ToString| template.to_string();
        json!({
            "name": step.name.to_string(),
            "needs": step.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "foreach": step.foreach.as_ref().map(|foreach| &foreach.parameter),
            "command": step.command,
            "threads": text(&step.threads),
            "memory": step.memory.as_ref().map(|memory| text(memory)),
            "time": step.time.as_ref().map(|time| text(time)),
            "outputs": step.outputs.iter().map(|output| text(&output.path)).collect::<Vec<_>>(),
            "remarks": looked.map(|looked| {
                let of_step = looked.iter().filter(|looked| looked.step.name == step.name);
                of_step.flat_map(|looked| &looked.remarks).collect::<Vec<_>>()
            }),
        })
    });
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "parameters": parameters.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
    })
}
