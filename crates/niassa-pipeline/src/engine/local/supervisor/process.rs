//! Running one attempt: its command in a group of its own, and then its outputs.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use niassa_model::limits::STOP_GRACE;
use niassa_model::step::{AttemptKey, Outcome, StepReason, StepStatus};
use niassa_model::time::{Clock, Timestamp};
use rustix::process::Signal;

use super::super::journal::{Ended, Life, Record, Started};
use super::super::{LocalError, Provisioning, Start};
use super::writer::Writer;
use crate::process_group::{
    ProcessEnd, end_strays, give_grace, has_ended, reap_with_group, signal_group, wait_unreaped,
};
use crate::step::environment::{describe, folders, lead_group};

/// What the process of an attempt does: it waits for a line on its standard input, which is written
/// once the journal names the process, and then runs the command in the same shell, for which `$0`
/// is `command.sh`. If the supervisor is killed before, there is no line, and it leaves a mark that
/// the command was never begun. So a kill at no moment leaves a doubt about user code.
fn wait_for_the_word(life: &Life) -> String {
    let mark = mark_of_shells(life);
    format!(r#"read -r || {{ : > "$NIASSA_ATTEMPT_DIR/{mark}-$$"; exit 1; }}; . "$0" </dev/null"#)
}

/// How the marks of shells begin that a supervisor started. They stay, for whoever takes over from the one
/// that takes over; another shell may have the same number later, but never of the same supervisor.
fn mark_of_shells(life: &Life) -> String {
    format!("not-started-{}-{}", life.supervisor, life.guardian_started.unwrap_or(0))
}

/// What every attempt needs to run.
pub(super) struct Shop {
    executable: PathBuf,
    environment: Vec<(OsString, OsString)>,
    /// What shells run at first: they wait for the word.
    wait: String,
    pub(super) writer: Writer,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) running: Running,
}

/// The processes that run now, and who is to be stopped.
#[derive(Default)]
pub(super) struct Running {
    processes: Mutex<HashMap<AttemptKey, Process>>,
}

#[derive(Debug, Clone, Copy)]
struct Process {
    /// The leader of its group, once it was started.
    pid: Option<u32>,
    /// What it comes to, where it was stopped by us.
    stopped: Option<Outcome>,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptKey, Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an attempt is about to run: from now on a stop reaches it.
    pub(super) fn enter(&self, key: &AttemptKey) {
        self.lock().entry(key.clone()).or_insert(Process { pid: None, stopped: None });
    }

    /// Notes an attempt's process; a stop that came before reaches it now.
    pub(super) fn started(&self, key: &AttemptKey, pid: u32) {
        let mut processes = self.lock();
        let process = processes.entry(key.clone()).or_insert(Process { pid: None, stopped: None });
        process.pid = Some(pid);
        if process.stopped.is_some() {
            signal_group(pid, Signal::TERM);
        }
    }

    /// Notes that a process has ended and must not be signalled any more.
    fn ended(&self, key: &AttemptKey) {
        if let Some(process) = self.lock().get_mut(key) {
            process.pid = None;
        }
    }

    /// Forgets an attempt; returns what it comes to if it was stopped.
    pub(super) fn leave(&self, key: &AttemptKey) -> Option<Outcome> {
        self.lock().remove(key)?.stopped
    }

    /// Asks an attempt to end. The first reason stays.
    pub(super) fn stop(&self, key: &AttemptKey, outcome: Outcome) {
        let mut processes = self.lock();
        if let Some(process) = processes.get_mut(key) {
            process.stopped.get_or_insert(outcome);
            if let Some(pid) = process.pid {
                signal_group(pid, Signal::TERM);
            }
        }
    }

    /// Ends what did not end by itself.
    pub(super) fn kill(&self, key: &AttemptKey) {
        if let Some(Process { pid: Some(pid), .. }) = self.lock().get(key) {
            signal_group(*pid, Signal::KILL);
        }
    }

    fn is_stopped(&self, key: &AttemptKey) -> bool {
        self.lock().get(key).is_some_and(|process| process.stopped.is_some())
    }
}

impl Shop {
    pub(super) fn new(
        executable: PathBuf,
        environment: Vec<(OsString, OsString)>,
        life: &Life,
        writer: Writer,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (wait, running) = (wait_for_the_word(life), Running::default());
        Self { executable, environment, wait, writer, clock, running }
    }

    /// Starts the shell of an attempt, which waits for the word.
    pub(super) fn start_shell(&self, start: &Start) -> io::Result<Child> {
        let shell = self.spawn(start)?;
        crate::failpoint::reach("supervisor.spawned");
        Ok(shell)
    }

    /// Ends a shell that does not get the word.
    pub(super) fn discard(shell: &Child) {
        let pid = shell.id();
        if let Err(error) = reap_with_group(pid) {
            tracing::error!(pid, %error, "a shell that is not needed cannot be reaped");
        }
    }

    /// Runs an attempt to its end and journals it; returns how it ended.
    pub(super) fn run(
        &self,
        start: &Start,
        shell: io::Result<Child>,
    ) -> Result<Outcome, LocalError> {
        let ended = match self.at_its_turn(start, shell) {
            Err(error) => self.never_started(start, &error),
            Ok(shell) => self.run_process(start, shell)?,
        };
        self.finish(start, ended)
    }

    /// Returns the shell of an attempt whose turn has come. Another one, where the first could not be started
    /// ahead of it, or was ended by somebody while it waited: nothing was begun.
    fn at_its_turn(&self, start: &Start, shell: io::Result<Child>) -> io::Result<Child> {
        match shell {
            Ok(shell) if !has_ended(shell.id()) => return Ok(shell),
            Ok(ended) => Self::discard(&ended),
            Err(_) => {}
        }
        self.start_shell(start)
    }

    /// Gives a process the word to run the command once the journal names it, and waits for its end.
    fn run_process(&self, start: &Start, mut child: Child) -> Result<Ended, LocalError> {
        let (pid, started_at) = (child.id(), self.clock.now());
        let started = Started { key: start.key.clone(), pid, at: started_at };
        self.writer.note(&Record::Started(started))?;
        crate::failpoint::reach("supervisor.started");
        self.running.started(&start.key, pid);
        // A process that was stopped meanwhile does not listen any more; its end says so.
        let _unheard = child.stdin.take().map(|mut word| word.write_all(b"\n"));
        crate::failpoint::reach("supervisor.said");
        let ended = match wait_unreaped(pid) {
            Ok(end) => self.ended(start, started_at, self.clock.now(), end),
            Err(error) => self.not_seen(start, started_at, &error),
        };
        crate::failpoint::reach("supervisor.ended");
        self.writer.note(&Record::Ran(ended.clone()))?;
        crate::failpoint::reach("supervisor.ran");
        if self.running.is_stopped(&start.key) {
            give_grace(&start.key, pid, STOP_GRACE);
        }
        if let Err(error) = self.reap_group(&start.key, pid) {
            tracing::error!(pid, %error, "a process that has ended cannot be reaped");
        }
        if ended.outcome.status != StepStatus::Success {
            // What left the group must not run beside the next attempt, or after a cancel.
            end_strays(&start.key);
        }
        Ok(ended)
    }

    /// Goes on with an attempt whose command was found to have ended.
    pub(super) fn finish(&self, start: &Start, ended: Ended) -> Result<Outcome, LocalError> {
        let ended = self.provision(start, ended);
        crate::failpoint::reach("supervisor.provisioned");
        let outcome = ended.outcome;
        self.running.leave(&start.key);
        self.writer.exit(&start.attempt_dir, ended)?;
        crate::failpoint::reach("supervisor.exited");
        Ok(outcome)
    }

    fn never_started(&self, start: &Start, error: &io::Error) -> Ended {
        let outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CouldNotStart);
        Ended {
            message: Some(format!("the command could not be started: {error}")),
            ..Ended::of(start.key.clone(), outcome, self.clock.now())
        }
    }

    fn not_seen(&self, start: &Start, started_at: Timestamp, error: &io::Error) -> Ended {
        Ended {
            outcome: Outcome::without_exit(StepStatus::Lost, StepReason::Lost),
            started_at: Some(started_at),
            message: Some(format!("the end of the command could not be seen: {error}")),
            ..self.never_started(start, error)
        }
    }

    /// Makes of a process's end what the attempt came to so far.
    pub(super) fn ended(
        &self,
        start: &Start,
        started_at: Timestamp,
        ended_at: Timestamp,
        end: ProcessEnd,
    ) -> Ended {
        let stopped = self.running.lock().get(&start.key).and_then(|process| process.stopped);
        let (status, reason) = match (stopped, end) {
            (Some(outcome), _) => (outcome.status, outcome.reason),
            (None, ProcessEnd { exit_code: Some(0), .. }) => (StepStatus::Success, None),
            (None, ProcessEnd { signal: Some(_), .. }) => {
                (StepStatus::Failed, Some(StepReason::Signal))
            }
            (None, _) => (StepStatus::Failed, Some(StepReason::ExitCode)),
        };
        let outcome = Outcome { status, reason, exit_code: end.exit_code, signal: end.signal };
        Ended {
            started_at: Some(started_at),
            cpu_micros: Some(end.cpu_micros),
            peak_memory_bytes: Some(end.peak_memory_bytes),
            ..Ended::of(start.key.clone(), outcome, ended_at)
        }
    }

    /// Provisions the outputs of an attempt that has succeeded so far.
    fn provision(&self, start: &Start, mut ended: Ended) -> Ended {
        let has_outputs = start.provisioning == Provisioning::Outputs;
        if !has_outputs || ended.outcome.status != StepStatus::Success {
            return ended;
        }
        let provisioned = self.spawn_provision(start).and_then(|pid| {
            self.running.started(&start.key, pid);
            let end = wait_unreaped(pid)?;
            self.reap_group(&start.key, pid).map(|()| end)
        });
        let failure = |message| {
            (Outcome::without_exit(StepStatus::Failed, StepReason::ProvisionOut), Some(message))
        };
        let (outcome, message) = match provisioned {
            Ok(ProcessEnd { exit_code: Some(0), .. }) => (ended.outcome, None),
            Ok(_) if self.running.is_stopped(&start.key) => {
                (Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy), None)
            }
            Ok(_) => failure("the outputs could not be kept; stderr says why".to_owned()),
            Err(error) => failure(format!("provisioning could not be started: {error}")),
        };
        ended.outcome = Outcome { exit_code: ended.outcome.exit_code, ..outcome };
        ended.message = message;
        ended.ended_at = self.clock.now();
        ended
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts commands of steps")]
    fn spawn(&self, start: &Start) -> io::Result<Child> {
        let (step, work) = folders(&start.attempt_dir)?;
        let out = stream(&start.attempt_dir.join("stdout"))?;
        let err = stream(&start.attempt_dir.join("stderr"))?;
        let mut command = Command::new("/bin/bash");
        command
            .args(["-euo", "pipefail", "-c", &self.wait])
            .arg(step.join("command.sh"))
            .current_dir(work)
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err);
        let trace = start.trace.as_deref();
        describe(&mut command, &start.key, &start.attempt_dir, start.processing, trace);
        self.spawn_in_group(command, start)
    }

    #[expect(clippy::disallowed_methods, reason = "outputs are kept by a process of their own")]
    fn spawn_provision(&self, start: &Start) -> io::Result<u32> {
        let err = stream(&start.attempt_dir.join("stderr"))?;
        let mut command = Command::new(&self.executable);
        command
            .arg("provision")
            .arg(&start.attempt_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(err);
        self.spawn_in_group(command, start).map(|child| child.id())
    }

    /// Dropping the handle leaves the process alone; it is reaped by `reap_group`.
    fn spawn_in_group(&self, mut command: Command, start: &Start) -> io::Result<Child> {
        lead_group(&mut command, &start.key, &self.environment);
        command.spawn()
    }

    /// Ends what is left of the group of a process that has ended, and reaps it.
    fn reap_group(&self, key: &AttemptKey, pid: u32) -> io::Result<()> {
        self.running.ended(key);
        reap_with_group(pid)
    }
}

/// Opens a stream of an attempt. What is in it stays: a shell that is not needed any more may come late to
/// the one that writes there.
fn stream(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Tells whether this process of an attempt ended without the word to run the command.
pub(super) fn never_got_the_word(attempt_dir: &Path, life: &Life, pid: u32) -> bool {
    let mark = format!("{}-{pid}", mark_of_shells(life));
    attempt_dir.join(mark).exists()
}
