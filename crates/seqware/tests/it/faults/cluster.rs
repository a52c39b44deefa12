//! The clusters of cells: one that all may use, or one of a cell's own that may be broken.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::cell::{Cell, Engine, Manner, Victim};
use crate::sge_server::SgeServer;
use crate::site::wait_for;
use crate::slurm_server::{SlurmServer, Tuning};

/// Grid Engine is started once: a cell that breaks it has it alone.
static SGE_IN_USE: RwLock<()> = RwLock::new(());

/// A cluster of a cell.
pub enum Cluster {
    SharedSlurm(&'static SlurmServer),
    OwnSlurm(Box<SlurmServer>),
    Sge { server: &'static SgeServer, _in_use: InUse },
}

/// How a cell has a server that it shares; given back when it is dropped.
pub enum InUse {
    Together(#[expect(dead_code, reason = "it is only held")] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code, reason = "it is only held")] RwLockWriteGuard<'static, ()>),
}

impl Cluster {
    /// Finds or starts the cluster a cell needs; `None` where it cannot be had (noted as skipped).
    pub fn of(cell: &Cell) -> Option<Self> {
        let is_broken = matches!(cell.victim, Victim::Controller | Victim::Node | Victim::Records);
        match cell.engine {
            Engine::Local => None,
            Engine::Slurm if !is_broken => SlurmServer::shared().map(Self::SharedSlurm),
            Engine::Slurm => {
                let usual = Tuning::default();
                let min_job_age = match cell.manner {
                    Manner::Purge => 2,
                    _ => usual.min_job_age,
                };
                let own = SlurmServer::own_with(Tuning { min_job_age, ..usual })?;
                Some(Self::OwnSlurm(Box::new(own)))
            }
            Engine::Sge => {
                let server = SgeServer::shared()?;
                Some(Self::Sge { server, _in_use: InUse::of_sge(is_broken) })
            }
        }
    }

    /// Returns what clients need to find it, PATH left out.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let (all, prefix) = match self {
            Self::Sge { server, .. } => (server.environment(), "SGE_"),
            _ => (self.slurm().environment(), "SLURM_"),
        };
        let is_wanted = |name: &OsString| name.to_string_lossy().starts_with(prefix);
        all.into_iter().filter(|(name, _)| is_wanted(name)).collect()
    }

    /// Returns the program that submits jobs, and words of it after which nobody knows whether it did.
    pub fn submitter(&self) -> (&'static str, &'static str) {
        match self {
            Self::Sge { .. } => {
                ("qsub", "error: commlib error: got read error (closing connection)")
            }
            _ => ("sbatch", "sbatch: error: Socket timed out on send/recv operation"),
        }
    }

    /// Returns the jobs that wait, are held or run, of the runs in a work directory.
    pub fn live_jobs(&self, work_dir: &Path) -> Vec<String> {
        let shown = if let Self::Sge { server, .. } = self {
            server.tell("qstat", &["-r"])
        } else {
            let live = ["-a", "-h", "-r", "-t", "pending,running,suspended,completing"];
            self.slurm().program("squeue", &[&live[..], &["-o", "%i %T %r %j"]].concat())
        };
        let runs = std::fs::read_dir(work_dir).into_iter().flatten().flatten();
        let names = runs.map(|run| format!("nia-{}-", run.file_name().to_string_lossy()));
        let names: Vec<String> = names.collect();
        let is_ours = |line: &&str| names.iter().any(|name| line.contains(name));
        shown.lines().filter(is_ours).map(|line| line.trim().to_owned()).collect()
    }

    /// Returns everything the scheduler shows, for people.
    pub fn queue(&self) -> String {
        match self {
            Self::Sge { server, .. } => server.tell("qstat", &["-r", "-s", "prsz"]),
            _ => self
                .slurm()
                .program("squeue", &["-a", "-r", "-t", "all", "-o", "%i %T %r %N %j %Z"]),
        }
    }

    /// Returns what the controller wrote into its log, for people.
    pub fn log(&self) -> String {
        let Self::OwnSlurm(server) = self else { return String::new() };
        let config = server.control(&["show", "config"]);
        let line = config.lines().find(|line| line.starts_with("SlurmctldLogFile"));
        let path = line.and_then(|line| line.split_once('=')).map(|(_, path)| path.trim());
        path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    }

    /// Kills the controller: what it did not save is gone.
    pub fn kill_controller(&self) {
        match self {
            Self::Sge { server, .. } => server.stop_master(),
            _ => self.slurm().kill_controller(),
        }
    }

    /// Starts the controller.
    pub fn start_controller(&self) {
        match self {
            Self::Sge { server, .. } => server.start_master(),
            _ => self.slurm().start_controller(),
        }
    }

    /// Kills the node on which jobs of a work directory run, with all its processes, and returns it.
    pub fn kill_busy_node(&self, work_dir: &Path) -> &'static str {
        let mark = work_dir.display().to_string();
        let mut node = None;
        wait_for("a job runs on a node", || {
            let all = self.slurm().program("squeue", &["-h", "-t", "running", "-o", "%N %Z"]);
            let of_run = all.lines().find(|line| line.contains(&mark));
            node = of_run.map(|line| if line.starts_with("n1") { "n1" } else { "n2" });
            node.is_some()
        });
        let node = node.expect("it was waited for");
        self.slurm().kill_node(node);
        node
    }

    /// Starts a node that was killed.
    pub fn start_node(&self, node: &str) {
        self.slurm().start_node(node);
    }

    /// Nodes, logs and what is purged are things of Slurm's.
    fn slurm(&self) -> &SlurmServer {
        match self {
            Self::SharedSlurm(server) => server,
            Self::OwnSlurm(server) => server,
            Self::Sge { .. } => panic!("a Slurm is meant"),
        }
    }
}

impl InUse {
    fn of_sge(is_broken: bool) -> Self {
        match is_broken {
            true => Self::Alone(SGE_IN_USE.write().unwrap_or_else(PoisonError::into_inner)),
            false => Self::Together(SGE_IN_USE.read().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}
