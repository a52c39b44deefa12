//! The local engine alone, without service, launcher and MetaDB, against make.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::measure::{Took, median};
use super::pairs::Pairs;
use super::reference;
use super::table::Row;

const INDEPENDENT: usize = 1_000;
const CHAINS: usize = 200;
const LENGTH: usize = 3;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let folder = folder.path();
    let wide = Pairs::measure(
        bench,
        || once(bench, folder, INDEPENDENT, 1),
        || reference::independent(folder, INDEPENDENT),
    )?;
    let chains = Pairs::measure(
        bench,
        || once(bench, folder, CHAINS, LENGTH),
        || reference::chains(folder, CHAINS, LENGTH),
    )?;
    let alike = Pairs::measure(
        bench,
        || once(bench, folder, CHAINS, LENGTH),
        || reference::make_per_chain(folder, CHAINS, LENGTH),
    )?;
    let mut rows = judged(&wide, "engine alone, 1,000 independent steps", 1.25);
    rows.extend(judged(&chains, "engine alone, 200 runs of 3 chained steps", 1.35));
    rows.extend(alike.rows("the same, to a make per run", "make", 1.0));
    Ok(rows)
}

/// Judges processor time as well: nothing but the engine is measured here.
fn judged(pairs: &Pairs, what: &str, goal: f64) -> Vec<Row> {
    let mut rows = pairs.rows(what, "make", goal);
    let ratio = median(pairs.cpu_ratios());
    rows.push(Row::at_most(format!("{what}: processor time, to make"), ratio, 1.25, " times"));
    rows
}

/// Runs `chains` chains of `length` steps in a folder of their own below `parent`. It stays there:
/// ext4 searches long for inodes that were not deleted a moment ago.
fn once(bench: &Bench, parent: &Path, chains: usize, length: usize) -> Result<Took> {
    let folder = tempfile::tempdir_in(parent).context("make a folder")?.keep();
    run(&bench.engine, &folder, chains, length)
}

fn run(engine: &Path, folder: &Path, chains: usize, length: usize) -> Result<Took> {
    let output = Command::new(engine)
        .arg(folder)
        .args([chains.to_string(), length.to_string()])
        .output()
        .context("start the engine")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the engine ended with {}: {complaint}", output.status);
    let measured: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("read what the engine measured")?;
    let number = |name: &str| measured[name].as_f64().with_context(|| format!("no `{name}`"));
    Ok(Took { wall: number("wall")?, cpu: number("cpu")? })
}
