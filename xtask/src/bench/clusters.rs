//! Handing runs to Slurm, against `xargs -P8 sbatch` with the same jobs and dependencies; and one tick over
//! many active steps.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Bench;
use super::measure::{self, Took};
use super::pairs::Pairs;
use super::site::Site;
use super::slurm::Slurm;
use super::table::Row;

/// Runs and steps of the submission case.
const CHAINS: usize = 100;
const LENGTH: usize = 5;

/// Runs and steps of the observation case.
const RUNS: usize = 1_000;
const STEPS: usize = 10;

/// Measures submission and observation; nothing where Slurm is not installed.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let Some(slurm) = Slurm::start()? else {
        return Ok(vec![Row::beside("clusters", "skipped: Slurm is not installed")]);
    };
    let mut rows = submission(bench, &slurm, &Site::start(&bench.seqware)?)?;
    slurm.clear()?;
    // The runs before are still active there: their jobs were taken away.
    rows.extend(one_tick(&slurm, &Site::start(&bench.seqware)?)?);
    Ok(rows)
}

fn submission(bench: &Bench, slurm: &Slurm, site: &Site) -> Result<Vec<Row>> {
    let chain = site.install("chain", &chain())?;
    let launched = || -> Result<Took> {
        slurm.clear()?;
        for _ in 0..CHAINS {
            schedule(site, chain)?;
        }
        let took = measure::command(&mut on_slurm(
            site,
            slurm,
            &["workflow-run", "launch-scheduled", "--host", "h"],
        ))?;
        let jobs = slurm.tell("squeue", &["-h", "-t", "pending", "-o", "%i"])?.lines().count();
        ensure!(jobs == CHAINS * LENGTH, "{jobs} jobs are in the queue");
        Ok(took)
    };
    let reference = || -> Result<Took> {
        slurm.clear()?;
        measure::command(&mut by_hand(slurm))
    };
    let pairs = Pairs::measure(bench, launched, reference)?;
    Ok(pairs.rows("Slurm, 100 runs of 5 chained steps", "`xargs -P8 sbatch`", 1.0 / 0.9))
}

/// The same jobs with the same dependencies, by eight shells at a time.
fn by_hand(slurm: &Slurm) -> Command {
    let script = format!(
        "seq {CHAINS} | xargs -P8 -n1 bash -c '
            before=
            for step in $(seq {LENGTH}); do
                hold=--hold; [ -z \"$before\" ] || hold=--dependency=afterok:$before
                before=$(sbatch --parsable --job-name=nia-$1-s$step --comment=nia-$1-s$step \
                    --no-requeue --open-mode=append --kill-on-invalid-dep=yes \
                    --chdir=/tmp --output=/dev/null $hold --wrap true)
            done' chain"
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).env("SLURM_CONF", slurm.configuration());
    command
}

/// One `propagate-statuses` over runs whose steps all wait in the queue, told and untold.
fn one_tick(slurm: &Slurm, site: &Site) -> Result<Vec<Row>> {
    let wide = site.install("ten", &ten())?;
    for _ in 0..RUNS {
        schedule(site, wide)?;
    }
    let launch = ["workflow-run", "launch-scheduled", "--host", "h", "--json"];
    let launched = measure::command(&mut on_slurm(site, slurm, &launch))?;
    let tick = ["workflow-run", "propagate-statuses", "--threads", "10", "--json"];
    let output = on_slurm(site, slurm, &tick).output().context("start a tick")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).context("read a tick's answer")?;
    let active = told["active"].as_u64().unwrap_or_default();
    ensure!(active == RUNS as u64, "{active} runs are active: {told}");
    let calls = told["scheduler_calls"].as_f64().context("no scheduler_calls")?;
    let mut command = on_slurm(site, slurm, &tick);
    command.stdout(std::process::Stdio::null());
    let (wall, peak) = measure::alone(&mut command)?;
    Ok(vec![
        Row::beside(
            "Slurm, 1,000 runs of 10 steps, launched in",
            format!("{:.1} s", launched.wall),
        ),
        Row::at_most("Slurm, a tick over 10,000 active steps, wall", wall, 2.0, " s"),
        Row::at_most("Slurm, a tick over 10,000 active steps, memory", peak, 100.0, " MB"),
        Row::at_most("Slurm, a tick over 10,000 active steps, scheduler calls", calls, 3.0, ""),
    ])
}

fn on_slurm(site: &Site, slurm: &Slurm, arguments: &[&str]) -> Command {
    let mut command = site.seqware(arguments);
    command.env("SLURM_CONF", slurm.configuration()).env("SW_DEFAULT_WORKFLOW_ENGINE", "slurm");
    command
}

fn schedule(site: &Site, workflow: i64) -> Result<()> {
    let accession = workflow.to_string();
    site.swid(&["workflow", "schedule", "--accession", &accession, "--host", "h"]).map(drop)
}

fn chain() -> String {
    let mut text = manifest("ClusterChain");
    for step in 0..LENGTH {
        text.push_str(&format!("  - name: s{step}\n    command: \"true\"\n"));
        if step > 0 {
            text.push_str(&format!("    needs: [s{}]\n", step - 1));
        }
    }
    text
}

fn ten() -> String {
    let mut text = manifest("ClusterTen");
    for step in 0..STEPS {
        text.push_str(&format!("  - name: s{step}\n    command: \"true\"\n"));
    }
    text
}

fn manifest(name: &str) -> String {
    format!("niassa: 1\nname: {name}\nversion: \"1\"\ndescription: For measuring\nsteps:\n")
}
