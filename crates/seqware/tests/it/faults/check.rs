//! What is looked at after a cell: nothing doubled, nothing lost, nothing stuck, no status that lies.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cell::{Cell, Engine, Victim};
use super::scene::{LAUNCH, PROPAGATE, Scene};
use crate::site::count_lines;

/// How long ordinary ticks go on after a strike, at most.
const CEILING: Duration = Duration::from_mins(1);

/// The same after a crash of Grid Engine's master: it learns of jobs that ended meanwhile only when it
/// has asked for them several times.
const CEILING_OF_SGE: Duration = Duration::from_mins(3);

/// Steps of each run.
const STEPS: [&str; 4] = ["s0", "s1", "s2", "s3"];

/// The step that fails at first where a retry is asked for.
const FAILS_FIRST: &str = "s1";

/// Everything that was found wrong.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Findings {
    /// User code of one attempt that started more than once.
    pub doubled: Vec<String>,
    /// Accepted runs that did not come to what they could.
    pub lost: Vec<String>,
    /// What would need a person.
    pub stuck: Vec<String>,
    /// Statuses and records that are not as they should be, and strikes that missed.
    pub wrong: Vec<String>,
}

impl Findings {
    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("doubled", &self.doubled),
            ("lost", &self.lost),
            ("stuck", &self.stuck),
            ("wrong", &self.wrong),
        ];
        let of_part = |(word, found): &(&str, &Vec<String>)| {
            found.iter().map(|one| format!("{word}: {one}")).collect::<Vec<_>>()
        };
        formatter.write_str(&parts.iter().flat_map(of_part).collect::<Vec<_>>().join("; "))
    }
}

/// Lets ordinary ticks go on until everything is quiet; returns what is not when the time is over.
pub fn until_quiet(cell: &Cell, scene: &Scene) -> Vec<String> {
    let ceiling = match (cell.engine, cell.victim) {
        (Engine::Sge, Victim::Controller) => CEILING_OF_SGE,
        _ => CEILING,
    };
    let begun = Instant::now();
    loop {
        scene.tick(&LAUNCH);
        scene.tick(&PROPAGATE);
        let unquiet = unquiet(scene);
        if unquiet.is_empty() || begun.elapsed() > ceiling {
            return unquiet;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Says what still goes on: active runs, live jobs, processes of steps and ticks.
fn unquiet(scene: &Scene) -> Vec<String> {
    let active = scene.bob.seqware(&["workflow-run", "report", "--active", "--json"]);
    let runs = match active.code {
        0 => active.json().as_array().cloned().unwrap_or_default(),
        _ => return vec![format!("no report: {}", active.stderr.trim())],
    };
    let mut unquiet: Vec<String> = runs.iter().map(describe).collect();
    if !unquiet.is_empty() {
        return unquiet;
    }
    if let Some(cluster) = &scene.cluster {
        let jobs = cluster.live_jobs(&scene.site.work_dir()).into_iter();
        unquiet.extend(jobs.map(|job| format!("job {job}")));
    }
    let stays = [" serve ", " supervise ", " guard "];
    let processes = scene.site.processes().into_iter();
    let others = processes.filter(|(_, line)| !stays.iter().any(|word| line.contains(word)));
    unquiet.extend(others.map(|(pid, line)| format!("process {pid} {line}")));
    unquiet
}

fn describe(run: &Value) -> String {
    let word = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
    let [status, note] = [word("workflow_run_status"), word("workflow_run_note")];
    format!("run {} is {status} {note}", run["workflow_run_swid"])
}

/// Looks at everything once it is quiet, or the time is over.
pub fn check(cell: &Cell, scene: &Scene, unquiet: Vec<String>) -> Findings {
    let mut findings = Findings { stuck: unquiet, ..Findings::default() };
    let starts = count_lines(&scene.starts());
    for (key, count) in starts.iter().filter(|(_, count)| **count > 1) {
        findings.doubled.push(format!("{key} started {count} times"));
    }
    for run in &scene.runs {
        check_run(cell, scene, *run, &starts, &mut findings);
    }
    let known = |key: &String| scene.runs.iter().any(|run| key.starts_with(&format!("nia-{run}-")));
    let strange = starts.keys().filter(|key| !known(key));
    findings.wrong.extend(strange.map(|key| format!("{key} is of no run")));
    findings
}

fn check_run(
    cell: &Cell,
    scene: &Scene,
    run: i64,
    starts: &BTreeMap<String, usize>,
    findings: &mut Findings,
) {
    let number = run.to_string();
    let explained =
        scene.bob.seqware(&["workflow-run", "explain", "--accession", &number, "--json"]);
    if explained.code != 0 {
        findings.lost.push(format!("run {run} cannot be explained: {}", explained.stderr.trim()));
        return;
    }
    let explained = explained.json();
    let status = explained["run"]["status"].as_str().unwrap_or("without a status");
    let wanted = if cell.victim == Victim::Canceller { "cancelled" } else { "completed" };
    let is_active = !["completed", "failed", "cancelled"].contains(&status);
    if status != wanted && !is_active {
        let why = explained["steps"].to_string();
        findings.lost.push(format!("run {run} is {status}, not {wanted}: {why}"));
    }
    findings.wrong.extend(illegal_moves(run, status, &explained["events"]));
    let attempts = |step: &str| {
        let of_step = |key: &&String| {
            key.starts_with(&format!("nia-{run}-")) && key.contains(&format!("-{step}-a"))
        };
        starts.keys().filter(of_step).collect::<Vec<_>>()
    };
    if wanted == "cancelled" {
        let behind = attempts("s3");
        findings.wrong.extend(behind.iter().map(|key| format!("{key} started after the cancel")));
        return;
    }
    if status != "completed" {
        return;
    }
    for step in STEPS {
        let keys = attempts(step);
        if keys.is_empty() {
            findings.lost.push(format!("run {run}: {step} never started"));
        }
        let is_retried = cell.victim == Victim::Retrier && step == FAILS_FIRST;
        let wanted = if is_retried { 2 } else { 1 };
        if keys.len() > wanted && !cell.repeats() {
            findings
                .wrong
                .push(format!("run {run}: {step} was repeated without a reason: {keys:?}"));
        }
    }
    let recorded = scene.bob.report(run).to_string().matches("both.txt").count();
    if recorded != 1 {
        findings.wrong.push(format!("run {run}: its output is recorded {recorded} times"));
    }
}

/// Every status follows from the one before by one event, the last one is what is told.
fn illegal_moves(run: i64, status: &str, events: &Value) -> Vec<String> {
    const LEGAL: [(&str, &[&str]); 8] = [
        (
            "submitted",
            &["pending", "running", "completed", "failed", "submitted_cancel", "cancelled"],
        ),
        ("submitted_retry", &["pending", "running", "completed", "failed", "submitted_cancel"]),
        ("pending", &["running", "completed", "failed", "submitted_cancel"]),
        ("running", &["completed", "failed", "submitted_cancel"]),
        ("submitted_cancel", &["completed", "failed", "cancelled"]),
        ("failed", &["submitted_retry"]),
        ("cancelled", &["submitted_retry"]),
        ("completed", &[]),
    ];
    let mut illegal = Vec::new();
    let mut now = "submitted";
    for event in events.as_array().into_iter().flatten() {
        let (Some(from), Some(to)) = (event["from"].as_str(), event["to"].as_str()) else {
            continue;
        };
        let follows =
            LEGAL.iter().find(|(word, _)| *word == from).map_or(&[][..], |(_, next)| next);
        if from != now || (from != to && !follows.contains(&to)) {
            illegal.push(format!("run {run} went from {from} to {to} when it was {now}"));
        }
        now = to;
    }
    if now != status {
        illegal.push(format!("run {run} is told as {status}, its log ends with {now}"));
    }
    illegal
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_that_jumps_is_found() {
        let step = |from: &str, to: &str| json!({ "from": from, "to": to });
        let good = json!([step("submitted", "pending"), step("pending", "completed")]);
        assert!(illegal_moves(1, "completed", &good).is_empty());
        let back = json!([step("submitted", "running"), step("running", "pending")]);
        assert_eq!(illegal_moves(1, "pending", &back).len(), 1);
        assert_eq!(illegal_moves(1, "failed", &good).len(), 1);
        let torn = json!([step("submitted", "pending"), step("running", "completed")]);
        assert_eq!(illegal_moves(1, "completed", &torn).len(), 1);
    }
}
