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
use serde::{Deserialize, Serialize};

/// How much was told of each attempt: the rank of its status, by run.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorded {
    file: PathBuf,
    runs: HashMap<RunTag, BTreeMap<(StepIndex, AttemptNumber), u8>>,
    is_changed: bool,
}

/// The file: a list, as the keys of a JSON object are text.
#[derive(Serialize, Deserialize)]
struct Row {
    tag: RunTag,
    attempts: Vec<(StepIndex, AttemptNumber, u8)>,
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
        let rows: Vec<Row> = serde_json::from_slice(&text).unwrap_or_default();
        let runs = rows.into_iter().map(|row| {
            let attempts =
                row.attempts.into_iter().map(|(step, number, rank)| ((step, number), rank));
            (row.tag, attempts.collect())
        });
        Self { file, runs: runs.collect(), is_changed: false }
    }

    /// Tells whether a status says more of an attempt than was told.
    pub(super) fn is_news(&self, key: &AttemptKey, status: StepStatus) -> bool {
        let told = self.runs.get(&key.tag).and_then(|run| run.get(&(key.step, key.attempt)));
        told.is_none_or(|rank| status.rank() > *rank)
    }

    /// Remembers that this was told.
    pub(super) fn told(&mut self, key: &AttemptKey, status: StepStatus) {
        let run = self.runs.entry(key.tag.clone()).or_default();
        run.insert((key.step, key.attempt), status.rank());
        self.is_changed = true;
    }

    /// Forgets runs that are over, and writes what changed.
    pub(super) fn keep(&mut self, is_active: impl Fn(&RunTag) -> bool) -> io::Result<()> {
        let before = self.runs.len();
        self.runs.retain(|tag, _| is_active(tag));
        if !self.is_changed && self.runs.len() == before {
            return Ok(());
        }
        let rows: Vec<Row> = self
            .runs
            .iter()
            .map(|(tag, attempts)| Row {
                tag: tag.clone(),
                attempts: attempts.iter().map(|((step, n), rank)| (*step, *n, *rank)).collect(),
            })
            .collect();
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let temporary = self.file.with_extension(format!("{:016x}", rand::random::<u64>()));
        fs::write(&temporary, serde_json::to_vec(&rows)?)?;
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
        recorded.keep(|_| false).unwrap();
        assert!(Recorded::open(folder.path(), "me").is_news(&key, StepStatus::Running));
    }
}
