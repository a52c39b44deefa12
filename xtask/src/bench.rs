//! `cargo xtask bench`: the numbers of docs/performance.md, with their references in the same run.
//!
//! Release build, every state change durable. Cases alternate with their reference, and what is
//! told is the median of the pairs: wall seconds and processor seconds of everything involved.

mod agent;
mod clusters;
mod engine;
mod grid_engine;
mod http;
mod measure;
mod memory;
mod pages;
mod pairs;
mod planning;
mod reference;
mod schedule;
mod service_postgres;
mod site;
mod slurm;
mod startup;
mod table;
mod whole_loop;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use crate::repository::Repository;
use table::Row;

/// Pairs of measurements per case.
const PAIRS: usize = 7;

/// One case: its name, and what measures it.
type Case = (&'static str, fn(&Bench) -> Result<Vec<Row>>);

const CASES: [Case; 10] = [
    ("startup", startup::measure),
    ("engine", engine::measure),
    ("loop", whole_loop::measure),
    ("schedule", schedule::measure),
    ("service-postgres", service_postgres::measure),
    ("memory", memory::measure),
    ("planning", planning::measure),
    ("clusters", clusters::measure),
    ("agent", agent::measure),
    ("pages", pages::measure),
];

/// What every case needs.
struct Bench {
    seqware: PathBuf,
    /// The program that measures the engine without service and launcher.
    engine: PathBuf,
    /// The program that fills a MetaDB.
    fill: PathBuf,
    pairs: usize,
}

/// What a person may ask for beside the cases.
const OPTIONS: [&str; 3] = ["--quick", "--json", "--write"];

/// Measures all cases, or those named, and prints a table; `--json` prints data instead, `--write`
/// puts the table into docs/performance.md, `--quick` measures one pair instead of seven.
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let (options, names): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    if let Some(unknown) = options.iter().find(|option| !OPTIONS.contains(&option.as_str())) {
        bail!("no option is called `{unknown}`: {}", OPTIONS.join(" "));
    }
    for name in &names {
        let known = CASES.iter().any(|(case, _)| case == name);
        ensure!(known, "no case is called `{name}`: {}", CASES.map(|(case, _)| case).join(" "));
    }
    let has = |name: &str| options.iter().any(|option| *option == name);
    let pairs = if has("--quick") { 1 } else { PAIRS };
    let bench = build(repository, pairs)?;
    let mut rows = Vec::new();
    for (name, measure) in CASES {
        if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            eprintln!("measuring {name} ...");
            rows.extend(measure(&bench).with_context(|| format!("measuring {name}"))?);
        }
    }
    let text = table::markdown(&rows);
    println!("{}", if has("--json") { table::json(&rows)? } else { text.clone() });
    if has("--write") {
        table::write(repository.root(), &text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds what is measured, as it is shipped.
fn build(repository: &Repository, pairs: usize) -> Result<Bench> {
    let packages = ["seqware", "niassa-pipeline", "niassa-metadb"];
    let built = repository
        .cargo()
        .args(["build", "--release", "--bins", "--example", "local_engine", "--example", "fill"])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .status()
        .context("cannot start cargo build")?;
    ensure!(built.success(), "the release build failed");
    let release = repository.target()?.join("release");
    let example = |name: &str| release.join("examples").join(name);
    let (engine, fill) = (example("local_engine"), example("fill"));
    Ok(Bench { seqware: release.join("seqware"), engine, fill, pairs })
}
