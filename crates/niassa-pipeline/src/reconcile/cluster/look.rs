//! One look at runs on a cluster: the queue first, then the files.
//!
//! In this order, because a step runner writes `exit.json` before its job leaves the queue: what the queue
//! shows no more has left its word in the files by the time they are read.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use niassa_model::accession::Accession;
use niassa_model::job::{EndedJob, JobEnd, JobId, SeenJob};
use niassa_model::run::RunTag;
use niassa_model::run::cluster::{ClusterDecision, ClusterRun, decide_cluster};
use niassa_model::run::reconcile::{AttemptCause, Wish};
use niassa_model::run::sighting::{Claimant, Exit, LookAt, Sighting};
use niassa_model::step::{AttemptKey, AttemptNumber, Outcome, StepIndex, StepReason, StepStatus};

use crate::engine::cluster::Queue;
use crate::reconcile::evidence::{OpenRun, index_of};
use crate::run_dir::attempt_files::{
    CLAIM, ClaimFile, EXIT, ExitFile, STOP, TERMINATED, TerminatedFile, read,
};
use crate::run_dir::journal::JournalView;
use crate::run_dir::{RunDirError, failed};

/// A run with everything its directory says.
pub(crate) struct RunLook {
    pub(crate) run: OpenRun,
    pub(crate) journal: JournalView,
    pub(crate) attempts: Vec<Vec<AttemptLook>>,
}

/// What the directory says of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttemptLook {
    pub(crate) cause: AttemptCause,
    pub(crate) claim: Option<ClaimFile>,
    pub(crate) exit: Option<ExitFile>,
    pub(crate) terminated: Option<TerminatedFile>,
    pub(crate) stop_asked: bool,
}

/// The jobs of one look, by run.
#[derive(Debug, Default)]
pub(crate) struct JobsByRun<'queue> {
    jobs: HashMap<(Accession, RunTag), Vec<&'queue SeenJob>>,
}

/// How jobs of runs ended, as the accounting tells it.
#[derive(Debug, Default)]
pub(crate) struct JobEnds(HashMap<(Accession, RunTag), HashMap<JobId, JobEnd>>);

impl JobEnds {
    /// Sorts ended jobs by run. Of a job that ended several times the last end counts.
    pub(crate) fn new(jobs: Vec<EndedJob>) -> Self {
        let mut ends: HashMap<(Accession, RunTag), HashMap<JobId, JobEnd>> = HashMap::new();
        for EndedJob { id, name, end } in jobs {
            let (swid, tag) = name.run();
            ends.entry((swid, tag.clone())).or_default().insert(id, end);
        }
        Self(ends)
    }

    fn of(&self, run: &OpenRun, job: &JobId) -> Option<JobEnd> {
        self.0.get(&(run.swid, run.tag.clone()))?.get(job).copied()
    }
}

/// The jobs of one run, by attempt.
pub(crate) type JobsByAttempt<'queue> = HashMap<AttemptKey, Vec<&'queue SeenJob>>;

impl<'queue> JobsByRun<'queue> {
    /// Sorts the jobs of a look by run.
    pub(crate) fn of(queue: &'queue Queue) -> Self {
        let mut jobs: HashMap<(Accession, RunTag), Vec<&SeenJob>> = HashMap::new();
        for job in &queue.jobs {
            let (swid, tag) = job.name.run();
            jobs.entry((swid, tag.clone())).or_default().push(job);
        }
        Self { jobs }
    }

    /// Returns the jobs of a run, by attempt; those of an array whose list is not known are left out.
    pub(crate) fn of_run(&self, look: &RunLook) -> JobsByAttempt<'queue> {
        let mut by_attempt: JobsByAttempt<'queue> = HashMap::new();
        for job in self.jobs.get(&(look.run.swid, look.run.tag.clone())).into_iter().flatten() {
            if let Some(attempt) = look.journal.attempt_of(&job.name, job.element) {
                by_attempt.entry(attempt).or_default().push(job);
            }
        }
        by_attempt
    }
}

impl RunLook {
    /// Reads a run's directory.
    pub(crate) fn read(run: OpenRun) -> Result<Self, RunDirError> {
        let path = run.dir.path();
        let journal = JournalView::read(path).map_err(failed("read the journals of", path))?;
        let mut attempts = Vec::with_capacity(run.plan.steps.len());
        for (position, step) in run.plan.steps.iter().enumerate() {
            let index = index_of(position);
            let mut number = AttemptNumber::FIRST;
            let mut looks = Vec::new();
            for cause in run.dir.attempts(index, step)? {
                let path = run.dir.attempt(&run.key(index, number), step);
                let look = AttemptLook::read(&path, cause);
                looks.push(look.map_err(failed("read the attempt", &path))?);
                number = number.next();
            }
            attempts.push(looks);
        }
        Ok(Self { run, journal, attempts })
    }

    /// Returns the numbers of the claiming jobs of attempts that have not ended and are not live in the queue: what
    /// the accounting is asked about.
    pub(crate) fn left_the_queue(&self, jobs: &JobsByAttempt<'_>) -> Vec<JobId> {
        let open = self.each().filter(|(_, attempt)| attempt.exit.is_none());
        let claimed = open.filter_map(|(key, attempt)| {
            let job = attempt.claim.as_ref()?.job.as_ref()?;
            let seen = jobs.get(&key).into_iter().flatten().find(|seen| seen.id == *job);
            seen.is_none_or(|seen| !seen.state.is_live()).then(|| job.clone())
        });
        claimed.collect()
    }

    /// Decides what to do with the run.
    pub(crate) fn decide(
        &self,
        jobs: &JobsByAttempt<'_>,
        ends: &JobEnds,
        at: &LookAt<'_>,
        wish: Wish,
        retries: &[String],
    ) -> ClusterDecision {
        let mut attempts: Vec<Vec<(AttemptCause, Sighting<'_>)>> =
            Vec::with_capacity(self.attempts.len());
        for (position, of_step) in self.attempts.iter().enumerate() {
            let mut number = AttemptNumber::FIRST;
            let sightings = of_step.iter().map(|attempt| {
                let key = self.run.key(index_of(position), number);
                number = number.next();
                (attempt.cause.clone(), self.sighting(&key, attempt, jobs, ends))
            });
            attempts.push(sightings.collect());
        }
        let plan = &self.run.plan;
        decide_cluster(&ClusterRun { plan, attempts, wish, retries: retries.to_vec() }, at)
    }

    fn sighting<'look>(
        &self,
        key: &AttemptKey,
        attempt: &AttemptLook,
        jobs: &JobsByAttempt<'look>,
        ends: &JobEnds,
    ) -> Sighting<'look> {
        let jobs = jobs.get(key).cloned().unwrap_or_default();
        let said = self.journal.of(key, &jobs);
        let claim = attempt.claim.as_ref().map(|claim| match (&claim.job, claim.closes) {
            (Some(job), _) => Claimant::Job(job.clone()),
            (None, outcome) => Claimant::Closed(outcome.unwrap_or(CLOSED)),
        });
        let accounted = match &claim {
            Some(Claimant::Job(job)) => ends.of(&self.run, job),
            Some(Claimant::Closed(_)) | None => None,
        };
        Sighting {
            claim,
            exit: attempt
                .exit
                .as_ref()
                .map(|exit| Exit { outcome: exit.outcome, at: exit.ended_at }),
            terminated: attempt.terminated.as_ref().map(|terminated| terminated.signal),
            stop_asked: attempt.stop_asked,
            fenced: said.fenced,
            jobs,
            handed: said.handed,
            accounted,
        }
    }

    /// Returns every attempt with its key.
    pub(crate) fn each(&self) -> impl Iterator<Item = (AttemptKey, &AttemptLook)> {
        self.attempts.iter().enumerate().flat_map(move |(position, of_step)| {
            of_step.iter().enumerate().map(move |(before, attempt)| {
                let number = AttemptNumber(u32::try_from(before + 1).unwrap_or(u32::MAX));
                (self.run.key(index_of(position), number), attempt)
            })
        })
    }

    /// Returns what the directory says of an attempt.
    pub(crate) fn attempt(&self, step: StepIndex, number: AttemptNumber) -> Option<&AttemptLook> {
        self.attempts.get(step.as_usize())?.get((number.0 as usize).checked_sub(1)?)
    }
}

impl AttemptLook {
    fn read(path: &Path, cause: AttemptCause) -> io::Result<Self> {
        let exit: Option<ExitFile> = read(path, EXIT)?;
        let claim = read(path, CLAIM)?;
        let (terminated, stop_asked) = match (&exit, &claim) {
            (None, Some(_)) => (read(path, TERMINATED)?, path.join(STOP).exists()),
            _ => (None, false),
        };
        Ok(Self { cause, claim, exit, terminated, stop_asked })
    }
}

/// What an attempt comes to whose closer did not say.
const CLOSED: Outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CouldNotStart);

/// Returns the claimed jobs of all runs that left the queue.
pub(crate) fn all_that_left<'look>(
    looks: impl IntoIterator<Item = &'look RunLook>,
    jobs: &JobsByRun<'_>,
) -> Vec<JobId> {
    let mut left: HashSet<JobId> = HashSet::new();
    for look in looks {
        left.extend(look.left_the_queue(&jobs.of_run(look)));
    }
    let mut left: Vec<JobId> = left.into_iter().collect();
    left.sort_unstable();
    left
}
