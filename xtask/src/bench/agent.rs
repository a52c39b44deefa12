//! An agent on an idle box: from a schedule to user code, and what a hundred idle agents cost the service.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::measure::{median, process_cpu, process_pss};
use super::site::Site;
use super::table::Row;

/// Schedules that are timed.
const TIMED: usize = 200;

/// Idle agents, and for how long they are looked at.
const IDLE_AGENTS: usize = 100;
const IDLE_FOR: Duration = Duration::from_secs(30);

/// No schedule takes longer.
const CEILING: Duration = Duration::from_secs(20);

/// Agents that end with this value.
struct Agents(Vec<Child>);

/// Measures latency and idle cost.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let site = Site::start(&bench.seqware)?;
    let mut rows = latency(&site)?;
    rows.extend(idle(&site)?);
    Ok(rows)
}

fn latency(site: &Site) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let started = folder.path().join("started");
    let manifest = format!(
        "niassa: 1\nname: Stamp\nversion: \"1\"\ndescription: For measuring\nsteps:\n  \
         - name: stamp\n    command: echo \"$EPOCHREALTIME\" > '{0}.new'; mv '{0}.new' '{0}'\n",
        started.display()
    );
    let workflow = site.install("stamp", &manifest)?.to_string();
    let _agents = Agents::start(site, 1)?;
    let mut took = Vec::with_capacity(TIMED);
    // The first ones warm up what a site has warm: bundle, supervisor, connections.
    for round in 0..TIMED + 5 {
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?;
        site.swid(&["workflow", "schedule", "--accession", &workflow, "--host", "h"])?;
        let at = wait_for_stamp(&started)?;
        fs::remove_file(&started).context("take the stamp away")?;
        if round >= 5 {
            took.push((at - begun.as_secs_f64()) * 1_000.0);
        }
        // Idle again: the run is told to have completed.
        thread::sleep(Duration::from_millis(150));
    }
    took.sort_by(f64::total_cmp);
    let last = took[(took.len() * 99 / 100).min(took.len() - 1)];
    Ok(vec![
        Row::at_most("agent, schedule to user code, median", median(took), 50.0, " ms"),
        Row::at_most("agent, schedule to user code, 99th percentile", last, 200.0, " ms"),
    ])
}

fn wait_for_stamp(path: &std::path::Path) -> Result<f64> {
    let begun = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(path) {
            return text.trim().parse().context("read a stamp");
        }
        ensure!(begun.elapsed() < CEILING, "the agent does not start a run");
        thread::sleep(Duration::from_millis(1));
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52")]
fn idle(site: &Site) -> Result<Vec<Row>> {
    let _agents = Agents::start(site, IDLE_AGENTS)?;
    thread::sleep(Duration::from_secs(10));
    let before = process_cpu(site.service_pid())?;
    thread::sleep(IDLE_FOR);
    let used = process_cpu(site.service_pid())? - before;
    let share = used / IDLE_FOR.as_secs_f64() * 100.0;
    let memory = process_pss(site.service_pid())? as f64 / 1_048_576.0;
    Ok(vec![
        Row::at_most("100 idle agents, the service's processor", share, 1.0, " % of a core"),
        Row::at_most("100 idle agents, the service's memory", memory, 60.0, " MB"),
    ])
}

impl Agents {
    fn start(site: &Site, count: usize) -> Result<Self> {
        let mut agents = Self(Vec::with_capacity(count));
        for _ in 0..count {
            let mut command = site.seqware(&["agent", "--host", "h"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            agents.0.push(command.spawn().context("start an agent")?);
        }
        thread::sleep(Duration::from_secs(2));
        Ok(agents)
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        for agent in &mut self.0 {
            let _ended = agent.kill();
            let _reaped = agent.wait();
        }
    }
}
