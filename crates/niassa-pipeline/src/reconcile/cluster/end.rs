//! Closing, concluding, fencing and stopping attempts, and cancelling their jobs.
//!
//! An attempt is closed by taking its claim file: no job can start it after. Whoever has the claim already
//! keeps it. Jobs are cancelled after their attempts are closed, those of later steps first: the end of
//! a job lets those behind it go.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use niassa_model::job::{JobId, SeenJob};
use niassa_model::run::sighting::AttemptOrder;
use niassa_model::step::{AttemptKey, AttemptNumber, Outcome, StepIndex};
use niassa_model::time::Timestamp;

use super::look::{JobsByAttempt, JobsByRun};
use super::{ClaimedRun, Cluster};
use crate::engine::cluster::Queue;
use crate::failpoint;
use crate::place::machine;
use crate::reconcile::PipelineError;
use crate::run_dir::attempt_files::{
    ALIVE, ClaimFile, ExitFile, FENCE, STOP, put_exit, put_mark, take_claim,
};
use crate::run_dir::failed;
use crate::run_dir::journal::Entry;

/// How much of the end of a log is told.
const LOG_END_BYTES: u64 = 500;

/// Carries out everything but handing over, for a batch of runs. Without a queue no job is cancelled: that
/// is done when the scheduler answers again.
pub(super) fn act(
    cluster: &Cluster,
    runs: &mut [ClaimedRun],
    queue: Option<&Queue>,
    now: Timestamp,
) -> Result<(), PipelineError> {
    let nothing = Queue::default();
    let jobs = JobsByRun::of(queue.unwrap_or(&nothing));
    let mut cancel = Vec::new();
    for run in runs {
        let jobs = jobs.of_run(&run.look);
        let path = run.look.run.dir.path().to_owned();
        let of_run = act_on(run, &jobs, now).map_err(failed("end attempts of", &path))?;
        cancel.extend(of_run);
    }
    failpoint::reach("launcher.ended");
    if cancel.is_empty() {
        return Ok(());
    }
    if let Err(error) = cluster.scheduler.cancel(&cancel) {
        // What is closed can start no more; the next look finds its jobs.
        tracing::warn!(engine = %cluster.place.engine, %error, "jobs were not cancelled");
    }
    Ok(())
}

/// Carries out what is to be done in one run's directory; returns the jobs to cancel, last step first.
fn act_on(
    run: &mut ClaimedRun,
    jobs: &JobsByAttempt<'_>,
    now: Timestamp,
) -> io::Result<Vec<JobId>> {
    let mut entries = Vec::new();
    let mut cancel: Vec<(StepIndex, JobId)> = Vec::new();
    let orders = std::mem::take(&mut run.decision.orders);
    let closing: Vec<(StepIndex, AttemptNumber, Outcome, String)> = run
        .decision
        .decision
        .close
        .iter()
        .map(|(step, number, outcome)| (*step, *number, *outcome, String::new()))
        .chain(orders.iter().filter_map(|(step, number, order)| match order {
            AttemptOrder::Close(outcome, words) => Some((*step, *number, *outcome, words.clone())),
            _ => None,
        }))
        .collect();
    close(run, &closing, jobs, now, &mut cancel)?;
    for (step, number, order) in orders {
        let key = run.look.run.key(step, number);
        let attempt = run.attempt_dir(step, number);
        match order {
            AttemptOrder::Cancel(job) => cancel.push((step, job)),
            AttemptOrder::Conclude(outcome, words) => {
                put_exit(&attempt, &run.exit(step, number, outcome, words, now))?;
            }
            AttemptOrder::NoteOver => entries.push(Entry::Over { attempt: key }),
            AttemptOrder::Fence(reason) => {
                put_mark(&attempt, FENCE)?;
                cancel.extend(live(jobs, &key).map(|job| (step, job.id.clone())));
                entries.push(Entry::Fenced { attempt: key.clone(), reason });
                entries.push(Entry::Alive { attempt: key, value: alive(&attempt) });
            }
            AttemptOrder::Read => {
                entries.push(Entry::Alive { attempt: key, value: alive(&attempt) });
            }
            // Closed above; let go once the service has agreed.
            AttemptOrder::Close(..) | AttemptOrder::Release(_) => {}
        }
    }
    for (step, number) in std::mem::take(&mut run.decision.decision.stop) {
        put_mark(&run.attempt_dir(step, number), STOP)?;
        let key = run.look.run.key(step, number);
        cancel.extend(live(jobs, &key).map(|job| (step, job.id.clone())));
    }
    cancel.sort_by_key(|(step, _)| std::cmp::Reverse(*step));
    let cancel: Vec<JobId> = cancel.into_iter().map(|(_, job)| job).collect();
    if !cancel.is_empty() {
        // Durable before the call: a job that we cancelled is not taken for one that a person did.
        run.journal.intend(now, vec![Entry::Cancelled { jobs: cancel.clone() }])?;
    }
    run.journal.note(now, entries)?;
    Ok(cancel)
}

/// Takes claims away from every job, and says what the attempts come to.
fn close(
    run: &mut ClaimedRun,
    closing: &[(StepIndex, AttemptNumber, Outcome, String)],
    jobs: &JobsByAttempt<'_>,
    now: Timestamp,
    cancel: &mut Vec<(StepIndex, JobId)>,
) -> io::Result<()> {
    if closing.is_empty() {
        return Ok(());
    }
    let attempts: Vec<AttemptKey> =
        closing.iter().map(|(step, number, ..)| run.look.run.key(*step, *number)).collect();
    run.journal.intend(now, vec![Entry::Closing { attempts: attempts.clone() }])?;
    failpoint::reach("launcher.closing");
    for ((step, number, outcome, words), key) in closing.iter().zip(attempts) {
        let attempt = run.attempt_dir(*step, *number);
        let mine = ClaimFile {
            by: format!("{:032x}", rand::random::<u128>()),
            job: None,
            restarts: 0,
            closes: Some(*outcome),
            machine: machine(),
            boot: String::new(),
            pid: std::process::id(),
            at: now,
        };
        let counts = take_claim(&attempt, &mine)?;
        failpoint::reach("launcher.closed");
        if counts.job.is_some() {
            // A job was faster: it runs, and what it comes to is told by itself.
            continue;
        }
        let outcome = counts.closes.unwrap_or(*outcome);
        let mut words = words.clone();
        if jobs.get(&key).is_some_and(|jobs| jobs.iter().any(|job| !job.state.is_live())) {
            words.push_str(&run.words_of_jobs());
        }
        put_exit(&attempt, &run.exit(*step, *number, outcome, words, now))?;
        cancel.extend(live(jobs, &key).map(|job| (*step, job.id.clone())));
    }
    Ok(())
}

fn live<'jobs>(
    jobs: &'jobs JobsByAttempt<'_>,
    key: &AttemptKey,
) -> impl Iterator<Item = &'jobs SeenJob> {
    jobs.get(key).into_iter().flatten().copied().filter(|job| job.state.is_live())
}

fn alive(attempt: &Path) -> String {
    std::fs::read_to_string(attempt.join(ALIVE)).unwrap_or_default()
}

/// Returns the last two lines of a file, as far as people can read them: bash says in two why it cannot become a
/// program, and the first of them tells more.
fn last_lines(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_END_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(LOG_END_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.drain(..lines.len().saturating_sub(2));
    Some(lines.join("; ").chars().filter(|c| !c.is_control()).collect())
}

impl ClaimedRun {
    fn attempt_dir(&self, step: StepIndex, number: AttemptNumber) -> PathBuf {
        let run = &self.look.run;
        run.dir.attempt(&run.key(step, number), &run.plan.steps[step.as_usize()])
    }

    /// What the jobs of the run wrote before any step began, or what it may mean that they wrote nothing.
    fn words_of_jobs(&self) -> String {
        let log = self.look.run.dir.job_log();
        let words = last_lines(&log).unwrap_or_default();
        match words.as_str() {
            "" => format!(
                "; no job of the run has written to {}: does its node see the work directory, under that path?",
                log.display()
            ),
            words => format!("; {} ends with: {words}", log.display()),
        }
    }

    /// What is written as the end of an attempt of which no runner will say more.
    fn exit(
        &self,
        step: StepIndex,
        number: AttemptNumber,
        outcome: Outcome,
        words: String,
        now: Timestamp,
    ) -> ExitFile {
        let attempt = self.look.attempt(step, number);
        let terminated = attempt.and_then(|attempt| attempt.terminated.as_ref());
        let claim = attempt.and_then(|attempt| attempt.claim.as_ref());
        let claim = claim.filter(|claim| claim.job.is_some());
        ExitFile {
            outcome,
            started_at: terminated.map(|t| t.started_at).or(claim.map(|claim| claim.at)),
            ended_at: terminated.map_or(now, |terminated| terminated.ended_at),
            machine: claim.map_or_else(machine, |claim| claim.machine.clone()),
            cpu_micros: terminated.and_then(|terminated| terminated.cpu_micros),
            peak_memory_bytes: terminated.and_then(|terminated| terminated.peak_memory_bytes),
            message: (!words.is_empty()).then_some(words),
        }
    }
}
