//! A run's journal on a cluster: what was about to be done, and what was done.
//!
//! `journal/<epoch>-<holder>.jsonl` in the run directory: each holder of a claim writes a file of its own,
//! as appends of several machines to one file tear over NFS. Readers put all files together in the order
//! of their epochs; a torn last line is passed over. Times are the service's.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use niassa_model::job::{JobId, JobName, ListKey, SeenJob};
use niassa_model::limits::ClusterWaits;
use niassa_model::run::sighting::{Fenced, Handed};
use niassa_model::step::{AttemptKey, StepReason};
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The folder of the journals in a run directory.
const FOLDER: &str = "journal";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// When, by the service's clock.
    pub(crate) at: Timestamp,
    /// What.
    pub(crate) entry: Entry,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// What the service's lease is: all waits follow from it. The first line of each file.
    Lease {
        /// Seconds.
        seconds: u64,
    },
    /// A job is about to be handed over.
    Intent {
        /// Its name.
        name: JobName,
        /// The attempts it stands for: one, or the elements of an array in order.
        attempts: Vec<AttemptKey>,
        /// Whether every step before them has succeeded.
        parents: Parents,
    },
    /// The scheduler has it under this number.
    Submitted {
        /// Its name.
        name: JobName,
        /// Its number.
        id: JobId,
    },
    /// The call failed, and whether the scheduler has it is not known.
    InDoubt {
        /// Its name.
        name: JobName,
        /// The scheduler's words.
        words: String,
    },
    /// The scheduler positively refused it.
    Refused {
        /// Its name.
        name: JobName,
        /// Its words.
        words: String,
    },
    /// The queue was full: it was not handed over, and its intent does not count.
    Withdrawn {
        /// Its name.
        name: JobName,
        /// What its intent said of the steps before.
        parents: Parents,
    },
    /// Jobs were let go.
    Released {
        /// The jobs.
        jobs: Vec<JobId>,
        /// The life of the scheduler.
        scheduler: Option<String>,
    },
    /// Jobs are about to be cancelled.
    Cancelled {
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// The claims of these attempts are about to be taken away from every job.
    Closing {
        /// The attempts.
        attempts: Vec<AttemptKey>,
    },
    /// The claiming job of an attempt is over.
    Over {
        /// The attempt.
        attempt: AttemptKey,
    },
    /// An attempt is given up for lost.
    Fenced {
        /// The attempt.
        attempt: AttemptKey,
        /// Why.
        reason: StepReason,
    },
    /// `alive` of a fenced attempt was read.
    Alive {
        /// The attempt.
        attempt: AttemptKey,
        /// What it said; empty where it is not there.
        value: String,
    },
}

/// Whether every step before has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Parents {
    /// Each has.
    Succeeded,
    /// Some have not ended yet.
    Open,
}

/// The journal that one holder of a claim writes.
#[derive(Debug)]
pub(crate) struct RunJournal {
    path: PathBuf,
    lease_seconds: u64,
    file: Option<File>,
}

impl RunJournal {
    /// Names the journal of a claim; makes it with the first line.
    pub(crate) fn of(run_dir: &Path, epoch: i64, holder: &str, lease_seconds: u64) -> Self {
        let path = run_dir.join(FOLDER).join(format!("{epoch}-{holder}.jsonl"));
        Self { path, lease_seconds, file: None }
    }

    /// Makes the file before it is needed, where the caller makes all files of many runs durable at once.
    pub(crate) fn open_undurable(&mut self, at: Timestamp) -> io::Result<()> {
        if self.file.is_none() {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            fs::DirBuilder::new().recursive(true).create(folder)?;
            self.file = Some(append_to(&self.path)?);
            self.note(at, vec![Entry::Lease { seconds: self.lease_seconds }])?;
        }
        Ok(())
    }

    /// Appends lines in one write and makes them durable.
    pub(crate) fn intend(&mut self, at: Timestamp, entries: Vec<Entry>) -> io::Result<()> {
        self.note(at, entries)?;
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// Appends lines that need not be durable: losing them costs time, not truth.
    pub(crate) fn note(&mut self, at: Timestamp, entries: Vec<Entry>) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let lease = Entry::Lease { seconds: self.lease_seconds };
        let first = self.file.is_none().then_some(lease);
        let mut text = Vec::new();
        for entry in first.into_iter().chain(entries) {
            serde_json::to_writer(&mut text, &Line { at, entry })?;
            text.push(b'\n');
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(make(&self.path)?),
        };
        file.write_all(&text)
    }
}

/// Opens a journal, made durable with its folder. What an earlier process of this claim wrote is kept.
fn make(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    match fs::create_dir(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let file = append_to(path)?;
    sync(folder)?;
    Ok(file)
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// All journals of a run, put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct JournalView {
    attempts: HashMap<AttemptKey, OfAttempt>,
    /// Jobs that were let go, each with the life of the scheduler in which it was last.
    released: HashMap<JobId, Option<String>>,
    /// Jobs that we cancelled, and when we did so last.
    cancelled: HashMap<JobId, Timestamp>,
    lease_seconds: Option<u64>,
    /// The attempts of each array, in the order of its elements.
    pub(crate) lists: BTreeMap<ListKey, Vec<AttemptKey>>,
}

/// What the journals say of one attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OfAttempt {
    pub(crate) handed: Handed,
    pub(crate) fenced: Option<Fenced>,
    pub(crate) was_closed: bool,
}

/// Returns the highest claim under which a run's journals were written; 0 where there are none.
pub(crate) fn highest_epoch(run_dir: &Path) -> io::Result<i64> {
    let entries = match fs::read_dir(run_dir.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let epochs = names.filter_map(|name| name.to_str()?.split_once('-')?.0.parse().ok());
    Ok(epochs.max().unwrap_or(0))
}

impl JournalView {
    /// Reads all journals of a run; nothing where there are none.
    pub(crate) fn read(run_dir: &Path) -> io::Result<Self> {
        let folder = run_dir.join(FOLDER);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let epoch = name.split_once('-').and_then(|(epoch, _)| epoch.parse::<i64>().ok());
            files.extend(epoch.map(|epoch| (epoch, path)));
        }
        files.sort();
        let mut view = Self::default();
        for (_, path) in files {
            let text = fs::read(path)?;
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            // Only the line at which a writer was killed can be torn.
            for line in lines.filter_map(|line| serde_json::from_slice(line).ok()) {
                view.take(line);
            }
        }
        Ok(view)
    }

    /// Returns what is said of an attempt, and of these jobs that carry its name now.
    pub(crate) fn of(&self, attempt: &AttemptKey, jobs: &[&SeenJob]) -> OfAttempt {
        let mut said = self.attempts.get(attempt).cloned().unwrap_or_default();
        for job in jobs {
            let released = self.released.get_key_value(&job.id);
            said.handed.released.extend(released.map(|(id, life)| (id.clone(), life.clone())));
            let cancelled = self.cancelled.get_key_value(&job.id);
            said.handed.cancelled.extend(cancelled.map(|(id, at)| (id.clone(), *at)));
        }
        said
    }

    /// Returns how long to wait for what, as far as a claim has told it.
    pub(crate) fn waits(&self) -> ClusterWaits {
        self.lease_seconds.map_or(ClusterWaits::USUAL, ClusterWaits::for_lease)
    }

    /// Returns the attempts a job stands for.
    pub(crate) fn attempts_of(&self, name: &JobName) -> Vec<AttemptKey> {
        match name {
            JobName::Attempt(key) => vec![key.clone()],
            JobName::List(list) => self.lists.get(list).cloned().unwrap_or_default(),
        }
    }

    /// Returns the attempt of a job, by its name and its element.
    pub(crate) fn attempt_of(&self, name: &JobName, element: Option<u32>) -> Option<AttemptKey> {
        match name {
            JobName::Attempt(key) => Some(key.clone()),
            JobName::List(list) => {
                let position = (element? as usize).checked_sub(1)?;
                self.lists.get(list)?.get(position).cloned()
            }
        }
    }

    /// Takes one line into account.
    pub(crate) fn take(&mut self, line: Line) {
        let at = line.at;
        match line.entry {
            Entry::Lease { seconds } => self.lease_seconds = Some(seconds),
            Entry::Intent { name, attempts, parents } => self.intent(at, name, attempts, parents),
            Entry::Submitted { .. } => {}
            Entry::InDoubt { name, words } => {
                for attempt in self.attempts_of(&name) {
                    self.entry(attempt).handed.doubted = Some(words.clone());
                }
            }
            Entry::Refused { name, words } => {
                for attempt in self.attempts_of(&name) {
                    self.entry(attempt).handed.refused = Some(words.clone());
                }
            }
            Entry::Withdrawn { name, parents } => {
                for attempt in self.attempts_of(&name) {
                    let handed = &mut self.entry(attempt).handed;
                    handed.last_intent = None;
                    let counted = u32::from(parents == Parents::Succeeded);
                    handed.free_intents = handed.free_intents.saturating_sub(counted);
                }
            }
            Entry::Released { jobs, scheduler } => {
                self.released.extend(jobs.into_iter().map(|job| (job, scheduler.clone())));
            }
            Entry::Cancelled { jobs } => {
                self.cancelled.extend(jobs.into_iter().map(|job| (job, at)));
            }
            Entry::Closing { attempts } => {
                for attempt in attempts {
                    self.entry(attempt).was_closed = true;
                }
            }
            Entry::Over { attempt } => {
                self.entry(attempt).handed.over_since.get_or_insert(at);
            }
            Entry::Fenced { attempt, reason } => {
                let fenced = Fenced { reason, readings: Vec::new() };
                self.entry(attempt).fenced.get_or_insert(fenced);
            }
            Entry::Alive { attempt, value } => {
                if let Some(fenced) = &mut self.entry(attempt).fenced {
                    fenced.readings.push((at, value));
                }
            }
        }
    }

    fn intent(
        &mut self,
        at: Timestamp,
        name: JobName,
        attempts: Vec<AttemptKey>,
        parents: Parents,
    ) {
        for attempt in &attempts {
            let handed = &mut self.entry(attempt.clone()).handed;
            handed.last_intent = Some(at);
            handed.refused = None;
            handed.doubted = None;
            handed.free_intents += u32::from(parents == Parents::Succeeded);
        }
        if let JobName::List(list) = name {
            self.lists.insert(list, attempts);
        }
    }

    fn entry(&mut self, attempt: AttemptKey) -> &mut OfAttempt {
        self.attempts.entry(attempt).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(step: u32) -> AttemptKey {
        format!("nia-7-abcdefghij-s{step}-a1").parse().unwrap()
    }

    fn intent(attempts: &[u32], name: &str, parents: Parents) -> Entry {
        let attempts = attempts.iter().map(|step| key(*step)).collect();
        Entry::Intent { name: name.parse().unwrap(), attempts, parents }
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn journals_of_all_claims_are_put_together_and_a_torn_line_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(JournalView::read(folder.path()).unwrap(), JournalView::default());
        let mut second = RunJournal::of(folder.path(), 10, "b", 1);
        let again = intent(&[0], "nia-7-abcdefghij-s0-a1", Parents::Succeeded);
        second.intend(at(20), vec![again]).unwrap();
        let mut first = RunJournal::of(folder.path(), 9, "a", 60);
        let entry = intent(&[0], "nia-7-abcdefghij-s0-a1", Parents::Succeeded);
        let name: JobName = "nia-7-abcdefghij-s0-a1".parse().unwrap();
        let refused = Entry::Refused { name, words: "no".into() };
        first.intend(at(10), vec![entry, refused]).unwrap();
        let path = folder.path().join("journal/10-b.jsonl");
        OpenOptions::new().append(true).open(path).unwrap().write_all(b"{\"at\":3").unwrap();
        let handed = JournalView::read(folder.path()).unwrap().of(&key(0), &[]).handed;
        assert_eq!((handed.last_intent, handed.free_intents), (Some(at(20)), 2));
        assert_eq!(handed.refused, None, "it was handed over again since");
        let waits = JournalView::read(folder.path()).unwrap().waits();
        assert_eq!(waits, ClusterWaits::for_lease(1));
    }

    #[test]
    fn an_intent_ahead_counts_once_its_job_is_about_to_be_handed_over() {
        let mut view = JournalView::default();
        let name = "nia-7-abcdefghij-s0-a1";
        let handed = |view: &JournalView| {
            let handed = view.of(&key(0), &[]).handed;
            (handed.last_intent, handed.free_intents)
        };
        view.take(Line { at: at(1), entry: intent(&[0], name, Parents::Open) });
        assert_eq!(handed(&view), (Some(at(1)), 0), "whoever comes next waits for its job");
        view.take(Line { at: at(2), entry: intent(&[0], name, Parents::Succeeded) });
        assert_eq!(handed(&view), (Some(at(2)), 1));
        let withdrawn = Entry::Withdrawn { name: name.parse().unwrap(), parents: Parents::Open };
        view.take(Line { at: at(3), entry: withdrawn });
        assert_eq!(handed(&view), (None, 1), "no call was made for the one ahead");
    }

    #[test]
    fn elements_of_an_array_are_attempts() {
        let mut view = JournalView::default();
        let name = "nia-7-abcdefghij-e3-l0";
        view.take(Line { at: at(1), entry: intent(&[4, 5], name, Parents::Open) });
        let name: JobName = name.parse().unwrap();
        assert_eq!(view.attempt_of(&name, Some(2)), Some(key(5)));
        assert_eq!(view.attempt_of(&name, Some(3)), None);
        assert_eq!(view.attempt_of(&name, Some(0)), None);
        assert_eq!(view.of(&key(5), &[]).handed.free_intents, 0);
    }
}
