//! Planning a run of 100,000 steps: seconds and memory.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::Bench;
use super::measure::{self, median};
use super::table::Row;

const STEPS: usize = 100_000;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let manifest = "niassa: 1\nname: Wide\nversion: \"1\"\ndescription: many steps\nparameters:\n  \
        items: {type: list, items: string}\nsteps:\n  - name: a\n    foreach: {item: items}\n    \
        command: echo \"$item\"\n";
    fs::write(folder.path().join("workflow.yaml"), manifest).context("write a manifest")?;
    let items: Vec<String> = (0..STEPS).map(|item| format!("item {item}")).collect();
    let params = folder.path().join("params.json");
    let text = serde_json::to_vec(&serde_json::json!({ "items": items }))?;
    fs::write(&params, text).context("write parameters")?;
    let (mut walls, mut peaks) = (Vec::new(), Vec::new());
    for _ in 0..bench.pairs.min(3) {
        let (wall, peak) = measure::alone(
            Command::new(&bench.seqware)
                .args(["bundle", "dry-run", "--quiet", "--dir"])
                .arg(folder.path())
                .arg("--params")
                .arg(&params)
                .env("HOME", folder.path()),
        )?;
        walls.push(wall);
        peaks.push(peak);
    }
    Ok(vec![
        Row::at_most("planning 100,000 steps", median(walls), 5.0, " s"),
        Row::at_most("its peak memory", median(peaks), 500.0, " MB"),
    ])
}
