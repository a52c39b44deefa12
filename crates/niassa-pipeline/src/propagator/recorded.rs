//! What the service has been told of attempts on clusters, so that a tick tells only what is new.
//!
//! Kept per service and account beside the run directories. Losing it costs time, not truth: facts may be
//! told twice.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use niassa_model::run::RunTag;
use niassa_model::step::{AttemptKey, AttemptNumber, StepIndex, StepStatus};
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How much was told of each attempt: the rank of its status, by run.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorded {
    file: PathBuf,
    runs: HashMap<RunTag, OfRun>,
    /// Since when the scheduler does not answer.
    silent_since: Option<Timestamp>,
    is_changed: bool,
}

/// Whether a scheduler answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It did.
    Answer,
    /// It did not.
    Nothing,
}

/// What was told of one run.
#[derive(Debug, Clone, Default)]
struct OfRun {
    attempts: BTreeMap<(StepIndex, AttemptNumber), u8>,
    note: String,
}

/// The file: lists, as the keys of a JSON object are text.
#[derive(Default, Serialize, Deserialize)]
struct Written {
    silent_since: Option<Timestamp>,
    runs: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    tag: RunTag,
    attempts: Vec<(StepIndex, AttemptNumber, u8)>,
    note: String,
}

impl Recorded {
    /// Opens what was remembered for a service and an account; nothing where there is none, or where it
    /// cannot be read.
    pub(super) fn open(work_dir: &Path, identity: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        identity.hash(&mut hasher);
        let file =
            work_dir.join(".seqware").join(format!("recorded-{:016x}.json", hasher.finish()));
        let text = fs::read(&file).unwrap_or_default();
        let written: Written = serde_json::from_slice(&text).unwrap_or_default();
        let runs = written.runs.into_iter().map(|row| {
            let attempts =
                row.attempts.into_iter().map(|(step, number, rank)| ((step, number), rank));
            (row.tag, OfRun { attempts: attempts.collect(), note: row.note })
        });
        let silent_since = written.silent_since;
        Self { file, runs: runs.collect(), silent_since, is_changed: false }
    }

    /// Tells whether a status says more of an attempt than was told.
    pub(super) fn is_news(&self, key: &AttemptKey, status: StepStatus) -> bool {
        let told =
            self.runs.get(&key.tag).and_then(|run| run.attempts.get(&(key.step, key.attempt)));
        told.is_none_or(|rank| status.rank() > *rank)
    }

    /// Remembers that this was told.
    pub(super) fn told(&mut self, key: &AttemptKey, status: StepStatus) {
        let run = self.runs.entry(key.tag.clone()).or_default();
        run.attempts.insert((key.step, key.attempt), status.rank());
        self.is_changed = true;
    }

    /// Returns the note that was told of a run; empty where none was.
    pub(super) fn note(&self, tag: &RunTag) -> &str {
        self.runs.get(tag).map_or("", |run| run.note.as_str())
    }

    /// Remembers that this note was told.
    pub(super) fn noted(&mut self, tag: &RunTag, note: &str) {
        note.clone_into(&mut self.runs.entry(tag.clone()).or_default().note);
        self.is_changed = true;
    }

    /// Remembers whether the scheduler answers; returns since when it does not.
    pub(super) fn heard(&mut self, now: Timestamp, scheduler: Heard) -> Option<Timestamp> {
        let before = self.silent_since;
        self.silent_since = match scheduler {
            Heard::Answer => None,
            Heard::Nothing => before.or(Some(now)),
        };
        self.is_changed |= self.silent_since != before;
        self.silent_since
    }

    /// Forgets runs that are over, and writes what changed.
    pub(super) fn keep(&mut self, is_active: impl Fn(&RunTag) -> bool) -> io::Result<()> {
        let before = self.runs.len();
        self.runs.retain(|tag, _| is_active(tag));
        if !self.is_changed && self.runs.len() == before {
            return Ok(());
        }
        let runs: Vec<Row> = self
            .runs
            .iter()
            .map(|(tag, run)| Row {
                tag: tag.clone(),
                attempts: run.attempts.iter().map(|((step, n), rank)| (*step, *n, *rank)).collect(),
                note: run.note.clone(),
            })
            .collect();
        let written = Written { silent_since: self.silent_since, runs };
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let temporary = self.file.with_extension(format!("{:016x}", rand::random::<u64>()));
        fs::write(&temporary, serde_json::to_vec(&written)?)?;
        fs::rename(&temporary, &self.file)?;
        self.is_changed = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_more_is_news_and_it_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let key: AttemptKey = "nia-7-abcdefghij-s3-a1".parse().unwrap();
        let mut recorded = Recorded::open(folder.path(), "me");
        assert!(recorded.is_news(&key, StepStatus::Running));
        recorded.told(&key, StepStatus::Running);
        assert!(!recorded.is_news(&key, StepStatus::Running));
        recorded.keep(|_| true).unwrap();
        let again = Recorded::open(folder.path(), "me");
        assert!(!again.is_news(&key, StepStatus::Running));
        assert!(again.is_news(&key, StepStatus::Failed));
        assert!(Recorded::open(folder.path(), "you").is_news(&key, StepStatus::Running));
        let at = Timestamp::from_micros;
        assert_eq!(recorded.heard(at(5), Heard::Nothing), Some(at(5)));
        assert_eq!(recorded.heard(at(9), Heard::Nothing), Some(at(5)));
        recorded.noted(&key.tag, "held");
        recorded.keep(|_| true).unwrap();
        let mut again = Recorded::open(folder.path(), "me");
        assert_eq!(again.note(&key.tag), "held");
        assert_eq!(again.heard(at(11), Heard::Answer), None);
        recorded.keep(|_| false).unwrap();
        assert!(Recorded::open(folder.path(), "me").is_news(&key, StepStatus::Running));
    }
}
