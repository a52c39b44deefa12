//! Handing runs to a scheduler, against `xargs -P8` with its own program and the same jobs and dependencies; and
//! one tick over many active steps.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Bench;
use super::grid_engine::GridEngine;
use super::measure::{self, Took};
use super::pairs::Pairs;
use super::site::Site;
use super::slurm::Slurm;
use super::table::Row;

/// Runs and steps of the submission case.
const CHAINS: usize = 100;
const LENGTH: usize = 5;

/// Elements of the array case: more make several arrays.
const ELEMENTS: u32 = 1_000;

/// Runs and steps of the observation case.
const RUNS: usize = 1_000;
const STEPS: usize = 10;

/// A scheduler of which no job is let go.
pub(super) trait Queue {
    /// What people call it.
    const NAME: &str;
    /// What `seqware` calls it.
    const ENGINE: &str;
    /// What handing over is measured against.
    const REFERENCE: &str;

    /// Variables by which its programs find it.
    fn environment(&self) -> Vec<(OsString, OsString)>;

    /// Takes every job away.
    fn clear(&self) -> Result<()>;

    /// Returns how many jobs wait.
    fn waiting(&self) -> Result<usize>;

    /// Shell text that hands over a step of the chain `$1`, behind the job `$before` where there is one, and
    /// leaves its own number there.
    fn by_hand(&self, step: &str) -> String;
}

/// Measures submission and observation; nothing where a scheduler is not installed.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    match Slurm::start()? {
        Some(slurm) => {
            rows.extend(submission(bench, &slurm, &Site::start(&bench.seqware)?)?);
            rows.extend(an_array(&slurm, &Site::start(&bench.seqware)?)?);
            slurm.clear()?;
            // The runs before are still active there: their jobs were taken away.
            rows.extend(one_tick(&slurm, &Site::start(&bench.seqware)?)?);
        }
        None => rows.push(Row::beside("clusters", "skipped: Slurm is not installed")),
    }
    match GridEngine::start()? {
        Some(engine) => rows.extend(submission(bench, &engine, &Site::start(&bench.seqware)?)?),
        None => rows.push(Row::beside("clusters", "skipped: Grid Engine is not installed")),
    }
    Ok(rows)
}

fn submission<Q: Queue>(bench: &Bench, queue: &Q, site: &Site) -> Result<Vec<Row>> {
    let chain = site.install("chain", &chain())?;
    let launched = || -> Result<Took> {
        queue.clear()?;
        for _ in 0..CHAINS {
            schedule(site, chain)?;
        }
        let launch = ["workflow-run", "launch-scheduled", "--host", "h"];
        let took = measure::command(&mut on_queue(site, queue, &launch))?;
        let jobs = queue.waiting()?;
        ensure!(jobs == CHAINS * LENGTH, "{jobs} jobs are in the queue");
        Ok(took)
    };
    let reference = || -> Result<Took> {
        queue.clear()?;
        measure::command(&mut by_hand(queue))
    };
    let pairs = Pairs::measure(bench, launched, reference)?;
    let what = format!("{}, {CHAINS} runs of {LENGTH} chained steps", Q::NAME);
    Ok(pairs.rows(&what, Q::REFERENCE, 1.0 / 0.9))
}

/// The same jobs with the same dependencies, by eight shells at a time.
fn by_hand(queue: &impl Queue) -> Command {
    let step = queue.by_hand("$step");
    let script = format!(
        "seq {CHAINS} | xargs -P8 -n1 bash -c '
            before=
            for step in $(seq {LENGTH}); do
                {step}
            done' chain"
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).envs(queue.environment());
    command
}

/// One run of many elements: they go as arrays.
fn an_array(slurm: &Slurm, site: &Site) -> Result<Vec<Row>> {
    slurm.clear()?;
    let wide = site.install("wide", &wide())?;
    schedule(site, wide)?;
    let launch = ["workflow-run", "launch-scheduled", "--host", "h"];
    let took = measure::command(&mut on_queue(site, slurm, &launch))?;
    let rate = f64::from(ELEMENTS) / took.wall;
    let what = format!("Slurm, one run of {ELEMENTS} elements, as an array: steps handed over");
    Ok(vec![Row::beside(&what, format!("{rate:.0} a second"))])
}

/// One `propagate-statuses` over runs whose steps all wait in the queue, told and untold.
fn one_tick(slurm: &Slurm, site: &Site) -> Result<Vec<Row>> {
    let wide = site.install("ten", &ten())?;
    for _ in 0..RUNS {
        schedule(site, wide)?;
    }
    let launch = ["workflow-run", "launch-scheduled", "--host", "h", "--json"];
    let launched = measure::command(&mut on_queue(site, slurm, &launch))?;
    let tick = ["workflow-run", "propagate-statuses", "--threads", "10", "--json"];
    let output = on_queue(site, slurm, &tick).output().context("start a tick")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).context("read a tick's answer")?;
    let active = told["active"].as_u64().unwrap_or_default();
    ensure!(active == RUNS as u64, "{active} runs are active: {told}");
    let calls = told["scheduler_calls"].as_f64().context("no scheduler_calls")?;
    let mut command = on_queue(site, slurm, &tick);
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

fn on_queue<Q: Queue>(site: &Site, queue: &Q, arguments: &[&str]) -> Command {
    let mut command = site.seqware(arguments);
    command.envs(queue.environment()).env("SW_DEFAULT_WORKFLOW_ENGINE", Q::ENGINE);
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

fn wide() -> String {
    let elements: Vec<String> = (0..ELEMENTS).map(|number| number.to_string()).collect();
    let numbers = elements.join(", ");
    let head = "niassa: 1\nname: ClusterWide\nversion: \"1\"\ndescription: For measuring\n";
    format!(
        "{head}parameters:\n  numbers: {{type: list, items: int, default: [{numbers}]}}\n\
         steps:\n  - name: each\n    foreach: {{number: numbers}}\n    command: \"true\"\n"
    )
}

fn manifest(name: &str) -> String {
    format!("niassa: 1\nname: {name}\nversion: \"1\"\ndescription: For measuring\nsteps:\n")
}
