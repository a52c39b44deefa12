//! Faults that last: told once when they begin and once when they end.
//!
//! A command that cron runs every minute must not send a mail every minute. What was told is kept
//! in `faults.json` in the work directory; where that cannot be written, faults are told each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ui::{Ui, words};

/// The faults of one command, for one account.
pub struct Faults {
    folder: PathBuf,
    scope: String,
    now: Timestamp,
    repeat: Repeat,
    found: BTreeMap<String, String>,
    unknown: BTreeSet<&'static str>,
}

/// Whether a fault that was told before is told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Not again: nobody is looking.
    Never,
    /// Again: a person at a terminal asked.
    Always,
}

/// A fault that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    since: Timestamp,
    what: String,
}

type ByScope = BTreeMap<String, BTreeMap<String, Told>>;

impl Faults {
    /// Begins to collect the faults of a command; `scope` names the command and the account.
    pub fn of(work_dir: &Path, scope: String, now: Timestamp, repeat: Repeat) -> Self {
        let (found, unknown) = (BTreeMap::new(), BTreeSet::new());
        Self { folder: work_dir.join(".seqware"), scope, now, repeat, found, unknown }
    }

    /// Notes a fault. The key stays the same as long as it is the same fault; the text may change.
    pub fn found(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.found.insert(key.into(), what.into());
    }

    /// Notes that nothing is known of a fault now: one that was there neither goes on nor is over.
    pub fn unknown(&mut self, key: &'static str) {
        self.unknown.insert(key);
    }

    /// Tells which faults are new and which are over, and remembers it.
    pub fn tell(self, ui: &mut Ui) {
        let (lines, _remembered) = self.settle();
        for line in lines {
            ui.note(&line);
        }
    }

    /// Compares with what was told before. Returns the lines to tell.
    fn settle(self) -> (Vec<String>, io::Result<()>) {
        let idle = self.found.is_empty() && !self.file().exists();
        if idle {
            return (Vec::new(), Ok(()));
        }
        let lock = self.lock();
        let mut told = self.read();
        let before = told.remove(&self.scope).unwrap_or_default();
        let mut lines = Vec::new();
        for (key, what) in &self.found {
            if self.repeat == Repeat::Always || !before.contains_key(key) {
                lines.push(what.clone());
            }
        }
        let mut now: BTreeMap<String, Told> = self
            .found
            .iter()
            .map(|(key, what)| {
                let since = before.get(key).map_or(self.now, |fault| fault.since);
                (key.clone(), Told { since, what: what.clone() })
            })
            .collect();
        for (key, fault) in before.into_iter().filter(|(key, _)| !self.found.contains_key(key)) {
            if self.unknown.contains(key.as_str()) {
                now.insert(key, fault);
                continue;
            }
            let lasted = words::duration(self.now.micros_since(fault.since));
            lines.push(format!("over after {lasted}: {} ({key})", fault.what));
        }
        if !now.is_empty() {
            told.insert(self.scope.clone(), now);
        }
        let written = lock.and_then(|_lock| self.write(&told));
        (lines, written)
    }

    fn file(&self) -> PathBuf {
        self.folder.join("faults.json")
    }

    /// Keeps other ticks from writing at the same time; released when the file is closed.
    fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        let lock = File::create(self.folder.join("faults.lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    fn read(&self) -> ByScope {
        let text = fs::read(self.file()).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn write(&self, told: &ByScope) -> io::Result<()> {
        let temporary = self.folder.join(format!("faults.json.{}", std::process::id()));
        fs::write(&temporary, serde_json::to_vec_pretty(told)?)?;
        fs::rename(temporary, self.file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(work_dir: &Path, second: i64, repeat: Repeat, faults: &[(&str, &str)]) -> Vec<String> {
        let now = Timestamp::from_micros(second * 1_000_000);
        let mut collected = Faults::of(work_dir, "launch bob".to_owned(), now, repeat);
        for (key, what) in faults {
            collected.found(*key, *what);
        }
        let (lines, written) = collected.settle();
        written.unwrap();
        lines
    }

    #[test]
    fn a_fault_is_told_when_it_begins_and_when_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        assert!(tick(at, 0, Repeat::Never, &[]).is_empty());
        assert_eq!(fs::read_dir(at).unwrap().count(), 0, "a good tick writes nothing");
        let down = [("service", "cannot reach it")];
        assert_eq!(tick(at, 60, Repeat::Never, &down), ["cannot reach it"]);
        assert!(tick(at, 120, Repeat::Never, &down).is_empty());
        assert_eq!(tick(at, 120, Repeat::Always, &down), ["cannot reach it"]);
        let both = [("service", "cannot reach it"), ("run 7", "no bundle")];
        assert_eq!(tick(at, 180, Repeat::Never, &both), ["no bundle"]);
        let over = tick(at, 240, Repeat::Never, &[("run 7", "no bundle")]);
        assert_eq!(over, ["over after 3m 0s: cannot reach it (service)"]);
        assert_eq!(tick(at, 300, Repeat::Never, &[]).len(), 1);
        assert!(tick(at, 360, Repeat::Never, &[]).is_empty());
    }

    #[test]
    fn commands_do_not_end_each_others_faults() {
        let folder = tempfile::tempdir().unwrap();
        tick(folder.path(), 0, Repeat::Never, &[("service", "down")]);
        let now = Timestamp::from_micros(1);
        let other = Faults::of(folder.path(), "propagate bob".to_owned(), now, Repeat::Never);
        assert!(other.settle().0.is_empty());
        assert!(tick(folder.path(), 2, Repeat::Never, &[("service", "down")]).is_empty());
    }

    #[test]
    fn a_fault_of_which_nothing_is_known_is_not_over() {
        let folder = tempfile::tempdir().unwrap();
        let shared = [("deployments", "shared")];
        assert_eq!(tick(folder.path(), 0, Repeat::Never, &shared), ["shared"]);
        let now = Timestamp::from_micros(1_000_000);
        let mut down = Faults::of(folder.path(), "launch bob".to_owned(), now, Repeat::Never);
        down.found("service", "down");
        down.unknown("deployments");
        assert_eq!(down.settle().0, ["down"]);
        assert_eq!(
            tick(folder.path(), 2, Repeat::Never, &shared),
            ["over after 1.0s: down (service)"]
        );
        assert_eq!(
            tick(folder.path(), 3, Repeat::Never, &[]),
            ["over after 3.0s: shared (deployments)"]
        );
    }

    #[test]
    fn what_cannot_be_remembered_is_told_each_time() {
        let nowhere = Path::new("/proc/nowhere");
        for _ in 0..2 {
            let now = Timestamp::from_micros(1);
            let mut faults = Faults::of(nowhere, "launch".to_owned(), now, Repeat::Never);
            faults.found("service", "down");
            assert_eq!(faults.settle().0, ["down"]);
        }
    }
}
