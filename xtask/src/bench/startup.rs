//! How long `seqware --version` takes.

use std::process::Command;

use anyhow::Result;

use super::Bench;
use super::measure::{self, median};
use super::table::Row;

const TIMES: usize = 50;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut walls = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        walls.push(measure::command(Command::new(&bench.seqware).arg("--version"))?.wall * 1_000.0);
    }
    Ok(vec![Row::at_most("`seqware --version`", median(walls), 10.0, " ms")])
}
