//! Running one command of a group: its output passes through and is kept, its time is bounded, and
//! what it starts can be found again.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::leftovers::{self, Mark, Process};
use super::postgres::{self, Server};
use super::skips::{self, Skip};

/// How often we look whether a command has ended.
const LOOK: Duration = Duration::from_millis(50);
/// How long output may still come after its command has ended; a process left behind may hold the
/// pipe for ever.
const LAST_OUTPUT: Duration = Duration::from_secs(2);

/// What the commands of a run share.
pub(crate) struct Runner {
    target: PathBuf,
    deadline: Instant,
    mark: Mark,
    skips: tempfile::NamedTempFile,
    database: OnceLock<Option<Server>>,
}

impl Runner {
    /// Makes a runner whose commands are stopped at the deadline.
    pub(crate) fn new(target: PathBuf, deadline: Instant) -> Result<Self> {
        let skips = tempfile::NamedTempFile::new().context("cannot make the file of skips")?;
        Ok(Self { target, deadline, mark: Mark::new(), skips, database: OnceLock::new() })
    }

    /// Returns the folder cargo builds into.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Returns whether the deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Gives the commands to come a PostgreSQL server, where one is installed and the caller's
    /// environment names none.
    pub(crate) fn provide_database(&self) -> Result<()> {
        if self.database.get().is_none() {
            let is_named = std::env::var_os(postgres::VARIABLE).is_some();
            let server = if is_named { None } else { Server::start(postgres::Durability::None)? };
            self.database.get_or_init(|| server);
        }
        Ok(())
    }

    /// Runs a command to its end, or to the deadline.
    pub(crate) fn run(&self, command: &mut Command) -> Result<Ending> {
        self.mark.put_on(command);
        command.env(skips::VARIABLE, self.skips.path());
        if let Some(Some(server)) = self.database.get() {
            command.env(postgres::VARIABLE, server.url());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let program = command.get_program().display().to_string();
        let context = || format!("cannot run {program}");
        let mut child = command.spawn().with_context(context)?;
        let output = child.stdout.take().context("the child has no stdout")?;
        let lines = pass_through(output);
        loop {
            let ended = child.try_wait().with_context(context)?;
            if let Some(status) = ended {
                let output = lines.recv_timeout(LAST_OUTPUT).unwrap_or_default();
                return Ok(Ending { end: End::Itself(status.code()), output });
            }
            if self.is_late() {
                leftovers::kill(&leftovers::find(&self.mark));
                child.wait().with_context(context)?;
                let output = lines.recv_timeout(LAST_OUTPUT).unwrap_or_default();
                return Ok(Ending { end: End::OutOfTime, output });
            }
            thread::sleep(LOOK);
        }
    }

    /// Returns what tests wrote into the file of skips since the last call.
    pub(crate) fn take_skips(&self) -> Result<Vec<Skip>> {
        skips::take(self.skips.path()).context("cannot read the file of skips")
    }

    /// Ends the processes that commands of this runner left behind and that do not end by themselves
    /// within `grace`, and returns them.
    pub(crate) fn end_leftovers(&self, grace: Duration) -> Vec<Process> {
        leftovers::end(&self.mark, grace)
    }
}

/// Writes what comes to our stdout, and sends the whole of it once it has ended.
fn pass_through(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut all = String::new();
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            // A reader that went away (`| head`) does not end the tests.
            drop(io::stdout().write_all(&line));
            all.push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
        drop(sender.send(all));
    });
    receiver
}

/// How a command ended, and what it wrote to stdout. Printed as why it counts as failed.
#[derive(Debug)]
pub(crate) struct Ending {
    end: End,
    output: String,
}

#[derive(Debug)]
enum End {
    /// With this code, or without one through a signal.
    Itself(Option<i32>),
    OutOfTime,
}

impl Ending {
    /// Returns whether the command ended well.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.end, End::Itself(Some(0)))
    }

    /// Returns what it wrote to stdout.
    pub(crate) fn output(&self) -> &str {
        &self.output
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End::Itself(Some(code)) => write!(formatter, "ended with {code}"),
            End::Itself(None) => formatter.write_str("ended by a signal"),
            End::OutOfTime => formatter.write_str("stopped, the time was over"),
        }
    }
}

#[cfg(test)]
impl Ending {
    /// Makes an ending with a code.
    pub(crate) fn code(code: i32, output: &str) -> Self {
        Self { end: End::Itself(Some(code)), output: output.to_owned() }
    }

    /// Makes an ending at the deadline.
    pub(crate) fn out_of_time() -> Self {
        Self { end: End::OutOfTime, output: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn runner(time: Duration) -> Runner {
        Runner::new(PathBuf::new(), Instant::now() + time).unwrap()
    }

    #[test]
    fn output_and_code_are_kept() {
        let runner = runner(Duration::from_secs(30));
        let ending = runner.run(&mut shell("echo a; echo b; exit 3")).unwrap();
        assert_eq!(ending.output(), "a\nb\n");
        assert_eq!(ending.to_string(), "ended with 3");
        assert!(runner.run(&mut shell("true")).unwrap().is_success());
        assert_eq!(runner.run(&mut shell("kill -9 $$")).unwrap().to_string(), "ended by a signal");
    }

    #[test]
    fn a_command_is_stopped_at_the_deadline_with_what_it_started() {
        let runner = runner(Duration::from_millis(300));
        let started = Instant::now();
        let ending = runner.run(&mut shell("setsid sleep 60 & sleep 60; true")).unwrap();
        assert_eq!(ending.to_string(), "stopped, the time was over");
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn skips_arrive_through_the_variable() {
        let runner = runner(Duration::from_secs(30));
        runner.run(&mut shell("echo 'SKIPPED a: no root' >> \"$NIASSA_SKIPS\"")).unwrap();
        assert_eq!(runner.take_skips().unwrap(), [Skip::new("a", "no root")]);
        assert_eq!(runner.take_skips().unwrap(), []);
    }

    #[test]
    fn a_process_left_behind_is_found_and_ended() {
        let runner = runner(Duration::from_secs(30));
        let ending = runner.run(&mut shell("setsid sleep 61 >/dev/null & true")).unwrap();
        assert!(ending.is_success());
        let found = runner.end_leftovers(Duration::from_millis(300));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().ends_with("sleep 61"), "{}", found[0]);
        assert!(runner.end_leftovers(Duration::from_secs(30)).is_empty());
    }
}
