//! Looking after runs on one cluster: one look at its queue per tick, then the directories.
//!
//! What files say is told to the service. Where the pure decision finds something to do, the run is claimed
//! and reconciled; else it is left alone. A scheduler that does not answer changes nothing: files still
//! count, absence does not.

mod ended;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use niassa_api::facts::{AttemptFact, Need, RecordFacts, RunNote};
use niassa_api::runs::RunQuery;
use niassa_model::accession::Accession;
use niassa_model::job::{JobId, SeenJob};
use niassa_model::limits::{FACTS_PER_CALL, NATIVE_PARENTS, PAGE_MOST};
use niassa_model::run::cluster::{ClusterDecision, ParentJob, next_wave};
use niassa_model::run::reconcile::Wish;
use niassa_model::run::sighting::LookAt;
use niassa_model::run::{RunStatus, RunTag};
use niassa_model::step::AttemptKey;
use niassa_model::time::Timestamp;

use super::recorded::{Heard, Recorded};
use super::{ActiveRun, PropagateFilter, PropagateReport, Propagator, facts, notes, take_answer};
use crate::engine::cluster::Queue;
use crate::reconcile::cluster::{Cluster, JobEnds, JobsByAttempt, JobsByRun, RunLook, ends, seen};
use crate::reconcile::evidence::OpenRun;
use crate::reconcile::{Listener, PipelineError, WorkEvent, blocking};
use crate::run_dir::{RunDir, failed};

/// How often a cluster's queue is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the last jobs of a run may be listed that was told to be over between two looks.
const OVER_LATELY: Duration = Duration::from_secs(5);

/// Runs whose directories are in memory at a time.
const RUNS_AT_A_TIME: usize = 100;

/// Runs that the service is asked about at a time when the queue shows jobs of others.
const ASKED_AT_A_TIME: usize = 100;

/// What a propagator keeps of one cluster.
pub(super) struct ClusterWatch {
    cluster: Cluster,
    recorded: Arc<Recorded>,
    pub(super) active: BTreeMap<Accession, ActiveRun>,
    looked_at: Option<Instant>,
    /// Runs that came to their end between two looks: their last jobs may still be listed.
    over_lately: HashMap<Accession, Instant>,
}

/// What is looked at, and with what.
struct Looking {
    cluster: Cluster,
    recorded: Arc<Recorded>,
    work_dir: PathBuf,
    queue: Option<Queue>,
    now: Timestamp,
    threads: NonZeroUsize,
}

/// What a look at some runs came to.
#[derive(Default)]
struct Found {
    /// What the service has not been told.
    facts: Vec<AttemptFact>,
    /// Runs for which the holder of a claim has something to do.
    need: Vec<Accession>,
    /// Runs whose directory cannot be read.
    problems: Vec<(Accession, String)>,
    /// What people should know of each run; empty where all goes its way.
    notes: Vec<(Accession, RunTag, String)>,
}

impl Propagator {
    /// Looks after the runs on every cluster that is served from here.
    pub(super) async fn look_after_clusters(
        &mut self,
        report: &mut PropagateReport,
        on: Listener<'_>,
    ) -> Result<(), PipelineError> {
        let mut watches = std::mem::take(&mut self.clusters);
        let mut result = Ok(());
        for watch in watches.iter_mut().filter_map(|watch| watch.is_due().then_some(watch)) {
            result = self.look_after(watch, report, on).await;
            if result.is_err() {
                break;
            }
        }
        self.clusters = watches;
        result
    }

    async fn look_after(
        &mut self,
        watch: &mut ClusterWatch,
        report: &mut PropagateReport,
        on: Listener<'_>,
    ) -> Result<(), PipelineError> {
        watch.active = self.listed(&watch.cluster.place, &watch.active, report).await?;
        // Only where runs usually go to it is a queue searched for what past runs left there.
        if watch.active.is_empty() && !self.reconciler.is_default(watch.cluster.place.engine) {
            return Ok(());
        }
        let scheduler = watch.cluster.scheduler.clone();
        let queue = match blocking(move || scheduler.look()).await? {
            Ok(queue) => Some(queue),
            // Where nothing runs a scheduler may be away.
            Err(_) if watch.active.is_empty() => None,
            Err(silent) => {
                on(WorkEvent::Engine(watch.cluster.place.engine, crate::chain(&silent)));
                None
            }
        };
        let heard = if queue.is_some() { Heard::Answer } else { Heard::Nothing };
        let now = self.reconciler.service_now();
        let silent_since = Arc::make_mut(&mut watch.recorded).heard(now, heard);
        let is_ours = self.filter == PropagateFilter::default();
        if let Some(queue) = queue.as_ref().filter(|_| is_ours) {
            self.end_ghosts(watch, queue).await?;
        }
        let runs: Vec<(Accession, ActiveRun)> =
            watch.active.iter().map(|(swid, run)| (*swid, run.clone())).collect();
        let first = self.looking(watch, queue);
        let found = blocking(move || first.look(&runs)).await?;
        crate::failpoint::reach("propagator.looked");
        for (run, problem) in found.problems {
            on(WorkEvent::Problem(run, problem));
        }
        let asked = watch.active.iter().filter(|(_, run)| run.need == Need::Action);
        let need = found.need.into_iter().chain(asked.map(|(swid, _)| *swid)).collect();
        let acted = self.act(&watch.cluster.place.clone(), need, on).await?;
        let acted: Vec<(Accession, ActiveRun)> = acted
            .into_iter()
            .filter_map(|swid| Some((swid, watch.active.get(&swid)?.clone())))
            .collect();
        // What was ended just now is told in the same tick.
        let second = self.looking(watch, None);
        let looked_again: HashSet<Accession> = acted.iter().map(|(swid, _)| *swid).collect();
        let after = blocking(move || second.look(&acted)).await?;
        let mut facts = found.facts;
        facts.retain(|fact| !looked_again.contains(&fact.run));
        facts.extend(after.facts);
        self.tell(watch, facts, report).await?;
        let mut notes = found.notes;
        if let Some(since) = silent_since {
            let engine = watch.cluster.place.engine;
            for (.., note) in &mut notes {
                *note = notes::of_silence(engine, since);
            }
        }
        self.note(watch, notes).await
    }

    fn looking(&self, watch: &ClusterWatch, queue: Option<Queue>) -> Looking {
        Looking {
            cluster: watch.cluster.clone(),
            recorded: watch.recorded.clone(),
            work_dir: self.reconciler.work_dir().to_owned(),
            queue,
            now: self.reconciler.service_now(),
            threads: self.threads,
        }
    }

    /// Records facts, and remembers what was recorded.
    async fn tell(
        &mut self,
        watch: &mut ClusterWatch,
        facts: Vec<AttemptFact>,
        report: &mut PropagateReport,
    ) -> Result<(), PipelineError> {
        let mut facts = facts.into_iter().peekable();
        while facts.peek().is_some() {
            let some: Vec<AttemptFact> = facts.by_ref().take(FACTS_PER_CALL).collect();
            for call in facts::into_calls(some) {
                let keys: Vec<_> = call.iter().map(|fact| (key_of(fact), fact.status)).collect();
                report.facts += call.len() as u64;
                let request = RecordFacts { facts: call, ..RecordFacts::default() };
                let answer = self.reconciler.client.record_facts(&request).await?;
                crate::failpoint::reach("propagator.told");
                let refused: HashSet<usize> =
                    answer.refused.iter().map(|refused| refused.position as usize).collect();
                let recorded = Arc::make_mut(&mut watch.recorded);
                for (position, (key, status)) in keys.iter().enumerate() {
                    if !refused.contains(&position) {
                        recorded.told(key, *status);
                    }
                }
                take_answer(answer, &mut watch.active, report);
            }
        }
        Ok(())
    }

    /// Tells notes that changed, and writes down what was told.
    async fn note(
        &self,
        watch: &mut ClusterWatch,
        notes: Vec<(Accession, RunTag, String)>,
    ) -> Result<(), PipelineError> {
        let recorded = Arc::make_mut(&mut watch.recorded);
        let is_news = |(swid, tag, note): &(Accession, RunTag, String)| {
            watch.active.contains_key(swid) && recorded.note(tag) != note
        };
        let news: Vec<RunNote> = notes
            .into_iter()
            .filter(is_news)
            .map(|(run, tag, note)| RunNote { run, tag, note })
            .collect();
        for notes in news.chunks(FACTS_PER_CALL) {
            let request = RecordFacts { notes: notes.to_vec(), ..RecordFacts::default() };
            self.reconciler.client.record_facts(&request).await?;
            for note in notes {
                recorded.noted(&note.tag, &note.note);
            }
        }
        let tags: HashSet<&RunTag> = watch.active.values().map(|run| &run.tag).collect();
        let kept = recorded.keep(|tag| tags.contains(tag));
        Ok(kept.map_err(failed("remember what was told in", self.reconciler.work_dir()))?)
    }

    /// Cancels live jobs of runs that are over: a scheduler that came back with an older memory has them
    /// again. Jobs of runs that this account cannot see are somebody else's.
    async fn end_ghosts(&self, watch: &ClusterWatch, queue: &Queue) -> Result<(), PipelineError> {
        let mut others: BTreeMap<Accession, Vec<(RunTag, JobId)>> = BTreeMap::new();
        for job in queue.jobs.iter().filter(|job| job.state.is_live()) {
            let (swid, tag) = job.name.run();
            let is_active = watch.active.get(&swid).is_some_and(|run| run.tag == *tag);
            let over = watch.over_lately.get(&swid);
            if !is_active && over.is_none_or(|at| at.elapsed() >= OVER_LATELY) {
                others.entry(swid).or_default().push((tag.clone(), job.id.clone()));
            }
        }
        let swids: Vec<Accession> = others.keys().copied().collect();
        let mut ghosts = Vec::new();
        for some in swids.chunks(ASKED_AT_A_TIME) {
            let accessions = some.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let (mine, limit) = (Some(1), Some(PAGE_MOST));
            let query =
                RunQuery { accessions: Some(accessions), mine, limit, ..RunQuery::default() };
            for run in self.reconciler.client.runs(&query).await?.items {
                let of_run = others.remove(&run.swid).unwrap_or_default().into_iter();
                let over = of_run.filter(|(tag, _)| *tag == run.tag && !run.status.is_active());
                ghosts.extend(over.map(|(_, job)| job));
            }
        }
        if ghosts.is_empty() {
            return Ok(());
        }
        tracing::warn!(jobs = ghosts.len(), "jobs of runs that are over are cancelled");
        let scheduler = watch.cluster.scheduler.clone();
        if let Err(error) = blocking(move || scheduler.cancel(&ghosts)).await? {
            tracing::warn!(%error, "they were not");
        }
        Ok(())
    }
}

fn key_of(fact: &AttemptFact) -> AttemptKey {
    AttemptKey { run: fact.run, tag: fact.tag.clone(), step: fact.step, attempt: fact.attempt }
}

impl ClusterWatch {
    /// Begins to look after the runs of a cluster.
    pub(super) fn new(cluster: Cluster, work_dir: &Path, identity: &str) -> Self {
        let identity = format!("{identity} {}", cluster.place.key());
        let recorded = Arc::new(Recorded::open(work_dir, &identity));
        Self {
            cluster,
            recorded,
            active: BTreeMap::new(),
            looked_at: None,
            over_lately: HashMap::new(),
        }
    }

    /// Makes the next look due.
    pub(super) fn look_now(&mut self) {
        self.looked_at = None;
    }

    /// Tells whether it is time for another look; if so, it begins now.
    fn is_due(&mut self) -> bool {
        let is_due = self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        if is_due {
            self.looked_at = Some(Instant::now());
        }
        is_due
    }
}

impl Looking {
    /// Reads the directories of active runs, and says what is new and what needs somebody.
    fn look(&self, runs: &[(Accession, ActiveRun)]) -> Found {
        let nothing = Queue::default();
        let queue = self.queue.as_ref();
        let jobs = JobsByRun::of(queue.unwrap_or(&nothing));
        let mut found = Found::default();
        for some in runs.chunks(RUNS_AT_A_TIME) {
            let (looks, problems) = read_all(&self.work_dir, some, self.threads);
            found.problems.extend(problems);
            let ends = match queue {
                Some(_) => ends(&self.cluster, looks.iter().map(|(_, look)| look), &jobs),
                None => JobEnds::default(),
            };
            for (active, look) in &looks {
                let at =
                    LookAt { scheduler: seen(queue), now: self.now, waits: look.journal.waits() };
                let of_run = jobs.of_run(look);
                let decision = look.decide(&of_run, &ends, &at, wish(active), &[]);
                if self.needs_somebody(look, &of_run, &decision) {
                    found.need.push(look.run.swid);
                }
                let note = notes::of_remarks(look, &decision);
                found.notes.push((look.run.swid, look.run.tag.clone(), note));
                found.facts.extend(self.news(look));
            }
        }
        found
    }

    /// Tells whether the holder of a claim would have something to do.
    fn needs_somebody(
        &self,
        look: &RunLook,
        jobs: &JobsByAttempt<'_>,
        decision: &ClusterDecision,
    ) -> bool {
        let is_live = |job: &&SeenJob| job.state.is_live();
        let in_queue = jobs.values().flatten().filter(|job| is_live(job)).count();
        let room = match self.queue {
            Some(_) => self.cluster.max_jobs.saturating_sub(in_queue),
            None => 0,
        };
        let due = next_wave(&decision.decision.submit, room, NATIVE_PARENTS, |step, number| {
            let mut seen = jobs.get(&look.run.key(step, number)).into_iter().flatten();
            if seen.any(is_live) { ParentJob::Seen } else { ParentJob::NotSeen }
        });
        decision.needs_claim(due.len())
    }

    /// Returns what the files say and the service has not been told.
    fn news(&self, look: &RunLook) -> Vec<AttemptFact> {
        let mut news = Vec::new();
        for (key, attempt) in look.each() {
            let Some(status) = facts::status_of(attempt) else { continue };
            if self.recorded.is_news(&key, status) {
                let path = look.run.dir.attempt(&key, &look.run.plan.steps[key.step.as_usize()]);
                news.push(facts::of_attempt(&path, key, attempt, status));
            }
        }
        news
    }
}

/// What people want of an active run.
fn wish(active: &ActiveRun) -> Wish {
    match active.status {
        RunStatus::SubmittedCancel => Wish::Stop,
        RunStatus::Submitted
        | RunStatus::SubmittedRetry
        | RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::Cancelled => Wish::GoOn,
    }
}

/// Runs that were read, and those that could not be.
type ReadRuns = (Vec<(ActiveRun, RunLook)>, Vec<(Accession, String)>);

/// Reads the directories of runs, several at a time.
fn read_all(work_dir: &Path, runs: &[(Accession, ActiveRun)], threads: NonZeroUsize) -> ReadRuns {
    let size = runs.len().div_ceil(threads.get()).max(1);
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = runs
            .chunks(size)
            .map(|some| {
                scope.spawn(move || {
                    let read = |(swid, active): &(Accession, ActiveRun)| {
                        (*swid, active.clone(), read_run(work_dir, *swid, &active.tag))
                    };
                    some.iter().map(read).collect::<Vec<_>>()
                })
            })
            .collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    let (mut looks, mut problems) = (Vec::new(), Vec::new());
    for (swid, active, result) in results {
        match result {
            Ok(Some(look)) => looks.push((active, look)),
            Ok(None) => {}
            Err(error) => problems.push((swid, error)),
        }
    }
    (looks, problems)
}

/// Reads one run; `None` for one whose plan was not made yet.
fn read_run(work_dir: &Path, swid: Accession, tag: &RunTag) -> Result<Option<RunLook>, String> {
    let dir = RunDir::of(work_dir, swid, tag);
    if !dir.exists() {
        return Err(format!(
            "the run directory {} is not here; nothing is known until it is",
            dir.path().display()
        ));
    }
    let stored = dir.plan().map_err(|error| crate::chain(&error))?;
    let Some(stored) = stored else { return Ok(None) };
    let run = OpenRun { swid, tag: tag.clone(), trace: None, dir, plan: stored.plan };
    RunLook::read(run).map(Some).map_err(|error| crate::chain(&error))
}
