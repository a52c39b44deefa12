//! `seqware bundle list`.

use std::fs;
use std::path::{Path, PathBuf};

use super::opened::Opened;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};

/// Lists the workflow of a bundle, or those of all bundles in a folder.
///
/// These are bundles on this machine; `seqware workflow list` shows what is installed.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware bundle list --dir CountReads
  $ seqware bundle list --dir /data/bundles")]
pub struct Args {
    /// A bundle or archive, or a folder of them
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

const COLUMNS: &[Column] = &[
    Column::short("Name"),
    Column::short("Version"),
    Column::short("Steps"),
    Column::short("Parameters"),
    Column::long("Description"),
    Column::long("Place").wide(),
];

/// Lists bundles.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    let mut listing = Listing::new(COLUMNS, format!("no bundles in {}", args.dir.display()));
    if is_bundle(&args.dir) {
        listing.rows.push(row(&open(&args.dir)?));
    } else {
        for path in bundles_in(&args.dir)? {
            match open(&path) {
                Ok(bundle) => listing.rows.push(row(&bundle)),
                // One that cannot be used does not hide the others.
                Err(failure) => context.ui.note(failure.explain()),
            }
        }
    }
    context.ui.listing(&listing)?;
    Ok(Exit::Done)
}

fn is_bundle(path: &Path) -> bool {
    path.is_file() || path.join("workflow.yaml").is_file()
}

fn open(path: &Path) -> Result<Opened, Failure> {
    if path.is_file() { Opened::archive(path) } else { Opened::folder(path) }
}

/// Returns what looks like a bundle in a folder, by name.
fn bundles_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::io(format_args!("list {}", folder.display()), error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_archive = path.extension().is_some_and(|extension| extension == "zip");
        if path.join("workflow.yaml").is_file() || (path.is_file() && is_archive) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn row(bundle: &Opened) -> Vec<Cell> {
    let manifest = &bundle.manifest;
    let count = |number: usize| Cell::Number(i64::try_from(number).unwrap_or(i64::MAX));
    vec![
        Cell::text(&manifest.name),
        Cell::text(&manifest.version),
        count(manifest.steps.len()),
        count(manifest.parameters.len()),
        Cell::text(&manifest.description),
        Cell::text(bundle.path().display()),
    ]
}
