//! The agent: launches and propagates without cron, and loses nothing when it is stopped or cut off.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::clusters::{chain, on_slurm};
use crate::proxy::{Proxy, Way};
use crate::site::{CEILING, Site, User, count_lines, wait_for};
use crate::slurm_server::SlurmServer;

/// An agent that ends with its value.
pub struct Agent {
    child: Child,
}

impl Agent {
    /// Starts an agent of somebody's, whose log is `agent.log` in the home.
    pub fn start(user: &User) -> Self {
        Self::serve(user, "here")
    }

    /// Starts an agent for another label.
    pub fn serve(user: &User, label: &str) -> Self {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(user.home().join("agent.log"))
            .unwrap();
        let mut command = user.command();
        command.args(["agent", "--host", label]).stdin(Stdio::null()).stdout(Stdio::null());
        Self { child: command.stderr(log).spawn().unwrap() }
    }

    /// Returns its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn ends(mut self, within: Duration) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < within {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the agent does not end");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Returns what the agents of somebody said.
pub fn log(user: &User) -> String {
    fs::read_to_string(user.home().join("agent.log")).unwrap_or_default()
}

/// Waits until a run has a status.
pub fn until(user: &User, run: i64, status: &str) {
    wait_for(&format!("run {run} is {status}"), || user.status(run) == status);
}

#[test]
fn an_agent_does_what_is_asked_as_soon_as_it_is_asked() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let gate = site.path("gate");
    let wait = format!("until test -e '{}'; do sleep 0.05; done", gate.display());
    let quick = bob.install(&site.bundle("quick", &chain("Quick", &["true", "true"])));
    let gated = bob.install(&site.bundle("gated", &chain("Gated", &[&wait])));
    let _agent = Agent::start(&bob);
    wait_for("the agent works", || log(&bob).contains("serves this label"));
    let first = bob.schedule(quick, "here", &[]);
    until(&bob, first, "completed");
    let second = bob.schedule(gated, "here", &[]);
    until(&bob, second, "running");
    bob.seqware(&["workflow-run", "cancel", "--accession", &second.to_string()]).ok();
    until(&bob, second, "cancelled");
    fs::write(&gate, "").unwrap();
    bob.seqware(&["workflow-run", "retry", "--accession", &second.to_string()]).ok();
    until(&bob, second, "completed");
    let elsewhere = bob.schedule(quick, "elsewhere", &[]);
    assert_eq!(bob.status(elsewhere), "submitted", "it serves its own label only");
}

#[test]
fn an_agent_survives_its_service_and_several_may_run() {
    let mut site = Site::start();
    let bob = site.account("bob@lab.net");
    let starts = site.path("starts");
    let command = format!("echo $WORKFLOW_RUN_ACCESSION >> '{}'", starts.display());
    let workflow = bob.install(&site.bundle("one", &chain("One", &[&command])));
    let _agents = [(); 3].map(|()| Agent::start(&bob));
    wait_for("three agents work", || log(&bob).matches("serves this label").count() == 3);
    site.kill_service();
    std::thread::sleep(Duration::from_millis(300));
    site.serve();
    let runs = [(); 5].map(|()| bob.schedule(workflow, "here", &[]));
    for run in runs {
        until(&bob, run, "completed");
    }
    let starts = count_lines(&starts);
    assert_eq!(starts, runs.iter().map(|run| (run.to_string(), 1)).collect());
}

#[test]
fn an_agent_that_is_stopped_leaves_its_steps_alone() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let gate = site.path("gate");
    let wait = format!("until test -e '{}'; do sleep 0.05; done", gate.display());
    let gated = bob.install(&site.bundle("gated", &chain("Gated", &[&wait, "true"])));
    let agent = Agent::start(&bob);
    let run = bob.schedule(gated, "here", &[]);
    until(&bob, run, "running");
    agent.signal(Signal::TERM);
    assert_eq!(agent.ends(Duration::from_secs(10)), Some(0));
    fs::write(&gate, "").unwrap();
    let _another = Agent::start(&bob);
    until(&bob, run, "completed");
}

#[test]
fn an_agent_finishes_its_turn_when_it_is_stopped_and_does_not_when_it_is_told_again() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let starts = site.path("starts");
    let command = format!("echo $WORKFLOW_RUN_ACCESSION >> '{}'", starts.display());
    let workflow = bob.install(&site.bundle("one", &chain("One", &[&command])));
    let first = bob.schedule(workflow, "here", &[]);
    let proxy = Proxy::before(&site, Way::Slow(Duration::from_secs(20)));
    let said = |words: &str| log(&bob).matches(words).count();
    let in_a_turn = |agents: usize| {
        let agent = Agent::start(&proxy.user(&bob));
        wait_for("the agent is at work", || said("serves this label") == agents);
        agent.signal(Signal::TERM);
        wait_for("it drains", || said("the agent ends after this turn") == agents);
        agent
    };
    let agent = in_a_turn(1);
    agent.signal(Signal::TERM);
    assert_eq!(agent.ends(Duration::from_secs(5)), Some(130), "{}", log(&bob));
    assert_eq!(bob.status(first), "submitted");

    // The first run may still be held for the agent that was broken off.
    let second = bob.schedule(workflow, "here", &[]);
    proxy.set(Way::Slow(Duration::from_millis(200)));
    assert_eq!(in_a_turn(2).ends(CEILING), Some(0));
    assert_ne!(bob.status(second), "submitted", "the turn was finished");
    wait_for("both runs completed", || {
        bob.seqware(&["agent", "--once", "--host", "here"]).ok();
        [first, second].iter().all(|run| bob.status(*run) == "completed")
    });
    let once = [first, second].map(|run| (run.to_string(), 1));
    assert_eq!(count_lines(&starts), once.into_iter().collect());
}

#[test]
fn one_tick_of_an_agent_is_both_commands_of_cron() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = bob.install(&site.bundle("one", &chain("One", &["true"])));
    let run = bob.schedule(workflow, "here", &[]);
    wait_for("the run completed", || {
        let ticked = bob.seqware(&["agent", "--once", "--host", "here"]).ok();
        assert_eq!((ticked.stdout.as_str(), ticked.stderr.as_str()), ("", ""));
        bob.status(run) == "completed"
    });
}

#[test]
fn systemd_hears_that_an_agent_is_ready_alive_and_stopping() {
    let site = Site::start();
    let path = site.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(CEILING)).unwrap();
    let bob = site.account("bob@lab.net").with([
        ("NOTIFY_SOCKET", path.display().to_string()),
        ("WATCHDOG_USEC", "400000".to_owned()),
    ]);
    let agent = Agent::start(&bob);
    let hear = || {
        let mut bytes = [0; 100];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    assert_eq!(hear(), "READY=1");
    assert_eq!(hear(), "WATCHDOG=1");
    agent.signal(Signal::TERM);
    wait_for("it says that it stops", || hear() == "STOPPING=1");
    assert_eq!(agent.ends(CEILING), Some(0));
}

#[test]
fn an_agent_serves_a_cluster() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let workflow = bob.install(&site.bundle("two", &chain("Two", &["true", "true"])));
    let _agent = Agent::start(&bob);
    let run = bob.schedule(workflow, "here", &[]);
    until(&bob, run, "completed");
}

/// Microseconds from the result of a run's one step to the word that the run completed.
fn told_after(user: &User, run: i64) -> i64 {
    let followed = ["workflow-run", "watch", "--accession", &run.to_string(), "--json"];
    let followed = user.seqware(&followed).ok().json();
    let completed = followed["run"]["updated_at"].as_i64().unwrap();
    let directory = user.report(run)["workflow_run_working_dir"].as_str().unwrap().to_owned();
    let exit = format!("{directory}/steps/0/0-s0/attempt-1/exit.json");
    let ended = fs::metadata(exit).unwrap().modified().unwrap();
    let ended = ended.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    completed - i64::try_from(ended).unwrap()
}

#[test]
fn the_end_of_a_step_on_a_cluster_is_told_before_the_next_look() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let workflow = bob.install(&site.bundle("one", &chain("One", &["sleep 0.5"])));
    let _agent = Agent::start(&bob);
    let runs = [(); 5].map(|()| bob.schedule(workflow, "here", &[]));
    let mut took = runs.map(|run| {
        until(&bob, run, "completed");
        told_after(&bob, run) / 1_000
    });
    took.sort_unstable();
    eprintln!("milliseconds from a step's result to its word: {took:?}");
    // Without its mark an end waits half a second for the next look, on an average.
    assert!(took[1] < 400, "{took:?}");
    let marks = fs::read_dir(site.work_dir().join(".seqware")).unwrap().flatten();
    let marks = marks.filter(|entry| entry.file_name().to_string_lossy().starts_with("ended-"));
    let left: usize = marks.map(|entry| fs::read_dir(entry.path()).unwrap().count()).sum();
    // The last one may have come after the word that the run completed.
    assert!(left <= 1, "marks do not pile up: {left}");
}
