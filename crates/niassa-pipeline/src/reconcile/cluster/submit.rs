//! Handing attempts over to a scheduler, wave by wave.
//!
//! A wave is what has a job for each step before it. Steps without such steps are handed over held, so that
//! nothing runs before the service has agreed and everything behind is in the queue. Intents are durable
//! before the first call; what a call leaves in doubt is cleared up by the next look. Those of single jobs
//! become durable at once for all waves of a run; those of arrays each with its wave. The service knows of
//! the attempts before: of an attempt that it has never heard of, nobody would look for the job.
//!
//! From one wave to the next a job counts that the scheduler has just acknowledged; the whole is looked at
//! once, in the end. Should the scheduler crash in between and deal the number out again, what waits for it
//! may be started early: then the step runner finds that the step before has not succeeded, and runs nothing.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use niassa_api::claims::{EngineId, Word};
use niassa_model::job::{JobId, JobName, JobState, ListKey, SeenJob};
use niassa_model::limits::{ClusterWaits, NATIVE_PARENTS};
use niassa_model::run::cluster::{ParentJob, next_wave};
use niassa_model::run::reconcile::{Submission, Wish};
use niassa_model::step::{AttemptKey, AttemptNumber, StepIndex};
use niassa_model::time::Timestamp;

use super::arrays::{Group, grouped};
use super::look::{JobsByAttempt, JobsByRun};
use super::wave::{Handed, Waiting, hand_over_wave};
use super::{ClaimedRun, Cluster, Note};
use crate::engine::cluster::{Hold, JobOptions, JobRequest, Queue, SubmitError};
use crate::engine::local::Provisioning;
use crate::failpoint;
use crate::reconcile::PipelineError;
use crate::reconcile::evidence::OpenRun;
use crate::run_dir::attempt_files::{JOB, JobFile};
use crate::run_dir::journal::{Entry, Line, Parents};
use crate::run_dir::{RunDirError, failed};

/// Hands over what is due, and notes what is in the queue then.
pub(super) fn hand_over(
    cluster: &Cluster,
    runs: &mut [ClaimedRun],
    mut queue: Queue,
    now: Timestamp,
    waits: ClusterWaits,
) -> Result<(), PipelineError> {
    let array_limit = OnceLock::new();
    let mut shown = Shown::Looked;
    loop {
        let jobs = JobsByRun::of(&queue);
        let handed = hand_over_wave(cluster, runs, |position, run| {
            if run.word != Word::Go || run.wish() != Wish::GoOn {
                return Vec::new();
            }
            let jobs = jobs.of_run(&run.look);
            let wave = Wave { cluster, jobs: &jobs, now, waits, array_limit: &array_limit };
            wave.of_run(run, position).unwrap_or_else(|error| {
                // What has an intent is in doubt, and cleared up by a later look.
                run.decision.decision.submit.clear();
                run.note = Some(Note::Trouble(crate::chain(&error)));
                Vec::new()
            })
        });
        let mut room = Room::Free;
        if handed.is_empty() {
            if shown == Shown::Looked {
                break;
            }
        } else {
            let acknowledged = acknowledged(&handed);
            room = note_all(runs, handed, now)?;
            failpoint::reach("launcher.noted");
            if let (Some(jobs), Room::Free) = (acknowledged, room) {
                queue.jobs.extend(jobs);
                shown = Shown::InPart;
                continue;
            }
        }
        match cluster.scheduler.look() {
            Ok(seen) => (queue, shown) = (seen, Shown::Looked),
            Err(silent) => {
                tracing::warn!(engine = %cluster.place.engine, %silent, "the queue is not shown");
                return Ok(());
            }
        }
        if room == Room::Full {
            break;
        }
    }
    note_queue(runs, &queue);
    Ok(())
}

/// Returns the attempts of submissions that never become part of an array, in order.
fn singles(run: &OpenRun, submissions: &[Submission]) -> impl Iterator<Item = AttemptKey> {
    let is_single = |of: &&Submission| run.plan.steps[of.step.as_usize()].element.is_none();
    submissions.iter().filter(is_single).map(|of| run.key(of.step, of.attempt))
}

/// An intent before it is known whether its call will be made. It does not count as one that was: another
/// line follows before the call, which need not be durable.
fn intent_ahead(attempt: AttemptKey) -> Entry {
    let name = JobName::Attempt(attempt.clone());
    Entry::Intent { name, attempts: vec![attempt], parents: Parents::Open }
}

/// Takes back intents of which no call was made: whoever goes on need not wait for their jobs. Where that
/// cannot be written down, somebody waits in vain, and nothing else.
pub(super) fn withdraw_what_was_not_handed_over(runs: &mut [ClaimedRun], now: Timestamp) {
    for run in runs {
        let withdrawn = run.intended.drain().map(|attempt| Entry::Withdrawn {
            name: JobName::Attempt(attempt),
            parents: Parents::Open,
        });
        if let Err(error) = run.journal.note(now, withdrawn.collect()) {
            tracing::warn!(run = %run.claim.swid, %error, "intents are not taken back");
        }
    }
}

/// Where what is known of the queue comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The scheduler has shown all of it.
    Looked,
    /// Some of it was only acknowledged.
    InPart,
}

/// Whether the queue takes jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Free,
    Full,
}

/// Makes of a wave's acknowledged jobs what a look would show. Nothing where only a look tells: how elements
/// of an array are numbered, and whether there is a job behind a failed call.
fn acknowledged(handed: &[(Waiting, Handed)]) -> Option<Vec<SeenJob>> {
    let job = |(waiting, result): &(Waiting, Handed)| match (result, waiting.request.elements) {
        (Some(Ok(id)), None) => Some(SeenJob {
            id: id.clone(),
            name: waiting.request.name.clone(),
            element: None,
            state: match waiting.request.hold {
                Hold::Held => JobState::Held,
                Hold::Free => JobState::Waiting,
            },
            words: String::new(),
            node: None,
        }),
        _ => None,
    };
    handed.iter().map(job).collect()
}

/// What a wave is made with.
struct Wave<'wave> {
    cluster: &'wave Cluster,
    jobs: &'wave JobsByAttempt<'wave>,
    now: Timestamp,
    waits: ClusterWaits,
    /// Asked for once, by the first run that has something for an array.
    array_limit: &'wave OnceLock<u32>,
}

impl Wave<'_> {
    /// Takes what is due now from a run's submissions, and makes it ready: files, then intents.
    fn of_run(&self, run: &mut ClaimedRun, position: usize) -> Result<Vec<Waiting>, RunDirError> {
        let in_queue = self.jobs.values().flatten().filter(|job| job.state.is_live()).count();
        let room = self.cluster.max_jobs.saturating_sub(in_queue);
        let job_of = |step, attempt| match live(self.jobs, &run.look.run.key(step, attempt)) {
            Some(_) => ParentJob::Seen,
            None => ParentJob::NotSeen,
        };
        let submissions = &run.decision.decision.submit;
        let due = next_wave(submissions, room, NATIVE_PARENTS, job_of);
        if room == 0 && !submissions.is_empty() && run.is_new() {
            run.note = Some(Note::Progress(format!(
                "{in_queue} of {} steps are handed over; further ones follow",
                run.look.run.plan.steps.len()
            )));
        }
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let due: HashSet<usize> = due.into_iter().collect();
        let all = std::mem::take(&mut run.decision.decision.submit);
        let (mut wave, mut later) = (Vec::new(), Vec::new());
        for (position, submission) in all.into_iter().enumerate() {
            if due.contains(&position) { wave.push(submission) } else { later.push(submission) }
        }
        run.decision.decision.submit = later;
        let path = run.look.run.dir.path().to_owned();
        let made = self.make_ready(run, position, &wave, room.saturating_sub(wave.len()));
        made.map_err(failed("make jobs ready in", &path))
    }

    /// Writes the files of a wave and what is missing of its intents. Where that waits for the disk, the intents
    /// of as many jobs of later waves as there is room for are written with them.
    fn make_ready(
        &self,
        run: &mut ClaimedRun,
        position: usize,
        wave: &[Submission],
        room: usize,
    ) -> io::Result<Vec<Waiting>> {
        let has_elements = wave.iter().any(|submission| {
            run.look.run.plan.steps[submission.step.as_usize()].element.is_some()
        });
        let asked = || self.cluster.scheduler.array_limit().unwrap_or(1);
        let limit = if has_elements { *self.array_limit.get_or_init(asked) } else { 1 };
        let wave: Vec<&Submission> = wave.iter().collect();
        let mut waiting = Vec::new();
        let mut intents = Vec::new();
        let mut are_durable = true;
        let mut lists = run.lists;
        for group in grouped(&run.look.run.plan, &wave, limit) {
            let job = self.job(run, position, lists, &group)?;
            lists += u32::from(group.len() > 1);
            let parents = match group[0].after.is_empty() {
                true => Parents::Succeeded,
                false => Parents::Open,
            };
            let (name, attempts) = (job.request.name.clone(), job.attempts.clone());
            for attempt in &attempts {
                are_durable &= run.intended.remove(attempt);
            }
            intents.push(Entry::Intent { name, attempts, parents });
            waiting.push(job);
        }
        run.lists = lists;
        if are_durable {
            run.journal.note(self.now, intents.clone())?;
        } else {
            let later = singles(&run.look.run, &run.decision.decision.submit);
            let ahead = later.filter(|attempt| !run.intended.contains(attempt));
            let ahead: Vec<AttemptKey> = ahead.take(room).collect();
            let of_all = intents.iter().cloned().chain(ahead.iter().cloned().map(intent_ahead));
            run.journal.intend(self.now, of_all.collect())?;
            run.intended.extend(ahead);
        }
        for entry in intents {
            run.look.journal.take(Line { at: self.now, entry });
        }
        Ok(waiting)
    }

    fn job(
        &self,
        run: &ClaimedRun,
        position: usize,
        number: u32,
        group: &Group<'_>,
    ) -> io::Result<Waiting> {
        let open = &run.look.run;
        let mut attempts = Vec::with_capacity(group.len());
        for submission in group {
            let key = open.key(submission.step, submission.attempt);
            self.write_job_file(run, submission, &key)?;
            attempts.push(key);
        }
        let first = group[0];
        let dir = &open.dir;
        let (name, arguments, elements) = if group.len() == 1 {
            let attempt = dir.attempt(&attempts[0], &open.plan.steps[first.step.as_usize()]);
            (JobName::Attempt(attempts[0].clone()), vec![attempt.into_os_string()], None)
        } else {
            let (run, tag, epoch) = (open.swid, open.tag.clone(), run.claim.epoch);
            let key = ListKey { run, tag, epoch, number };
            let list = dir.store_list(&format!("e{epoch}-l{number}"), &open.plan, &attempts)?;
            let arguments = vec!["--list".into(), list.into_os_string()];
            (JobName::List(key), arguments, u32::try_from(group.len()).ok())
        };
        let hold = if first.after.is_empty() { Hold::Held } else { Hold::Free };
        let request = JobRequest {
            name,
            script: dir.job_script(),
            arguments,
            elements,
            directory: dir.work(),
            output: dir.job_log(),
            resources: first.resources,
            after: self.parent_jobs(run, first),
            hold,
            delay_seconds: first.backoff_seconds,
            options: JobOptions {
                queue: run.claim.options.queue.clone(),
                project: run.claim.options.project.clone(),
                qos: run.claim.options.qos.clone(),
            },
        };
        Ok(Waiting { position, attempts, request })
    }

    /// Returns the jobs a submission waits for: whole arrays where all their elements are meant.
    fn parent_jobs(&self, run: &ClaimedRun, submission: &Submission) -> Vec<JobId> {
        let mut by_job: BTreeMap<&str, Vec<&SeenJob>> = BTreeMap::new();
        for (step, number) in &submission.after {
            if let Some(job) = live(self.jobs, &run.look.run.key(*step, *number)) {
                by_job.entry(job.id.whole()).or_default().push(job);
            }
        }
        let of_job = |(whole, jobs): (&str, Vec<&SeenJob>)| {
            let elements = run.look.journal.attempts_of(&jobs[0].name).len();
            if jobs[0].element.is_some() && jobs.len() == elements {
                vec![JobId(whole.to_owned())]
            } else {
                jobs.into_iter().map(|job| job.id.clone()).collect()
            }
        };
        by_job.into_iter().flat_map(of_job).collect()
    }

    fn write_job_file(
        &self,
        run: &ClaimedRun,
        submission: &Submission,
        key: &AttemptKey,
    ) -> io::Result<()> {
        let open = &run.look.run;
        let step = &open.plan.steps[submission.step.as_usize()];
        let below = |path: &Path| path.strip_prefix(open.dir.path()).unwrap_or(path).to_owned();
        let parents = step.after.iter().map(|parent| {
            let number = run.attempt_that_counts(*parent, submission);
            let attempt = open.key(*parent, number);
            below(&open.dir.attempt(&attempt, &open.plan.steps[parent.as_usize()]))
        });
        let file = JobFile {
            key: key.clone(),
            resources: submission.resources,
            processing: run.accessions.get(submission.step.as_usize()).copied(),
            trace: open.trace.clone(),
            parents: parents.collect(),
            provisioning: match step.outputs.is_empty() {
                true => Provisioning::Nothing,
                false => Provisioning::Outputs,
            },
            waits: self.waits,
        };
        // Whole or not at all: a job of an earlier intent may be reading it.
        let attempt = open.dir.attempt(key, step);
        let temporary = attempt.join(format!(".{JOB}"));
        std::fs::write(&temporary, serde_json::to_vec(&file)?)?;
        std::fs::rename(&temporary, attempt.join(JOB))
    }
}

impl ClaimedRun {
    /// The attempt of a step before that decides: the one that is waited for, or that has succeeded.
    fn attempt_that_counts(&self, parent: StepIndex, of: &Submission) -> AttemptNumber {
        let waited_for = of.after.iter().find(|(step, _)| *step == parent);
        waited_for.map_or_else(
            || {
                let attempts = self.look.attempts.get(parent.as_usize()).map_or(1, Vec::len);
                AttemptNumber(u32::try_from(attempts.max(1)).unwrap_or(1))
            },
            |(_, number)| *number,
        )
    }
}

fn live<'jobs>(jobs: &'jobs JobsByAttempt<'_>, key: &AttemptKey) -> Option<&'jobs SeenJob> {
    jobs.get(key)?.iter().copied().find(|job| job.state.is_live())
}

/// Writes down what became of each job. Tells whether the queue takes more.
fn note_all(
    runs: &mut [ClaimedRun],
    handed: Vec<(Waiting, Handed)>,
    now: Timestamp,
) -> Result<Room, PipelineError> {
    let mut room = Room::Free;
    let mut entries: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
    for (Waiting { position, request, .. }, result) in handed {
        let name = request.name;
        let withdrawn = match request.after.is_empty() {
            true => Parents::Succeeded,
            false => Parents::Open,
        };
        let (entry, note) = match result {
            Some(Ok(id)) => (Entry::Submitted { name, id }, None),
            Some(Err(SubmitError::Refused(words))) => {
                let note = format!("the scheduler refused a job: {words}");
                (Entry::Refused { name, words }, Some(Note::Trouble(note)))
            }
            Some(Err(SubmitError::Full(words))) => {
                room = Room::Full;
                let note = Note::Progress(format!("the queue takes no more jobs now: {words}"));
                (Entry::Withdrawn { name, parents: withdrawn }, Some(note))
            }
            None => (Entry::Withdrawn { name, parents: withdrawn }, None),
            Some(Err(SubmitError::InDoubt(words))) => {
                let note = format!("whether the scheduler has a job is not known yet: {words}");
                (Entry::InDoubt { name, words }, Some(Note::Trouble(note)))
            }
        };
        if let Some(note) = note {
            runs[position].note.get_or_insert(note);
        }
        entries.entry(position).or_default().push(entry);
    }
    for (position, entries) in entries {
        let run = &mut runs[position];
        let path = run.look.run.dir.path().to_owned();
        let noted = run.journal.note(now, entries.clone());
        noted.map_err(failed("write the journal of", &path))?;
        for entry in entries {
            run.look.journal.take(Line { at: now, entry });
        }
    }
    Ok(room)
}

/// Notes which attempts have a job, and which of these are held and not yet let go.
fn note_queue(runs: &mut [ClaimedRun], queue: &Queue) {
    let by_run = JobsByRun::of(queue);
    for run in runs {
        let closing: HashSet<(StepIndex, AttemptNumber)> =
            run.decision.decision.close.iter().map(|(step, number, _)| (*step, *number)).collect();
        for (key, jobs) in by_run.of_run(&run.look) {
            let known = run.look.attempt(key.step, key.attempt);
            let is_over = known.is_some_and(|known| known.exit.is_some())
                || closing.contains(&(key.step, key.attempt));
            if is_over {
                continue;
            }
            let released = run.look.journal.of(&key, &jobs).handed.released;
            for job in jobs.into_iter().filter(|job| job.state.is_live()) {
                let let_go = released.contains(&(job.id.clone(), queue.scheduler_started.clone()));
                if job.state == JobState::Held && !let_go {
                    run.held.push(job.id.clone());
                }
                let (step, attempt, id) = (key.step, key.attempt, job.id.to_string());
                run.ids.push(EngineId { step, attempt, id });
            }
        }
        run.seen_in.clone_from(&queue.scheduler_started);
        run.held.sort_unstable();
        run.ids.sort_by_key(|id| (id.step, id.attempt));
    }
}
