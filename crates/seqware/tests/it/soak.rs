//! `cargo xtask soak`: a stream of small runs for minutes, somebody killed each half minute, and the promises
//! looked at in the end; the memory of service and agents all the while.
//!
//! Service, agents and supervisor are struck with SIGKILL and started again; one agent is spared, so that the
//! memory of a long life is seen. With `--spare` nobody is struck, all lives are long, and the MetaDB is
//! PostgreSQL's where there is one: the service then keeps no pages, and a leak shows. Runs go to the local engine
//! and, where it is installed, every fifth to Slurm.

mod memory;

use std::fs;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::agent::Agent;
use crate::clusters::{chain, on_slurm};
use crate::site::{Database, Site, User, count_lines};
use crate::slurm_server::SlurmServer;
use memory::Memory;

/// How often somebody is killed, at most.
const STRIKE_EVERY: Duration = Duration::from_secs(30);
/// How often a run is scheduled.
const RUN_EVERY: Duration = Duration::from_millis(400);
/// How often memory is looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// How long the last runs may take once nobody is killed any more.
const LAST_RUNS: Duration = Duration::from_mins(3);
/// Of so many runs one goes to the cluster.
const ON_CLUSTER: usize = 5;
/// KiB that the service keeps of SQLite's pages at most: 8,000 for each of its five connections.
const SQLITE_PAGES: f64 = 40_000.0;
/// Steps of a run.
const STEPS: usize = 3;

/// Whom a strike may meet.
const VICTIMS: [Victim; 3] = [Victim::Service, Victim::Agent, Victim::Supervisor];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Service,
    Agent,
    Supervisor,
}

/// Whether anybody is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strikes {
    NowAndThen,
    Never,
}

/// A site under way.
struct Soak {
    site: Site,
    bob: User,
    on_cluster: Option<User>,
    workflow: i64,
    /// Struck from time to time.
    agents: Vec<Agent>,
    /// Spared.
    witness: Agent,
    runs: Vec<i64>,
    cluster_runs: usize,
    strikes: [usize; VICTIMS.len()],
    service_memory: Memory,
    agent_memory: Memory,
    /// Of the first of those that may be struck.
    busy_agent_memory: Memory,
    supervisor_memory: Memory,
}

#[test]
#[ignore = "cargo xtask soak plays it"]
fn soak() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("NIASSA_SOAK_SECONDS").unwrap_or(60);
    let seed = number("NIASSA_SEED").unwrap_or_else(rand::random);
    let strikes = match std::env::var_os("NIASSA_SOAK_SPARE") {
        Some(_) => Strikes::Never,
        None => Strikes::NowAndThen,
    };
    eprintln!("seed {seed}, {seconds} seconds");
    let mut soak = Soak::start(strikes);
    soak.go_on(Duration::from_secs(seconds), strikes, &mut StdRng::seed_from_u64(seed));
    let unfinished = soak.finish();
    let told = soak.told(seed, seconds, &unfinished);
    eprintln!("{told:#}");
    if let Ok(file) = std::env::var("NIASSA_SOAK_RESULTS") {
        fs::write(file, told.to_string()).unwrap();
    }
    assert_eq!(told["doubled"], 0, "steps that started twice");
    assert_eq!(told["never_started"], 0, "steps that never started");
    assert_eq!(unfinished, [], "runs that did not complete");
    for who in ["service_memory", "agent_memory", "busy_agent_memory", "supervisor_memory"] {
        assert_ne!(told[who]["is_flat"], false, "{who} grows: {:#}", told[who]);
    }
}

impl Soak {
    fn start(strikes: Strikes) -> Self {
        let postgres = match strikes {
            Strikes::Never => Site::start_on(Database::Postgres),
            Strikes::NowAndThen => None,
        };
        let cache = if postgres.is_some() { 0.0 } else { SQLITE_PAGES };
        let site = postgres.unwrap_or_else(Site::start);
        let bob = site.account("bob@lab.net");
        let on_cluster = SlurmServer::shared().map(|slurm| on_slurm(&bob, slurm));
        let note = format!("echo \"$NIASSA_KEY\" >> '{}'", site.path("starts").display());
        let commands = [note.as_str(); STEPS];
        let workflow = bob.install(&site.bundle("small", &chain("Small", &commands)));
        let agents = (0..2).map(|_| Agent::start(&bob)).collect();
        let witness = Agent::serve(on_cluster.as_ref().unwrap_or(&bob), "there");
        Self {
            site,
            bob,
            on_cluster,
            workflow,
            agents,
            witness,
            runs: Vec::new(),
            cluster_runs: 0,
            strikes: [0; VICTIMS.len()],
            service_memory: Memory::with_cache(cache),
            agent_memory: Memory::default(),
            busy_agent_memory: Memory::default(),
            supervisor_memory: Memory::default(),
        }
    }

    fn go_on(&mut self, time: Duration, strikes: Strikes, chance: &mut StdRng) {
        let begun = Instant::now();
        let mut strike_at = begun + STRIKE_EVERY;
        let (mut run_at, mut sample_at) = (begun, begun);
        while begun.elapsed() < time {
            let now = Instant::now();
            if now >= run_at {
                self.schedule();
                run_at = now + RUN_EVERY;
            }
            if now >= sample_at {
                self.sample();
                sample_at = now + SAMPLE_EVERY;
            }
            if strikes == Strikes::NowAndThen && now >= strike_at {
                self.strike(chance);
                strike_at = now + STRIKE_EVERY.mul_f64(chance.random_range(0.5..1.0));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn schedule(&mut self) {
        let to_cluster = self.on_cluster.is_some() && self.runs.len().is_multiple_of(ON_CLUSTER);
        self.cluster_runs += usize::from(to_cluster);
        let host = if to_cluster { "there" } else { "here" };
        self.runs.push(self.bob.schedule(self.workflow, host, &[]));
    }

    fn strike(&mut self, chance: &mut StdRng) {
        let which = chance.random_range(0..VICTIMS.len());
        match VICTIMS[which] {
            Victim::Service => {
                self.site.kill_service();
                self.site.serve();
            }
            Victim::Agent => {
                let one = chance.random_range(0..self.agents.len());
                // Dropping one kills it.
                self.agents[one] = Agent::start(&self.bob);
            }
            Victim::Supervisor => {
                self.site.kill(" supervise");
            }
        }
        self.strikes[which] += 1;
        eprintln!("{:?} was killed, {} runs so far", VICTIMS[which], self.runs.len());
    }

    fn sample(&mut self) {
        if let Some(service) = self.site.service_pid() {
            self.service_memory.look_at(service);
        }
        self.agent_memory.look_at(self.witness.pid());
        self.busy_agent_memory.look_at(self.agents[0].pid());
        if let Some(supervisor) = self.site.pid_of(" supervise") {
            self.supervisor_memory.look_at(supervisor);
        }
    }

    /// Waits for the last runs; returns those that did not complete, with their status.
    fn finish(&self) -> Vec<(i64, String)> {
        let begun = Instant::now();
        let mut left = self.runs.clone();
        loop {
            let statuses = left.iter().map(|run| (*run, self.bob.status(*run)));
            let open: Vec<(i64, String)> =
                statuses.filter(|(_, status)| status != "completed").collect();
            if open.is_empty() || begun.elapsed() > LAST_RUNS {
                return open;
            }
            left = open.into_iter().map(|(run, _)| run).collect();
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn told(&self, seed: u64, seconds: u64, unfinished: &[(i64, String)]) -> serde_json::Value {
        let starts = count_lines(&self.site.path("starts"));
        let doubled = starts.values().filter(|times| **times > 1).count();
        let further = starts.keys().filter(|key| !key.ends_with("-a1")).count();
        let expected = self.runs.len() * STEPS;
        let strikes = VICTIMS.iter().zip(self.strikes);
        let strikes: serde_json::Map<String, serde_json::Value> =
            strikes.map(|(victim, times)| (format!("{victim:?}"), json!(times))).collect();
        json!({
            "seed": seed,
            "seconds": seconds,
            "runs": self.runs.len(),
            "on_slurm": self.cluster_runs,
            "steps_started": starts.len(),
            "doubled": doubled,
            "further_attempts": further,
            "never_started": expected.saturating_sub(starts.len() - further),
            "unfinished": unfinished,
            "strikes": strikes,
            "service_memory": self.service_memory.told(),
            "agent_memory": self.agent_memory.told(),
            "busy_agent_memory": self.busy_agent_memory.told(),
            "supervisor_memory": self.supervisor_memory.told(),
        })
    }
}
