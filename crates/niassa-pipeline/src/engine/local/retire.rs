//! Retiring journals: what ended attempts came to goes into the directories of their runs, and journals
//! that tell nothing else are removed.
//!
//! Only complete journals are touched, the oldest first, and only where every propagator has read them.
//! One that speaks of a few attempts without an end is not kept whole for them: it is replaced by what it
//! says of these. Behind one that stays the ends stay that it needs: an end leaves the journals only when
//! none of them speaks of its attempt without it, and an attempt that is open in the journals is open.
//! What belongs to a run whose directory is missing stays, too: the directory may be put back.
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
use crate::place::sync_file_system;
use crate::run_dir::RunDir;

/// A propagator that has kept nothing for so long is not waited for: whatever it missed, it finds when
/// it compares.
const PROPAGATES_WITHIN_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// Journals whose ends are made durable by one sync.
const AT_ONCE: usize = 16;

/// A journal of this size is replaced whatever is saved by it. Of a larger one at most a quarter of its
/// attempts is written again; these have no more records than others, mostly fewer.
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

/// Retires what can be retired. Where something fails, the pass tells of what was done before.
pub(super) fn retire(home: &LocalHome, now: Timestamp, pass: &mut Pass) -> Result<(), LocalError> {
    remove_leftovers(home)?;
    let files = journal::files(home)?;
    let sealed = journal::sealed(&files);
    pass.left = sealed.len();
    let propagators = propagators(home, now)?;
    let is_read = |path: &&PathBuf| propagators.iter().all(|offsets| offsets.have_read(path));
    let read: Vec<&PathBuf> = sealed.iter().take_while(is_read).collect();
    if !read.is_empty() {
        let mut ledger = Ledger::new(home, &files)?;
        let mut journals = read.into_iter();
        while ledger.retire_some(&mut journals, pass)? {}
    }
    if let Err(error) = remove_exits_of_the_past(home) {
        let error = crate::chain(&error);
        tracing::warn!(error, "what guardians wrote that have ended could not be removed");
    }
    Ok(())
}

/// What a pass knows of attempts.
struct Ledger<'home> {
    home: &'home LocalHome,
    /// What they came to, where a journal tells.
    ends: HashMap<AttemptKey, Record>,
    /// Attempts of which a journal that stays speaks without their end. Their ends stay in the journals
    /// behind it, so that it is not alone with what it says.
    unended: HashSet<AttemptKey>,
    /// Runs whose directories are missing, or cannot be read or written. What journals say of them stays.
    out_of_reach: HashSet<(Accession, RunTag)>,
    /// Journals of this size are replaced whatever is saved by it.
    small: u64,
}

/// What a journal speaks of.
struct Contents {
    /// Where its last whole line ends; behind it there are zeros.
    size: u64,
    /// All its attempts.
    attempts: HashSet<AttemptKey>,
    /// Those whose end it does not have itself.
    unended: HashSet<AttemptKey>,
}

/// A journal that is not needed any more.
struct Retired {
    path: PathBuf,
    /// What stays of it.
    replacement: Option<PathBuf>,
    ended: Vec<AttemptKey>,
}

impl<'home> Ledger<'home> {
    /// Reads all ends that journals tell of.
    fn new(home: &'home LocalHome, files: &[PathBuf]) -> Result<Self, LocalError> {
        let mut ends = HashMap::new();
        let complete = journal::sealed(files).len();
        for (position, path) in files.iter().enumerate() {
            let size = if position < complete { u64::MAX } else { journal::durable(path) };
            journal::each_record_if_there(path, 0, size, |record| {
                if let Some(key) = record.key().filter(|_| record.is_end()).cloned() {
                    ends.entry(key).or_insert(record);
                }
            })?;
        }
        let (unended, out_of_reach) = (HashSet::new(), HashSet::new());
        Ok(Self { home, ends, unended, out_of_reach, small: SMALL })
    }

    /// Retires what can be retired of the next journals, with one sync; tells whether there may be more.
    fn retire_some<'paths>(
        &mut self,
        journals: &mut impl Iterator<Item = &'paths PathBuf>,
        pass: &mut Pass,
    ) -> Result<bool, LocalError> {
        let work_dir = self.home.work_dir();
        // Opened before anything is written: its sync tells of every write that failed since.
        let file_system = File::open(work_dir).map_err(failed("open", work_dir))?;
        let mut batch = Vec::new();
        while batch.len() < AT_ONCE {
            let Some(path) = journals.next() else { break };
            batch.extend(self.archive(path)?);
        }
        if batch.is_empty() {
            return Ok(false);
        }
        sync_file_system(&file_system).map_err(failed("make durable", work_dir))?;
        crate::failpoint::reach("supervisor.archived");
        for retired in batch {
            retired.take_effect()?;
            pass.left -= usize::from(retired.replacement.is_none());
            pass.archived.extend(retired.ended);
            crate::failpoint::reach("supervisor.retired");
        }
        Ok(true)
    }

    /// Keeps the ends of a journal's attempts in the directories of their runs, not yet durably, and writes
    /// what stays of it; nothing where it stays as it is.
    fn archive(&mut self, path: &Path) -> Result<Option<Retired>, LocalError> {
        let Contents { size, attempts, unended } = Contents::read(path)?;
        let (ends, mut stay) = self.look_up(attempts);
        if self.is_kept_whole(size, ends.len(), stay.len()) {
            self.unended.extend(unended);
            return Ok(None);
        }
        let ended = self.keep(ends, &mut stay);
        if self.is_kept_whole(size, ended.len(), stay.len()) {
            self.unended.extend(unended);
            return Ok(None);
        }
        let replacement = match stay.is_empty() {
            true => None,
            false => Some(write_what_stays(path, size, &stay)?),
        };
        self.unended.extend(unended.into_iter().filter(|key| stay.contains(key)));
        Ok(Some(Retired { path: path.to_owned(), replacement, ended }))
    }

    /// Returns the ends of attempts, and the attempts that have none or must keep theirs where it is. Where
    /// journals were being retired when a machine lost its power, an end may be in the run's directory alone.
    fn look_up(&mut self, attempts: HashSet<AttemptKey>) -> (Vec<Record>, HashSet<AttemptKey>) {
        let (mut ends, mut stay, mut open) = (Vec::new(), HashSet::new(), HashSet::new());
        for key in attempts {
            match self.ends.get(&key) {
                _ if self.unended.contains(&key) => _ = stay.insert(key),
                Some(end) => ends.push(end.clone()),
                None => _ = open.insert(key),
            }
        }
        let runs: BTreeSet<(Accession, RunTag)> =
            open.iter().map(AttemptKey::run_and_tag).collect();
        for run in runs {
            if self.out_of_reach.contains(&run) {
                continue;
            }
            match archive::read(&RunDir::of(self.home.work_dir(), run.0, &run.1)) {
                Ok(archived) => ends.extend(
                    archived
                        .into_iter()
                        .filter(|end| end.key().is_some_and(|key| open.remove(key))),
                ),
                Err(error) => self.is_out_of_reach(run, &error),
            }
        }
        stay.extend(open);
        (ends, stay)
    }

    /// Keeps ends; returns the attempts of which the directories of their runs have them now. Those of the
    /// others stay.
    fn keep(&mut self, ends: Vec<Record>, stay: &mut HashSet<AttemptKey>) -> Vec<AttemptKey> {
        let mut by_run: BTreeMap<(Accession, RunTag), Vec<Record>> = BTreeMap::new();
        for end in ends {
            if let Some(key) = end.key() {
                by_run.entry(key.run_and_tag()).or_default().push(end);
            }
        }
        let mut kept = Vec::new();
        for (run, ends) in by_run {
            let keys = ends.iter().filter_map(|end| end.key().cloned());
            if self.out_of_reach.contains(&run) {
                stay.extend(keys);
                continue;
            }
            match archive::keep(&RunDir::of(self.home.work_dir(), run.0, &run.1), &ends) {
                Ok(()) => kept.extend(keys),
                Err(error) => {
                    stay.extend(keys);
                    self.is_out_of_reach(run, &error);
                }
            }
        }
        kept
    }

    fn is_out_of_reach(&mut self, run: (Accession, RunTag), error: &LocalError) {
        let error = crate::chain(error);
        tracing::warn!(run = %run.0, error, "what journals say of a run stays there");
        self.out_of_reach.insert(run);
    }

    /// Tells whether a journal stays as it is: nothing of it can go, or too little for what would have to
    /// be written again.
    fn is_kept_whole(&self, size: u64, go: usize, stay: usize) -> bool {
        (go == 0 && stay > 0) || (size > self.small && stay > go / 3)
    }
}

impl Contents {
    fn read(path: &Path) -> Result<Self, LocalError> {
        let (mut attempts, mut ended) = (HashSet::new(), HashSet::new());
        let size = journal::each_record(path, 0, u64::MAX, |record| {
            if let Some(key) = record.key() {
                attempts.insert(key.clone());
                if record.is_end() {
                    ended.insert(key.clone());
                }
            }
        })?;
        let unended = attempts.difference(&ended).cloned().collect();
        Ok(Self { size, attempts, unended })
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
            let said = journal::open_said(path)?;
            return journal::say(&said, journal::Said { bytes: size, open: 0 })
                .map_err(failed("mark", path));
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
        if let Some(Life { boot, guardian, guardian_started, .. }) = journal::life(&path)? {
            needed.insert(guardian::exits_file(home, &boot, guardian, guardian_started));
        }
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

#[cfg(test)]
mod tests;
