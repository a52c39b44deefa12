//! How much of what runs keep of ended attempts was told. Losing it costs time, not truth.
//!
//! Journals may be gone before a propagator has read them: one that was away for days, or one that looks
//! after single runs, for which nobody waits. What they told of a run is in its directory, at the end of
//! a file that only grows.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use niassa_model::accession::Accession;
use niassa_model::run::RunTag;
use serde::{Deserialize, Serialize};

use super::PropagateFilter;
use super::facts::News;
use super::offsets::{path_of, write};
use crate::engine::local::journal::Evidence;
use crate::engine::local::{LocalHome, archive};
use crate::machine;
use crate::run_dir::{RunDir, RunDirError};

/// How much was told, for one account with one filter, beside the offsets.
pub(super) struct ToldArchives {
    path: Option<PathBuf>,
    told: Told,
    is_kept: bool,
}

/// After a power cut a file may have lost its end, and get another one: lengths hold for one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    boot: String,
    /// Bytes, by the name of the run's directory.
    bytes: BTreeMap<String, u64>,
}

/// What directories of runs say that was not told.
#[derive(Default)]
pub(super) struct Untold {
    /// Ended attempts.
    pub(super) news: Vec<News>,
    /// Runs that cannot be read, with the reason.
    pub(super) unread: Vec<(Accession, String)>,
    /// How much is told with this.
    read: Vec<(String, u64)>,
}

impl ToldArchives {
    /// Reads what was kept; begins at the beginning where nothing was, or nothing that still holds.
    pub(super) fn open(home: &LocalHome, identity: &str, filter: &PropagateFilter) -> Self {
        let path = path_of("told-archives", home, identity, filter);
        let boot = machine::boot_id();
        let text = path.as_ref().and_then(|path| fs::read(path).ok());
        let told = text.and_then(|text| serde_json::from_slice(&text).ok());
        let told = told.filter(|told: &Told| told.boot == boot);
        Self {
            path,
            is_kept: told.is_some(),
            told: told.unwrap_or(Told { boot, bytes: BTreeMap::new() }),
        }
    }

    /// Returns how much was told of some runs: with it, directories are read aside.
    pub(super) fn of(&self, runs: &[(Accession, RunTag)]) -> Vec<(Accession, RunTag, u64)> {
        let told = |name: &str| self.told.bytes.get(name).copied().unwrap_or(0);
        let runs = runs.iter();
        runs.map(|(run, tag)| (*run, tag.clone(), told(&RunDir::name(*run, tag)))).collect()
    }

    /// Takes note of what was told.
    pub(super) fn are_told(&mut self, read: Vec<(String, u64)>) {
        for (name, bytes) in read {
            self.is_kept &= self.told.bytes.insert(name, bytes) == Some(bytes);
        }
    }

    /// Keeps how much was told of runs that are active, and forgets the others.
    pub(super) fn keep<'runs>(
        &mut self,
        active: impl Iterator<Item = (&'runs Accession, &'runs RunTag)>,
    ) -> Result<(), RunDirError> {
        let active: HashSet<String> = active.map(|(run, tag)| RunDir::name(*run, tag)).collect();
        let before = self.told.bytes.len();
        self.told.bytes.retain(|name, _| active.contains(name));
        self.is_kept &= self.told.bytes.len() == before;
        if let Some(path) = self.path.as_ref().filter(|_| !self.is_kept) {
            write(path, &self.told)?;
        }
        self.is_kept = true;
        Ok(())
    }
}

impl Untold {
    /// Reads what directories of runs say behind what was told.
    pub(super) fn read(work_dir: &Path, runs: Vec<(Accession, RunTag, u64)>) -> Self {
        let mut untold = Self::default();
        for (run, tag, told) in runs {
            match archive::read_new(&RunDir::of(work_dir, run, &tag), told) {
                Ok((_, read)) if read == told => {}
                Ok((ends, read)) => {
                    untold.read.push((RunDir::name(run, &tag), read));
                    untold.news.extend(ends.into_iter().filter_map(|end| {
                        let key = end.key()?.clone();
                        let mut evidence = Evidence::default();
                        evidence.take(end);
                        Some((key, evidence))
                    }));
                }
                Err(error) => untold.unread.push((run, crate::chain(&error))),
            }
        }
        untold
    }

    /// Returns the news apart from how much is told with them.
    pub(super) fn into_parts(self) -> (Vec<News>, Vec<(String, u64)>) {
        (self.news, self.read)
    }
}

#[cfg(test)]
mod tests;
