//! Clusters: Slurm and Grid Engine behind one face, through their command lines.
//!
//! A scheduler is asked for little: take a job, show all jobs of this OS user, release, cancel, and
//! tell from its accounting how jobs ended. Everything that decides lies elsewhere: in the files of
//! an attempt and in the pure rules of the model. Each call has a time limit, options stand on the
//! command line only, and what a scheduler sets in the environment is taken out of it.

pub(crate) mod calls;
pub(crate) mod command;
pub mod environment;
pub mod sge;
mod slots;
pub mod slurm;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use niassa_model::job::{EndedJob, JobId, JobName, SeenJob};
use niassa_model::place::EngineKind;
use niassa_model::resources::Resources;

pub(crate) use slots::Slots;

/// A scheduler of a cluster. All calls block; each ends within the time limit of a call.
pub trait Scheduler: Send + Sync {
    /// Returns which engine it is.
    fn kind(&self) -> EngineKind;

    /// Asks for the cluster's name.
    fn cluster_name(&self) -> Result<String, SchedulerError>;

    /// Asks how many elements a job array may have; 1 where arrays cannot be had.
    fn array_limit(&self) -> Result<u32, SchedulerError>;

    /// Hands over one job. Whether a failed call left a job behind is told by the next look only,
    /// unless the scheduler positively refused.
    fn submit(&self, job: &JobRequest) -> Result<JobId, SubmitError>;

    /// Shows all jobs of this OS user that carry a name of ours: live ones, and ended ones for as
    /// long as the scheduler shows them. An answer that is not whole is an error.
    fn look(&self) -> Result<Queue, SchedulerError>;

    /// Lets held jobs go. Jobs that are not there are passed over.
    fn release(&self, jobs: &[JobId]) -> Result<(), SchedulerError>;

    /// Cancels jobs, in the order given. Jobs that are not there are passed over.
    fn cancel(&self, jobs: &[JobId]) -> Result<(), SchedulerError>;

    /// Asks the accounting how these jobs ended. Jobs it does not know are left out; an empty answer
    /// where there is no accounting. Of a number that was dealt out twice each job with a name of ours is told.
    fn ends(&self, jobs: &[JobId]) -> Result<Vec<EndedJob>, SchedulerError>;
}

/// Returns the scheduler of an engine; `None` for the one that has none.
pub fn scheduler_of(engine: EngineKind, settings: ClusterSettings) -> Option<Arc<dyn Scheduler>> {
    match engine {
        EngineKind::Local => None,
        EngineKind::Slurm => Some(Arc::new(slurm::Slurm::new(settings))),
        EngineKind::Sge => Some(Arc::new(sge::GridEngine::new(settings))),
    }
}

/// All jobs of one OS user, in one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// When the scheduler was started, in its own words, where it tells: numbers of jobs can be dealt
    /// out again after a restart.
    pub scheduler_started: Option<String>,
    /// The jobs.
    pub jobs: Vec<SeenJob>,
}

/// A job to hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    /// Its name.
    pub name: JobName,
    /// The script: `job.sh` of the run directory.
    pub script: PathBuf,
    /// The script's arguments. An array's script is given `--list FILE` and finds its element by the
    /// scheduler's variable.
    pub arguments: Vec<OsString>,
    /// Elements of the array, numbered from 1; none for a single job.
    pub elements: Option<u32>,
    /// Where it starts: the run's `work/`.
    pub directory: PathBuf,
    /// Where the scheduler writes what the script prints; the step's own streams go elsewhere.
    pub output: PathBuf,
    /// What each element may use.
    pub resources: Resources,
    /// Jobs that must have succeeded before: seen in the last look, or acknowledged since.
    pub after: Vec<JobId>,
    /// Whether it waits for `release`.
    pub hold: Hold,
    /// Seconds before it may start.
    pub delay_seconds: u64,
    /// What the run asks of the scheduler.
    pub options: JobOptions,
}

/// Whether a job is handed over held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It is, until it is released.
    Held,
    /// It starts as soon as it may.
    Free,
}

/// Words of a run for its scheduler; each was checked to be `[A-Za-z0-9_.,+-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobOptions {
    /// Slurm's partition, Grid Engine's queue.
    pub queue: Option<String>,
    /// Slurm's account, Grid Engine's project.
    pub project: Option<String>,
    /// Slurm's quality of service.
    pub qos: Option<String>,
}

/// What this site's settings say of its schedulers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterSettings {
    /// The environment of scheduler commands and of jobs: without secrets, and without what another
    /// job's scheduler had set.
    pub environment: Vec<(OsString, OsString)>,
    /// What runs that ask for nothing get on Slurm.
    pub slurm: JobOptions,
    /// Further options for `sbatch`, one word each.
    pub slurm_extra: Vec<String>,
    /// What runs that ask for nothing get on Grid Engine.
    pub sge: JobOptions,
    /// Further options for `qsub`, one word each.
    pub sge_extra: Vec<String>,
    /// How Grid Engine is asked for threads, with `${threads}`, such as `-pe serial ${threads}`.
    pub sge_threads: Option<String>,
    /// How Grid Engine is asked for memory in megabytes, with `${maxMemory}`, such as
    /// `-l h_vmem=${maxMemory}M`.
    pub sge_memory: Option<String>,
}

/// Why a scheduler could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// Its program is not there.
    #[error("`{program}` cannot be run")]
    NotThere {
        /// The program.
        program: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It did not answer in time.
    #[error("`{0}` did not answer in time")]
    Silent(&'static str),
    /// It refused, or could not reach its daemon.
    #[error("`{program}` said: {words}")]
    Refused {
        /// The program.
        program: &'static str,
        /// The end of what it said.
        words: String,
    },
    /// It said something that is not understood.
    #[error("the answer of `{program}` is not understood: {what}")]
    NotUnderstood {
        /// The program.
        program: &'static str,
        /// What was looked for.
        what: String,
    },
}

/// Why a job was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The queue takes no more jobs now: stop here and go on later.
    #[error("{0}")]
    Full(String),
    /// The scheduler answered that it will not have this job.
    #[error("{0}")]
    Refused(String),
    /// Whether the scheduler has it is not known.
    #[error("{0}")]
    InDoubt(String),
}
