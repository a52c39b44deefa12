//! What ended attempts of a run came to, in the run's own directory: for as long as the run is kept, and
//! nowhere else once the journals that told it are gone.
//!
//! `ended.jsonl` has the journal's own records, appended by the one supervisor that retires journals. Only
//! ends stand there. A torn line, from a power cut, is no record; nothing was removed for it yet.

use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, Write};

use niassa_model::accession::Accession;
use niassa_model::run::RunTag;
use niassa_model::step::AttemptKey;

use super::journal::{self, Evidence, Record, encode};
use super::{LocalError, LocalHome, failed};
use crate::run_dir::RunDir;

/// A run of which nobody can tell now what has ended.
#[derive(Debug)]
pub struct Unread {
    /// The run.
    pub run: Accession,
    /// Why.
    pub error: LocalError,
}

/// Adds what directories of runs say of ended attempts, and returns those that cannot be read. What is not
/// found of an unread run is not absent: it is not known. To be read after the journals: an end is in the
/// directory before it leaves them.
#[must_use = "attempts of these runs are not absent"]
pub fn add<'runs, S: BuildHasher>(
    home: &LocalHome,
    runs: impl Iterator<Item = &'runs (Accession, RunTag)>,
    found: &mut HashMap<AttemptKey, Evidence, S>,
) -> Vec<Unread> {
    let mut unread = Vec::new();
    for (run, tag) in runs {
        match read(&RunDir::of(home.work_dir(), *run, tag)) {
            Ok(records) => {
                for record in records {
                    if let Some(key) = record.key().cloned() {
                        found.entry(key).or_default().take(record);
                    }
                }
            }
            Err(error) => unread.push(Unread { run: *run, error }),
        }
    }
    unread
}

/// Reads the ends of a run's attempts behind so many bytes, and returns them with how far was read. All
/// of them where there are fewer bytes by now.
pub(crate) fn read_new(run: &RunDir, told: u64) -> Result<(Vec<Record>, u64), LocalError> {
    let path = run.ended();
    let size = match fs::metadata(&path) {
        Err(error) if is_missing(&error) => return Ok((Vec::new(), 0)),
        looked => looked.map_err(failed("look at", &path))?.len(),
    };
    let mut ends = Vec::new();
    if size == told {
        return Ok((ends, told));
    }
    let begin = if told > size { 0 } else { told };
    let read = journal::each_record(&path, begin, size, |record| {
        if record.is_end() {
            ends.push(record);
        }
    })?;
    Ok((ends, read))
}

/// Reads the ends of a run's attempts; none where nothing was kept, or where the directory is gone.
pub(crate) fn read(run: &RunDir) -> Result<Vec<Record>, LocalError> {
    Ok(ends(&content(run)?).collect())
}

/// Keeps ends of a run's attempts. What was kept before is not kept again. It fails where the run has no
/// directory: that may be put back, and must not come without what its attempts came to. This does not make
/// them durable.
pub(crate) fn keep(run: &RunDir, ends: &[Record]) -> Result<(), LocalError> {
    let path = run.ended();
    let kept = content(run)?;
    let known: HashSet<AttemptKey> =
        self::ends(&kept).filter_map(|record| record.key().cloned()).collect();
    let mut lines = Vec::new();
    for end in ends.iter().filter(|end| end.key().is_some_and(|key| !known.contains(key))) {
        encode(end, &mut lines).map_err(failed("encode for", &path))?;
    }
    if lines.is_empty() {
        return Ok(());
    }
    // A line that an earlier supervisor was killed over stays what it is.
    if kept.last().is_some_and(|last| *last != b'\n') {
        lines.insert(0, b'\n');
    }
    let mut file =
        OpenOptions::new().create(true).append(true).open(&path).map_err(failed("open", &path))?;
    file.write_all(&lines).map_err(failed("write", &path))
}

fn ends(text: &[u8]) -> impl Iterator<Item = Record> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_slice(line).ok()).filter(Record::is_end)
}

fn content(run: &RunDir) -> Result<Vec<u8>, LocalError> {
    let path = run.ended();
    match fs::read(&path) {
        Err(error) if is_missing(&error) => Ok(Vec::new()),
        read => read.map_err(failed("read", &path)),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
