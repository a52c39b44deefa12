//! What the service and the supervisor hold while nothing is to be done.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::measure::{self, process_pss};
use super::site::Site;
use super::table::Row;

const MEGABYTE: f64 = 1_048_576.0;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let site = Site::start(&bench.seqware)?;
    let workflow = site.install(
        "one",
        "niassa: 1\nname: One\nversion: \"1\"\ndescription: one step\nsteps:\n  - {name: a, command: 'true'}\n",
    )?;
    site.swid(&["workflow", "schedule", "--accession", &workflow.to_string(), "--host", "h"])?;
    measure::command(&mut site.seqware(&["workflow-run", "launch-scheduled", "--host", "h"]))?;
    measure::command(&mut site.seqware(&["workflow-run", "propagate-statuses", "--until-done"]))?;
    // Idle is what is left once the last request is forgotten.
    std::thread::sleep(Duration::from_secs(3));
    let service = megabytes(process_pss(site.service_pid())?);
    let pids = site.engine_pids();
    ensure!(!pids.is_empty(), "no supervisor is there");
    let engine: u64 = pids.iter().map(|pid| process_pss(*pid)).sum::<Result<u64>>()?;
    let most = pids.iter().map(|pid| process_pss(*pid)).collect::<Result<Vec<_>>>()?;
    let most = most.into_iter().max().context("no supervisor is there")?;
    Ok(vec![
        Row::at_most("idle service, PSS", service, 30.0, " MB"),
        Row::at_most("idle supervisor, PSS", megabytes(most), 15.0, " MB"),
        Row::beside("supervisor and guardian together", format!("{:.1} MB", megabytes(engine))),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MEGABYTE
}
