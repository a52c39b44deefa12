//! Doing for claimed runs on a cluster whatever is missing.
//!
//! Look, decide, record, and act: closings, stops and cancels first, then what is handed over, held, wave
//! by wave, each wave waiting for jobs that were seen; then `launched` is recorded, and the service's word
//! lets the held jobs go. Intents are durable before a scheduler is called; whoever is killed anywhere
//! leaves a journal and a queue from which the next one goes on.

mod arrays;
mod end;
mod look;
mod submit;
mod wave;

use std::collections::HashSet;
use std::sync::Arc;

use niassa_api::claims::{Claim, Desire, Done, EngineId, Launched, Word};
use niassa_model::accession::Accession;
use niassa_model::job::JobId;
use niassa_model::limits::{ClusterWaits, FACTS_PER_CALL};
use niassa_model::place::Place;
use niassa_model::run::RunStatus;
use niassa_model::run::cluster::ClusterDecision;
use niassa_model::run::reconcile::Wish;
use niassa_model::run::sighting::{LookAt, SchedulerLook};
use niassa_model::step::AttemptKey;
use niassa_model::time::Timestamp;

use super::evidence::make_attempts;
use super::handover::{HandOver, stricter};
use super::prepare::{NotPrepared, Prepared};
use super::{Listener, PipelineError, Reconciler, WorkEvent, action, blocking, sync_file_system};
use crate::engine::cluster::{Queue, Scheduler, SchedulerError, Slots};
use crate::failpoint;
use crate::run_dir::RunDirError;
use crate::run_dir::journal::{Entry, RunJournal};
use crate::step_program::StepProgram;

use look::all_that_left;
pub(crate) use look::{AttemptLook, JobEnds, JobsByAttempt, JobsByRun, RunLook};

/// A cluster that runs can be launched on from here.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) place: Place,
    pub(crate) scheduler: Arc<dyn Scheduler>,
    /// For calls that hand over a job.
    pub(crate) slots: Arc<Slots>,
    /// Jobs of one run in its queue.
    pub(crate) max_jobs: usize,
    /// The program that jobs run.
    pub(crate) program: StepProgram,
}

/// A run under a claim, with what is to be done about it.
struct ClaimedRun {
    claim: Claim,
    look: RunLook,
    plan_sha256: String,
    decision: ClusterDecision,
    accessions: Vec<Accession>,
    journal: RunJournal,
    /// Attempts of which the journal durably has intents, and whose calls are still to be made.
    intended: HashSet<AttemptKey>,
    word: Word,
    /// Attempts with their jobs, as the last look showed them.
    ids: Vec<EngineId>,
    /// Jobs that wait to be let go.
    held: Vec<JobId>,
    /// The life of the scheduler in which they were seen.
    seen_in: Option<String>,
    /// Arrays of this claim so far, for their names.
    lists: u32,
    note: Option<Note>,
}

/// What people should know of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Note {
    /// How far it has come.
    Progress(String),
    /// What keeps it from going on.
    Trouble(String),
}

/// What a batch looks like before anything is done.
struct LookedAt {
    runs: Vec<ClaimedRun>,
    refused: Vec<(Claim, NotPrepared)>,
    queue: Result<Queue, SchedulerError>,
}

impl Reconciler {
    /// Does what is missing for prepared runs of a cluster, whose queue was looked at after they were claimed;
    /// returns those that were launched.
    pub(super) async fn work_on_cluster(
        &self,
        cluster: &Cluster,
        prepared: Vec<Prepared>,
        queue: Result<Queue, SchedulerError>,
        lease_seconds: u64,
        on: Listener<'_>,
    ) -> Result<Vec<Accession>, PipelineError> {
        let now = self.service_now();
        let waits = ClusterWaits::for_lease(lease_seconds);
        let (own, holder) = (cluster.clone(), self.holder.clone());
        let decide = move || decide_each(&own, prepared, queue, &holder, now, lease_seconds);
        let looked = blocking(decide).await??;
        on(WorkEvent::Made);
        failpoint::reach("launcher.looked");
        let LookedAt { mut runs, refused, queue } = looked;
        self.record_refusals(refused, on).await?;
        self.record_before(cluster, &mut runs).await?;
        let stale = runs.iter().filter(|run| run.word == Word::Stale);
        self.tell_withdrawn(stale.map(|run| run.claim.swid).collect(), on).await;
        runs.retain(|run| run.word != Word::Stale);
        failpoint::reach("launcher.recorded");
        let queue = match queue {
            Ok(queue) => Some(queue),
            Err(silent) => {
                let words = crate::chain(&silent);
                for run in &mut runs {
                    let note = format!("{} does not answer: {words}", cluster.place.engine);
                    run.note = Some(Note::Trouble(note));
                }
                on(WorkEvent::Engine(cluster.place.engine, words));
                None
            }
        };
        let own = cluster.clone();
        let acted = move || {
            end::act(&own, &mut runs, queue.as_ref(), now)?;
            if let Some(queue) = queue {
                submit::hand_over(&own, &mut runs, queue, now, waits)?;
            }
            submit::withdraw_what_was_not_handed_over(&mut runs, now);
            Ok::<_, PipelineError>(runs)
        };
        let mut runs = blocking(acted).await??;
        failpoint::reach("launcher.submitted");
        let launched = self.record_launched(&mut runs, on).await?;
        failpoint::reach("launcher.launched");
        let own = cluster.clone();
        let released = blocking(move || release(&own, &mut runs, now)).await??;
        if let Err(silent) = released {
            on(WorkEvent::Engine(cluster.place.engine, crate::chain(&silent)));
        }
        failpoint::reach("launcher.released");
        Ok(launched)
    }

    /// Records place, plan, steps and new attempts, and asks whether the claims still count.
    async fn record_before(
        &self,
        cluster: &Cluster,
        runs: &mut [ClaimedRun],
    ) -> Result<(), PipelineError> {
        let mut actions = Vec::new();
        let mut unrecorded = Vec::new();
        for (position, run) in runs.iter().enumerate() {
            let hand_over = HandOver {
                claim: &run.claim,
                run: &run.look.run,
                plan_sha256: &run.plan_sha256,
                decision: &run.decision.decision,
                accessions: &run.accessions,
            };
            let done = hand_over.records(&cluster.place);
            if done.is_empty() {
                unrecorded.push(position);
            }
            actions.extend(done.into_iter().map(|done| (position, action(&run.claim, done))));
        }
        for (position, answer) in self.record(actions).await? {
            runs[position].word = stricter(runs[position].word, answer.word);
            runs[position].accessions.extend(answer.accessions);
        }
        let claims: Vec<&Claim> = unrecorded.iter().map(|at| &runs[*at].claim).collect();
        let stale = self.stale(&claims).await?;
        for (position, is_stale) in unrecorded.into_iter().zip(stale) {
            if is_stale {
                runs[position].word = Word::Stale;
            }
        }
        Ok(())
    }

    /// Records what is in the queue, and what keeps the rest from it; the answer lets jobs go.
    async fn record_launched(
        &self,
        runs: &mut [ClaimedRun],
        on: Listener<'_>,
    ) -> Result<Vec<Accession>, PipelineError> {
        let mut actions = Vec::new();
        let mut launched = Vec::new();
        for (position, run) in runs.iter_mut().enumerate() {
            if run.is_launched() {
                for ids in run.ids.chunks(FACTS_PER_CALL) {
                    let done = Done::Launched(Launched { ids: ids.to_vec() });
                    actions.push((position, action(&run.claim, done)));
                }
                super::handover::tell(&run.claim);
                launched.push(run.claim.swid);
            }
            let note = match run.note.take() {
                Some(Note::Progress(note)) => note,
                Some(Note::Trouble(note)) => {
                    on(WorkEvent::Problem(run.claim.swid, note.clone()));
                    note
                }
                None => continue,
            };
            actions.push((position, action(&run.claim, Done::Note(note))));
        }
        for (position, answer) in self.record(actions).await? {
            runs[position].word = stricter(runs[position].word, answer.word);
        }
        Ok(launched)
    }
}

impl ClaimedRun {
    fn wish(&self) -> Wish {
        wish(self.claim.desire)
    }

    fn is_new(&self) -> bool {
        matches!(self.claim.status, RunStatus::Submitted | RunStatus::SubmittedRetry)
    }

    /// Whether the service has to hear that its jobs are in the queue: the answer is the permission.
    fn is_launched(&self) -> bool {
        let has_jobs = !self.held.is_empty() || (self.is_new() && !self.ids.is_empty());
        self.wish() == Wish::GoOn && self.word == Word::Go && has_jobs
    }
}

/// Looks at the directories, decides, and makes what was decided, durably: attempts and files.
fn decide_each(
    cluster: &Cluster,
    prepared: Vec<Prepared>,
    queue: Result<Queue, SchedulerError>,
    holder: &str,
    now: Timestamp,
    lease_seconds: u64,
) -> Result<LookedAt, PipelineError> {
    let waits = ClusterWaits::for_lease(lease_seconds);
    let (mut read, mut refused) = (Vec::new(), Vec::new());
    for Prepared { claim, run, plan_sha256, .. } in prepared {
        match read_run(run) {
            Ok((look, accessions)) => read.push((claim, plan_sha256, look, accessions)),
            Err(error) => refused.push((claim, NotPrepared::from(error))),
        }
    }
    let nothing = Queue::default();
    let jobs = JobsByRun::of(queue.as_ref().unwrap_or(&nothing));
    let ends = match &queue {
        Ok(_) => ends(cluster, read.iter().map(|(_, _, look, _)| look), &jobs),
        Err(_) => JobEnds::default(),
    };
    let mut runs = Vec::new();
    for (claim, plan_sha256, look, accessions) in read {
        let at = LookAt { scheduler: seen(queue.as_ref().ok()), now, waits };
        let wish = wish(claim.desire);
        let decision = look.decide(&jobs.of_run(&look), &ends, &at, wish, &claim.retries);
        let mut journal = RunJournal::of(look.run.dir.path(), claim.epoch, holder, lease_seconds);
        match make(cluster, &look, &decision, &mut journal, now) {
            Ok(()) => {
                let (word, ids, held, note) = (Word::Go, Vec::new(), Vec::new(), None);
                runs.push(ClaimedRun {
                    claim,
                    look,
                    plan_sha256,
                    decision,
                    accessions,
                    journal,
                    intended: HashSet::new(),
                    word,
                    ids,
                    held,
                    seen_in: None,
                    lists: 0,
                    note,
                });
            }
            Err(error) => refused.push((claim, NotPrepared::from(error))),
        }
    }
    if let Some(run) = runs.first() {
        let run_dir = run.look.run.dir.path();
        sync_file_system(run_dir.parent().unwrap_or(run_dir))?;
    }
    Ok(LookedAt { runs, refused, queue })
}

/// What a look says of the scheduler itself.
pub(crate) fn seen(queue: Option<&Queue>) -> SchedulerLook<'_> {
    match queue {
        Some(queue) => SchedulerLook::Whole(queue.scheduler_started.as_deref()),
        None => SchedulerLook::Silent,
    }
}

fn wish(desire: Desire) -> Wish {
    match desire {
        Desire::Cancel => Wish::Stop,
        Desire::Launch | Desire::Retry => Wish::GoOn,
    }
}

fn read_run(run: super::evidence::OpenRun) -> Result<(RunLook, Vec<Accession>), RunDirError> {
    let accessions = run.dir.accessions()?.unwrap_or_default();
    Ok((RunLook::read(run)?, accessions))
}

/// Makes the attempts of a decision, the script that jobs start with, and the journal of what is handed over.
fn make(
    cluster: &Cluster,
    look: &RunLook,
    decision: &ClusterDecision,
    journal: &mut RunJournal,
    now: Timestamp,
) -> Result<(), RunDirError> {
    let run = &look.run;
    make_attempts(run, &decision.decision)?;
    if !decision.decision.submit.is_empty() {
        let program = cluster.program.path();
        let program = program
            .map_err(crate::run_dir::failed("copy the program for nodes to", run.dir.path()))?;
        run.dir.store_job_script(&program)?;
        let made = journal.open_undurable(now);
        made.map_err(crate::run_dir::failed("make a journal in", run.dir.path()))?;
    }
    Ok(())
}

/// Asks the accounting how claimed jobs ended that the queue shows no more. Where it does not answer,
/// nothing is known yet.
pub(crate) fn ends<'look>(
    cluster: &Cluster,
    looks: impl IntoIterator<Item = &'look RunLook>,
    jobs: &JobsByRun<'_>,
) -> JobEnds {
    let left = all_that_left(looks, jobs);
    if left.is_empty() {
        return JobEnds::default();
    }
    match cluster.scheduler.ends(&left) {
        Ok(ended) => JobEnds::new(ended),
        Err(error) => {
            tracing::info!(engine = %cluster.place.engine, %error, "the accounting does not answer");
            JobEnds::default()
        }
    }
}

/// Lets held jobs go, with the service's word for it. Where the scheduler does not hear it they stay held,
/// and whoever looks next lets them go.
fn release(
    cluster: &Cluster,
    runs: &mut [ClaimedRun],
    now: Timestamp,
) -> Result<Result<(), SchedulerError>, PipelineError> {
    let mut jobs = Vec::new();
    let mut with_jobs = Vec::new();
    for run in runs {
        if run.word == Word::Go && !run.held.is_empty() {
            jobs.extend(run.held.iter().cloned());
            with_jobs.push(run);
        }
    }
    if jobs.is_empty() {
        return Ok(Ok(()));
    }
    if let Err(silent) = cluster.scheduler.release(&jobs) {
        return Ok(Err(silent));
    }
    failpoint::reach("launcher.let-go");
    for run in with_jobs {
        let entry = Entry::Released { jobs: run.held.clone(), scheduler: run.seen_in.clone() };
        let noted = run.journal.note(now, vec![entry]);
        noted.map_err(crate::run_dir::failed("write the journal of", run.look.run.dir.path()))?;
    }
    Ok(Ok(()))
}
