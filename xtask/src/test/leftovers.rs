//! Finding the processes that tests left behind.
//!
//! Every command of a run gets a mark into its environment, which all that it starts inherits,
//! through sessions and dead parents. What clears its environment escapes; so does what another
//! user owns, unless we are root.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::fs;
use std::hash::BuildHasher;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const VARIABLE: &str = "NIASSA_TEST_RUN";
/// How often we look whether a process has ended.
const LOOK: Duration = Duration::from_millis(100);

/// What marks the processes of a run.
pub(crate) struct Mark {
    value: String,
}

impl Mark {
    /// Makes a mark that no other run has.
    pub(crate) fn new() -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        Self { value: format!("{}-{random:016x}", std::process::id()) }
    }

    /// Marks a command that is about to start.
    pub(crate) fn put_on(&self, command: &mut Command) {
        command.env(VARIABLE, &self.value);
    }

    fn is_in(&self, environment: &[u8]) -> bool {
        let entry = format!("{VARIABLE}={}", self.value);
        environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
    }
}

/// A process that is still there. Printed with its command line.
#[derive(Debug)]
pub(crate) struct Process {
    id: Pid,
    command: String,
}

impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.id, self.command)
    }
}

/// Waits for marked processes to end by themselves; after `grace`, ends and returns those that did
/// not.
pub(crate) fn end(mark: &Mark, grace: Duration) -> Vec<Process> {
    let deadline = Instant::now() + grace;
    loop {
        let found = find(mark);
        if found.is_empty() {
            return found;
        }
        if Instant::now() >= deadline {
            kill(&found);
            return found;
        }
        thread::sleep(LOOK);
    }
}

/// Returns the living processes with the mark. A zombie has no environment and is not among them.
pub(crate) fn find(mark: &Mark) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id| marked_process(id, mark)).collect()
}

/// Ends the processes at once.
pub(crate) fn kill(processes: &[Process]) {
    for process in processes {
        // It may have ended meanwhile.
        let _ = kill_process(process.id, Signal::KILL);
    }
}

fn marked_process(id: i32, mark: &Mark) -> Option<Process> {
    let environment = fs::read(format!("/proc/{id}/environ")).ok()?;
    if !mark.is_in(&environment) {
        return None;
    }
    let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&words).replace('\0', " ").trim().to_owned();
    Some(Process { id: Pid::from_raw(id)?, command })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_one_whole_entry() {
        let mark = Mark { value: "7-a".to_owned() };
        assert!(mark.is_in(b"PATH=/bin\0NIASSA_TEST_RUN=7-a\0HOME=/\0"));
        assert!(!mark.is_in(b"NIASSA_TEST_RUN=7-ab\0"));
        assert!(!mark.is_in(b"X=NIASSA_TEST_RUN=7-a\0"));
        assert!(!mark.is_in(b""));
    }

    #[test]
    fn marks_differ() {
        assert_ne!(Mark::new().value, Mark::new().value);
    }

    #[test]
    fn this_process_bears_no_fresh_mark() {
        assert!(end(&Mark::new(), Duration::ZERO).is_empty());
    }
}
