//! The step runner: one attempt on a node of a cluster, as `seqware step`.
//!
//! It takes the claim, runs the command, keeps the outputs and says what the attempt came to, all
//! by files of the run directory; it knows no scheduler, no service and no settings, and makes no
//! directory. It succeeds only where `exit.json` says success, whoever wrote that. Without the claim
//! it starts nothing; with it, it is the only one that ever starts this attempt.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use niassa_model::job::JobId;
use niassa_model::limits::STOP_GRACE;
use niassa_model::step::{Outcome, StepReason, StepStatus};
use niassa_model::time::{Clock, Timestamp};
use rustix::process::Signal;

use super::command::Attempt;
use super::environment::{passed_on, run_dir};
use super::identity::Identity;
use super::memory::Kills;
use super::outcome::{Ending, Verdict, of_command, of_ending, was_signalled, words};
use super::parents::{self, ParentsError};
use super::watch::{self, Event};
use super::{list, run_time::RunTime};
use crate::engine::local::Provisioning;
use crate::process_group::{
    ProcessEnd, end_strays, give_grace, reap_with_group, see_children_end, signal_group,
    wait_unreaped,
};
use crate::run_dir::attempt_files::{
    ClaimFile, EXIT, ExitFile, FENCE, JOB, JobFile, RUNNER_LOG, ReservedExit, STOP, TerminatedFile,
    append_line, is_there, put_terminated, read, take_claim,
};
use crate::{chain, ended_marks, failpoint, machine};

/// How long nothing is looked at while a process is waited for.
const TICK: Duration = Duration::from_millis(200);
/// How long to wait before a result that could not be written is written again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the word of a scheduler is waited for that may have ended a command by a signal.
const LATE_WORD: Duration = Duration::from_secs(1);

/// Which attempt is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one in this directory.
    Attempt(PathBuf),
    /// The one in that line of this list that the scheduler's number of the element names.
    ElementOf(PathBuf),
}

/// Why a runner did not end with success. Nothing of it was started unless the words say so.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// No scheduler started it.
    #[error("this is no job: neither SLURM_JOB_ID nor JOB_ID is set")]
    NoJob,
    /// The job is no element of an array.
    #[error(
        "this job is no element of an array: neither SLURM_ARRAY_TASK_ID nor SGE_TASK_ID is set"
    )]
    NoElement,
    /// The list has no such element, or is no list.
    #[error("find the element of {}", .0.display())]
    List(PathBuf, #[source] io::Error),
    /// The directory is not one of ours.
    #[error("{} is not the directory of an attempt", .0.display())]
    NotAnAttempt(PathBuf),
    /// Signals cannot be listened to, or the end of children not be seen.
    #[error("listen to signals")]
    Listen(#[source] io::Error),
    /// A file of the attempt cannot be read or written.
    #[error("{0} of the attempt")]
    File(&'static str, #[source] io::Error),
    /// A step before has not succeeded.
    #[error("an attempt before has not succeeded")]
    Parents(#[source] ParentsError),
    /// Another job has the claim, or the attempt was closed.
    #[error("duplicate: {0}; nothing was started")]
    Duplicate(String),
    /// The attempt came to something else than success; `exit.json` says so.
    #[error("the attempt came to {}", .0.status)]
    CameTo(Outcome),
    /// The scheduler asked for its end; why is for the scheduler to say.
    #[error("the scheduler asked for its end by signal {0}, and the command was ended")]
    Terminated(i32),
    /// The result could not be written.
    #[error("the command is over, and the result could not be written")]
    Result(#[source] io::Error),
}

/// Runs an attempt to its end. Success only where its `exit.json` says success.
pub fn run(
    which: &Which,
    environment: Vec<(OsString, OsString)>,
    clock: &dyn Clock,
) -> Result<(), StepError> {
    let identity = Identity::of_this_job().ok_or(StepError::NoJob)?;
    let attempt = match which {
        Which::Attempt(attempt) => attempt.clone(),
        Which::ElementOf(list) => {
            let number = identity.element.ok_or(StepError::NoElement)?;
            list::element(list, number).map_err(|error| StepError::List(list.clone(), error))?
        }
    };
    let attempt = std::path::absolute(&attempt).map_err(|_| StepError::NotAnAttempt(attempt))?;
    let ended = run_attempt(&attempt, &identity, &passed_on(environment), clock);
    if let Some(run) = run_dir(&attempt) {
        ended_marks::leave(run);
    }
    match &ended {
        // What `exit.json` says need not be said twice.
        Ok(()) | Err(StepError::CameTo(_)) => {}
        Err(error) => {
            let line = format!("{} job {}: {}", clock.now(), identity.job, chain(error));
            // The scheduler's own output has the words too.
            let _unwritten = append_line(&attempt, RUNNER_LOG, &line);
        }
    }
    ended
}

fn run_attempt(
    attempt: &Path,
    identity: &Identity,
    environment: &[(OsString, OsString)],
    clock: &dyn Clock,
) -> Result<(), StepError> {
    see_children_end().map_err(StepError::Listen)?;
    let (sender, events) = channel();
    watch::signals(sender.clone()).map_err(StepError::Listen)?;
    failpoint::reach("runner.begun");
    let known = read::<ExitFile>(attempt, EXIT).map_err(failed("read exit.json"))?;
    if let Some(exit) = known {
        return as_it_says(&exit);
    }
    let job: JobFile = read(attempt, JOB)
        .and_then(|job| job.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)))
        .map_err(failed("read job.json"))?;
    let run = run_dir(attempt).ok_or_else(|| StepError::NotAnAttempt(attempt.to_owned()))?;
    parents::wait(run, &job.parents, job.waits.parents, &events).map_err(StepError::Parents)?;
    let room = ReservedExit::take(attempt).map_err(failed("reserve the room for exit.json"))?;
    failpoint::reach("runner.before-claim");
    take(attempt, &identity.job, identity.restarts, clock.now())?;
    failpoint::reach("runner.claimed");
    let run_time = RunTime::new(job.resources.seconds.map(Duration::from_secs));
    let processes = Attempt { dir: attempt, job: &job, environment };
    Runner { attempt, job: &job, processes, clock, sender, events, run_time }.run(room)
}

fn failed(operation: &'static str) -> impl FnOnce(io::Error) -> StepError {
    move |error| StepError::File(operation, error)
}

/// Takes the claim; an error unless it is ours.
fn take(attempt: &Path, job: &JobId, restarts: u32, at: Timestamp) -> Result<(), StepError> {
    let mine = ClaimFile {
        by: format!("{:016x}", rand::random::<u64>()),
        job: Some(job.clone()),
        restarts,
        closes: None,
        machine: machine::name(),
        boot: machine::boot_id(),
        pid: std::process::id(),
        at,
    };
    let counted = take_claim(attempt, &mine).map_err(failed("take the claim"))?;
    if counted.by == mine.by {
        return Ok(());
    }
    Err(StepError::Duplicate(match counted.job {
        Some(job) => format!("job {job} on {} has the claim", counted.machine),
        None => "the attempt was closed".to_owned(),
    }))
}

fn as_it_says(exit: &ExitFile) -> Result<(), StepError> {
    match exit.outcome.status {
        StepStatus::Success => Ok(()),
        StepStatus::Pending
        | StepStatus::Running
        | StepStatus::Failed
        | StepStatus::Skipped
        | StepStatus::Cancelled
        | StepStatus::Lost => Err(StepError::CameTo(exit.outcome)),
    }
}

/// A runner that has the claim.
struct Runner<'a> {
    attempt: &'a Path,
    job: &'a JobFile,
    processes: Attempt<'a>,
    clock: &'a dyn Clock,
    sender: Sender<Event>,
    events: Receiver<Event>,
    run_time: RunTime,
}

/// How a process ended that was followed.
struct Followed {
    end: io::Result<ProcessEnd>,
    ending: Option<Ending>,
}

impl Runner<'_> {
    fn run(mut self, room: ReservedExit) -> Result<(), StepError> {
        let marks = watch::marks(self.attempt, self.job.waits.alive, self.sender.clone());
        let (verdict, mut exit) = match (marks, self.mark()) {
            (Err(error), _) => self.never_started(&error),
            (Ok(()), Some(ending)) => self.never_begun(ending),
            (Ok(()), None) => match self.command() {
                Ok((verdict, exit)) => (verdict, exit),
                Err(error) => self.never_started(&error),
            },
        };
        match verdict {
            Verdict::Came(outcome) => {
                exit.outcome = outcome;
                failpoint::reach("runner.before-exit");
                let counted = self.put(room, &exit).map_err(StepError::Result)?;
                failpoint::reach("runner.after-exit");
                if counted.outcome != outcome {
                    let line = format!(
                        "{} it came to {} here, but had a result already",
                        self.clock.now(),
                        outcome.status
                    );
                    // It is for people only.
                    let _unwritten = append_line(self.attempt, RUNNER_LOG, &line);
                }
                as_it_says(&counted)
            }
            Verdict::Terminated(signal) => {
                drop(room);
                let terminated = TerminatedFile {
                    signal,
                    started_at: exit.started_at.unwrap_or(exit.ended_at),
                    ended_at: exit.ended_at,
                    cpu_micros: exit.cpu_micros,
                    peak_memory_bytes: exit.peak_memory_bytes,
                };
                put_terminated(self.attempt, &terminated)
                    .map_err(failed("write terminated.json"))?;
                Err(StepError::Terminated(signal))
            }
        }
    }

    /// Runs the command, and what keeps its outputs. An error means that it never started.
    fn command(&mut self) -> io::Result<(Verdict, ExitFile)> {
        let kills = Kills::now();
        let started_at = self.clock.now();
        let pid = self.processes.start_command()?;
        failpoint::reach("runner.started");
        let Followed { end, ending } = self.follow(pid);
        failpoint::reach("runner.ended");
        let mut exit = self.blank();
        exit.started_at = Some(started_at);
        exit.message = ending.and_then(words).map(str::to_owned);
        let end = match end {
            Ok(end) => end,
            Err(error) => {
                let lost = Outcome::without_exit(StepStatus::Lost, StepReason::Lost);
                exit.message = Some(format!("the end of the command could not be seen: {error}"));
                return Ok((Verdict::Came(lost), exit));
            }
        };
        exit.cpu_micros = Some(end.cpu_micros);
        exit.peak_memory_bytes = Some(end.peak_memory_bytes);
        let verdict = of_command(end, ending, kills.since());
        let has_outputs = self.job.provisioning == Provisioning::Outputs;
        if !has_outputs || verdict != Verdict::Came(Outcome::SUCCESS) {
            return Ok((verdict, exit));
        }
        let (verdict, message) = self.provision();
        exit.message = message;
        exit.ended_at = self.clock.now();
        Ok((verdict, exit))
    }

    /// Keeps the outputs of a command that has succeeded.
    fn provision(&mut self) -> (Verdict, Option<String>) {
        let failure = |message| {
            let reason = StepReason::ProvisionOut;
            let outcome =
                Outcome { exit_code: Some(0), ..Outcome::without_exit(StepStatus::Failed, reason) };
            (Verdict::Came(outcome), Some(message))
        };
        let pid = match self.processes.start_provision() {
            Ok(pid) => pid,
            Err(error) => return failure(format!("provisioning could not be started: {error}")),
        };
        match self.follow(pid) {
            Followed { end: Ok(ProcessEnd { exit_code: Some(0), .. }), .. } => {
                (Verdict::Came(Outcome::SUCCESS), None)
            }
            Followed { ending: Some(ending), .. } => {
                let verdict = match of_ending(ending) {
                    Verdict::Came(outcome) => {
                        Verdict::Came(Outcome { exit_code: Some(0), ..outcome })
                    }
                    Verdict::Terminated(signal) => Verdict::Terminated(signal),
                };
                (verdict, words(ending).map(str::to_owned))
            }
            Followed { end: Ok(_), ending: None } => {
                failure("the outputs could not be kept; stderr says why".to_owned())
            }
            Followed { end: Err(error), ending: None } => {
                failure(format!("the end of provisioning could not be seen: {error}"))
            }
        }
    }

    /// Waits for the end of a process, ends it early where there is a reason, and whatever is left
    /// of its group.
    fn follow(&mut self, pid: u32) -> Followed {
        let sender = self.sender.clone();
        let wait = move || sender.send(Event::Ended(wait_unreaped(pid)));
        if let Err(error) = thread::Builder::new().name("waiter".to_owned()).spawn(wait) {
            // A process whose end cannot be seen is ended below. We hold the receiver.
            let _received = self.sender.send(Event::Ended(Err(error)));
        }
        let mut asked: Option<(Ending, Instant)> = None;
        let end = loop {
            let reason = match self.events.recv_timeout(TICK) {
                Ok(Event::Ended(end)) => break end,
                Ok(Event::Stop) => Some(Ending::Stopped),
                Ok(Event::Fence) => Some(Ending::Fenced),
                Ok(Event::Signal(signal)) => Some(Ending::Terminated(signal)),
                // We hold a sender ourselves, so there is always one.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
            };
            self.run_time.pass(Instant::now());
            let reason = reason.or_else(|| self.run_time.is_over().then_some(Ending::TimeLimit));
            if let (Some(reason), None) = (reason, asked) {
                asked = Some((reason, Instant::now()));
                signal_group(pid, Signal::TERM);
            }
            if asked.is_some_and(|(_, at)| at.elapsed() >= STOP_GRACE) {
                signal_group(pid, Signal::KILL);
            }
        };
        if asked.is_none() && end.as_ref().is_ok_and(|end| was_signalled(*end)) {
            asked = self.late_word().map(|ending| (ending, Instant::now()));
        }
        if let Some((_, at)) = asked {
            give_grace(&self.job.key, pid, STOP_GRACE.saturating_sub(at.elapsed()));
        }
        if let Err(error) = reap_with_group(pid) {
            tracing::error!(pid, %error, "a process that has ended cannot be reaped");
        }
        let is_success = matches!(end, Ok(ProcessEnd { exit_code: Some(0), .. }));
        if asked.is_some() || !is_success {
            // What left the group must not run beside the next attempt, or after a cancel.
            end_strays(&self.job.key);
        }
        Followed { end, ending: asked.map(|(ending, _)| self.settled(ending)) }
    }

    /// A scheduler signals everything of a job: a command can end of that before we hear of it.
    fn late_word(&self) -> Option<Ending> {
        match self.events.recv_timeout(LATE_WORD) {
            Ok(Event::Stop) => Some(Ending::Stopped),
            Ok(Event::Fence) => Some(Ending::Fenced),
            Ok(Event::Signal(signal)) => Some(Ending::Terminated(signal)),
            Ok(Event::Ended(_)) | Err(_) => self.mark(),
        }
    }

    /// A scheduler that was told to cancel can be faster than the mark that says who told it.
    fn settled(&self, ending: Ending) -> Ending {
        match ending {
            Ending::Terminated(_) => self.mark().unwrap_or(ending),
            Ending::Stopped | Ending::Fenced | Ending::TimeLimit => ending,
        }
    }

    fn mark(&self) -> Option<Ending> {
        let is_marked = |name| is_there(self.attempt, name).unwrap_or(false);
        if is_marked(STOP) {
            return Some(Ending::Stopped);
        }
        is_marked(FENCE).then_some(Ending::Fenced)
    }

    fn never_begun(&self, ending: Ending) -> (Verdict, ExitFile) {
        let message = words(ending).map(|_| "it was given up for lost before it began".to_owned());
        (of_ending(ending), ExitFile { message, ..self.blank() })
    }

    fn never_started(&self, error: &io::Error) -> (Verdict, ExitFile) {
        let outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CouldNotStart);
        let message = Some(format!("the command could not be started: {error}"));
        (Verdict::Came(outcome), ExitFile { message, ..self.blank() })
    }

    /// A result without content, now.
    fn blank(&self) -> ExitFile {
        ExitFile {
            outcome: Outcome::without_exit(StepStatus::Lost, StepReason::Lost),
            started_at: None,
            ended_at: self.clock.now(),
            machine: machine::name(),
            cpu_micros: None,
            peak_memory_bytes: None,
            message: None,
        }
    }

    /// Writes the result, again and again for a while: nobody else knows it.
    fn put(&self, mut room: ReservedExit, exit: &ExitFile) -> io::Result<ExitFile> {
        let begun = Instant::now();
        let mut is_last = false;
        loop {
            match room.put(self.attempt, exit) {
                Ok(counted) => return Ok(counted),
                Err(error) if is_last => return Err(error),
                Err(error) => tracing::warn!(%error, "the result cannot be written yet"),
            }
            let was_asked = matches!(self.events.recv_timeout(AGAIN), Ok(Event::Signal(_)));
            is_last = was_asked || begun.elapsed() > self.job.waits.silent;
        }
    }
}
