//! Retiring journals: what ended attempts came to goes into the directories of their runs, and journals
//! that tell nothing else are removed.
//!
//! Only complete journals are touched, the oldest first, and only where every propagator has read them.
//! One that speaks of attempts without an end is not kept whole for them: it is replaced by what it says
//! of these. So an end leaves the journals only when none of them speaks of its attempt any more, and an
//! attempt that is open in the journals is open.
//!
//! Done aside of deciding, by the holder of the supervisor's lock, from the disk alone. A kill or a power
//! cut at any moment leaves more than is needed, never less, and the next pass goes on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use niassa_model::accession::Accession;
use niassa_model::run::RunTag;
use niassa_model::step::AttemptKey;
use niassa_model::time::Timestamp;

use super::journal::{self, Life, Offsets, Record};
use super::{LocalError, LocalHome, archive, failed, guardian};
use crate::machine;
use crate::run_dir::RunDir;

/// A propagator that has kept nothing for so long is not waited for: whatever it missed, it finds when
/// it compares.
const PROPAGATES_WITHIN_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// Journals whose ends are made durable by one sync.
const AT_ONCE: usize = 16;

/// A journal of this size is replaced whatever is saved by it. Of a larger one at most a quarter is
/// written again, so that all of it is at most once more.
const SMALL: u64 = 64 * 1024;

/// How the names of journals begin that are being written to replace others.
const TEMPORARY: &str = ".tmp-journal-";

/// What a pass came to.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// Attempts whose ends the directories of their runs have now.
    pub(super) archived: Vec<AttemptKey>,
    /// Complete journals that are left.
    pub(super) left: usize,
}

/// Retires what can be retired.
pub(super) fn retire(home: &LocalHome, now: Timestamp) -> Result<Pass, LocalError> {
    remove_leftovers(home)?;
    let files = journal::files(home)?;
    let sealed = journal::sealed(&files);
    let propagators = propagators(home, now)?;
    let mut pass = Pass { archived: Vec::new(), left: sealed.len() };
    let mut next = 0;
    while next < sealed.len() {
        // Opened before anything is written: its sync tells of every write that failed since.
        let work_dir = File::open(home.work_dir()).map_err(failed("open", home.work_dir()))?;
        let mut batch = Vec::new();
        while next < sealed.len() && batch.len() < AT_ONCE {
            let path = &sealed[next];
            if !propagators.iter().all(|offsets| offsets.have_read(path)) {
                next = sealed.len();
                break;
            }
            match Contents::read(path, &files[next + 1..], home)?.archive(home)? {
                Archived::Not(Wait::NothingEnded) => next += 1,
                Archived::Not(Wait::TooMuchIsOpen) => next = sealed.len(),
                Archived::As(retired) => {
                    batch.push(retired);
                    next += 1;
                }
            }
        }
        if batch.is_empty() {
            continue;
        }
        rustix::fs::syncfs(&work_dir)
            .map_err(|error| failed("make durable", home.work_dir())(error.into()))?;
        crate::failpoint::reach("supervisor.archived");
        for retired in batch {
            pass.left -= usize::from(retired.replacement.is_none());
            retired.take_effect()?;
            pass.archived.extend(retired.ended);
            crate::failpoint::reach("supervisor.retired");
        }
    }
    remove_exits_of_the_past(home)?;
    Ok(pass)
}

/// A journal and what became of its attempts.
struct Contents {
    path: PathBuf,
    size: u64,
    ends: HashMap<AttemptKey, Record>,
    open: HashSet<AttemptKey>,
}

/// Why a journal stays as it is.
enum Wait {
    /// None of its attempts has ended: others may go before it.
    NothingEnded,
    /// Too much of it would have to be written again.
    TooMuchIsOpen,
}

enum Archived {
    Not(Wait),
    As(Retired),
}

/// A journal that is not needed any more.
struct Retired {
    path: PathBuf,
    /// What stays of it.
    replacement: Option<PathBuf>,
    ended: Vec<AttemptKey>,
}

impl Contents {
    /// Reads a journal, and looks for the ends of its attempts in those behind it; where both were being
    /// retired when a machine lost its power, an end may be in the run's directory alone.
    fn read(path: &Path, later: &[PathBuf], home: &LocalHome) -> Result<Self, LocalError> {
        let size = fs::metadata(path).map_err(failed("look at", path))?.len();
        let (mut ends, mut open) = (HashMap::new(), HashSet::new());
        journal::each_record(path, 0, size, |record| {
            let Some(key) = record.key().filter(|key| !ends.contains_key(*key)).cloned() else {
                return;
            };
            if record.is_end() {
                open.remove(&key);
                ends.insert(key, record);
            } else {
                open.insert(key);
            }
        })?;
        let mut found = |open: &mut HashSet<AttemptKey>, record: Record| {
            if let Some(key) = record.key().filter(|key| record.is_end() && open.remove(*key)) {
                ends.insert(key.clone(), record);
            }
        };
        for path in later {
            if open.is_empty() {
                break;
            }
            journal::each_record(path, 0, journal::durable(path), |record| {
                found(&mut open, record);
            })?;
        }
        let runs: BTreeSet<(Accession, RunTag)> = open.iter().map(run_of).collect();
        for (run, tag) in runs {
            for record in archive::read(&RunDir::of(home.work_dir(), run, &tag))? {
                found(&mut open, record);
            }
        }
        Ok(Self { path: path.to_owned(), size, ends, open })
    }

    /// Keeps its ends in the directories of their runs, not yet durably, and writes what stays of it.
    fn archive(self, home: &LocalHome) -> Result<Archived, LocalError> {
        let Self { path, size, ends, mut open } = self;
        if ends.is_empty() && !open.is_empty() {
            return Ok(Archived::Not(Wait::NothingEnded));
        }
        if size > SMALL && open.len() > ends.len() / 3 {
            return Ok(Archived::Not(Wait::TooMuchIsOpen));
        }
        let mut by_run: BTreeMap<(Accession, RunTag), Vec<Record>> = BTreeMap::new();
        for (key, end) in ends {
            by_run.entry(run_of(&key)).or_default().push(end);
        }
        let mut ended = Vec::new();
        for ((run, tag), ends) in by_run {
            let keys = ends.iter().filter_map(|end| end.key().cloned());
            match archive::keep(&RunDir::of(home.work_dir(), run, &tag), &ends) {
                Ok(()) => ended.extend(keys),
                Err(error) => {
                    let error = crate::chain(&error);
                    tracing::warn!(%run, error, "the ends of a run stay in the journals");
                    open.extend(keys);
                }
            }
        }
        let replacement = match open.is_empty() {
            true => None,
            false => Some(write_what_stays(&path, size, &open)?),
        };
        Ok(Archived::As(Retired { path, replacement, ended }))
    }
}

impl Retired {
    /// Removes the journal, or puts what stays of it into its place.
    fn take_effect(&self) -> Result<(), LocalError> {
        let path = &self.path;
        if let Some(replacement) = &self.replacement {
            let size = fs::metadata(replacement).map_err(failed("look at", replacement))?.len();
            fs::rename(replacement, path).map_err(failed("replace", path))?;
            // Until then readers come to its end before its size.
            let said = journal::open_durable(path)?;
            return journal::say_durable(&said, size).map_err(failed("mark", path));
        }
        // In this order neither can stay alone for ever: a journal without its mark is retired again.
        let synced = path.with_extension("synced");
        match fs::remove_file(&synced) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &synced)(error))
            }
            _ => fs::remove_file(path).map_err(failed("remove", path)),
        }
    }
}

/// Writes what a journal says of some attempts, and who wrote it, under a name that nobody reads.
fn write_what_stays(
    path: &Path,
    size: u64,
    of_these: &HashSet<AttemptKey>,
) -> Result<PathBuf, LocalError> {
    let mut lines = Vec::new();
    let mut encoded = Ok(());
    journal::each_record(path, 0, size, |record| {
        if record.key().is_none_or(|key| of_these.contains(key)) && encoded.is_ok() {
            encoded = journal::encode(&record, &mut lines);
        }
    })?;
    encoded.map_err(failed("encode for", path))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".tmp-{name}"));
    fs::write(&temporary, lines).map_err(failed("write", &temporary))?;
    Ok(temporary)
}

/// Returns how far each propagator has read that has kept something lately.
fn propagators(home: &LocalHome, now: Timestamp) -> Result<Vec<Offsets>, LocalError> {
    let mut found = Vec::new();
    for path in named(home, "propagated-", ".json")? {
        let touched = match fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            Ok(touched) => touched.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("look at", &path)(error)),
        };
        let touched = Timestamp::from_micros(i64::try_from(touched).unwrap_or(i64::MAX));
        if now.micros_since(touched) < PROPAGATES_WITHIN_MICROS {
            // One that cannot be read begins at the beginning, and so does its propagator.
            let text = fs::read(&path).unwrap_or_default();
            found.push(serde_json::from_slice(&text).unwrap_or_default());
        }
    }
    Ok(found)
}

/// Removes what guardians wrote that have ended, and of which no journal speaks any more.
fn remove_exits_of_the_past(home: &LocalHome) -> Result<(), LocalError> {
    let exits = named(home, "exits-", ".jsonl")?;
    if exits.is_empty() {
        return Ok(());
    }
    let mut needed = HashSet::new();
    for path in journal::files(home)? {
        let size = fs::metadata(&path).map_err(failed("look at", &path))?.len();
        journal::each_record(&path, 0, size, |record| {
            if let Record::Life(Life { boot, guardian, guardian_started, .. }) = record {
                needed.insert(guardian::exits_file(home, &boot, guardian, guardian_started));
            }
        })?;
    }
    for path in exits {
        if !needed.contains(&path) && !is_still_written(&path) {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

/// Tells whether the guardian lives that a file of exits is named after.
fn is_still_written(exits: &Path) -> bool {
    let parts = || -> Option<(u32, u64)> {
        let name = exits.file_stem()?.to_str()?;
        let (name, started) = name.rsplit_once('-')?;
        let (boot, guardian) = name.rsplit_once('-')?;
        let is_this_boot = boot.strip_prefix("exits-")? == machine::boot_id();
        is_this_boot.then_some((guardian.parse().ok()?, started.parse().ok()?))
    };
    parts().is_some_and(|(guardian, started)| {
        machine::is_running(guardian, Some(started).filter(|ticks| *ticks > 0))
    })
}

/// Removes what a pass that was killed had begun to write.
fn remove_leftovers(home: &LocalHome) -> Result<(), LocalError> {
    for path in named(home, TEMPORARY, ".jsonl")? {
        fs::remove_file(&path).map_err(failed("remove", &path))?;
    }
    Ok(())
}

fn named(home: &LocalHome, begin: &str, end: &str) -> Result<Vec<PathBuf>, LocalError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(home.path()).map_err(failed("list", home.path()))? {
        let entry = entry.map_err(failed("list", home.path()))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(begin) && name.ends_with(end) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn run_of(key: &AttemptKey) -> (Accession, RunTag) {
    (key.run, key.tag.clone())
}

#[cfg(test)]
mod tests;
