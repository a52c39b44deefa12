//! The journal: files that a supervisor alone appends to, one after the other, read by everybody.
//!
//! Lines are whole JSON records; a torn last line, from a power cut, is no record. A record read
//! twice changes nothing. At most one `granted` or `closed` that was told stands for a key over all files:
//! of records that were not durable yet a power cut may leave the later one, a `granted` without its
//! `ordered`; nothing was started for it, and another one may follow. Ends that are told leave the journal
//! for the run's own directory: `retire`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use niassa_model::step::{AttemptKey, Outcome};
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LocalError, LocalHome, Start, failed};

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A supervisor began its life.
    Life(Life),
    /// An order to start was taken up.
    Ordered(Start),
    /// The attempt may start, now or when those have succeeded that it waits for. From now on its end is an
    /// `exit`, also if it never starts.
    Granted {
        /// The attempt.
        key: AttemptKey,
    },
    /// A process waits for the word to run the command; it gets it after this record.
    Started(Started),
    /// Its command has ended; its process is reaped and its outputs are kept after this record.
    Ran(Ended),
    /// The attempt has ended.
    Exit(Ended),
    /// The attempt will never start.
    Closed {
        /// The attempt.
        key: AttemptKey,
        /// What it came to.
        outcome: Outcome,
        /// Why, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// When.
        at: Timestamp,
    },
}

/// Who writes a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// The boot it lives in.
    pub boot: String,
    /// The supervisor.
    pub supervisor: u32,
    /// Its guardian.
    pub guardian: u32,
    /// When the guardian started, in ticks since boot.
    pub guardian_started: Option<u64>,
}

/// An attempt's process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The attempt.
    pub key: AttemptKey,
    /// The process, which leads a group of its own.
    pub pid: u32,
    /// When.
    pub at: Timestamp,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The attempt.
    pub key: AttemptKey,
    /// Its directory in the work directory, which may lie elsewhere by the time it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_dir: Option<PathBuf>,
    /// What it came to.
    pub outcome: Outcome,
    /// When it started, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Processor time, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_micros: Option<i64>,
    /// Peak memory of its largest process, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<i64>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Ended {
    /// Says what an attempt came to, and nothing of its process.
    pub(crate) fn of(key: AttemptKey, outcome: Outcome, ended_at: Timestamp) -> Self {
        Self {
            key,
            attempt_dir: None,
            outcome,
            started_at: None,
            ended_at,
            cpu_micros: None,
            peak_memory_bytes: None,
            message: None,
        }
    }
}

/// Everything journals say of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    ordered: bool,
    granted: bool,
    started: Option<Started>,
    ran: Option<Ended>,
    exit: Option<Ended>,
    closed: Option<Ended>,
}

impl Evidence {
    /// Takes a record; but for processes, the first of a kind stays.
    pub fn take(&mut self, record: Record) {
        match record {
            Record::Life(_) => {}
            Record::Ordered(_) => self.ordered = true,
            Record::Granted { .. } => self.granted = true,
            // A process that never got the word is followed by another one.
            Record::Started(started) => self.started = Some(started),
            Record::Ran(ended) => {
                self.ran.get_or_insert(ended);
            }
            Record::Exit(ended) => {
                self.exit.get_or_insert(ended);
            }
            Record::Closed { key, outcome, message, at } => {
                self.closed.get_or_insert(Ended { message, ..Ended::of(key, outcome, at) });
            }
        }
    }

    /// Adds what later records say.
    pub fn add(&mut self, later: Self) {
        self.ordered |= later.ordered;
        self.granted |= later.granted;
        self.started = later.started.or(self.started.take());
        self.ran = self.ran.take().or(later.ran);
        self.exit = self.exit.take().or(later.exit);
        self.closed = self.closed.take().or(later.closed);
    }

    /// Tells whether the supervisor has taken up an order to start it.
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// Tells whether the attempt may have started, or still may.
    pub fn is_granted(&self) -> bool {
        self.granted || self.started.is_some() || self.exit.is_some()
    }

    /// Returns how it ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.end().map(|ended| ended.outcome)
    }

    /// Returns its end, granted or not, once it has one.
    pub fn end(&self) -> Option<&Ended> {
        self.exit.as_ref().or(self.closed.as_ref())
    }

    /// Returns its exit, if it was granted and has ended.
    #[cfg(test)]
    pub(super) fn exit(&self) -> Option<&Ended> {
        self.exit.as_ref()
    }

    /// Returns how its command ended, while its outputs are seen to.
    pub(super) fn ran(&self) -> Option<&Ended> {
        self.ran.as_ref()
    }

    /// Returns its process.
    pub(super) fn started(&self) -> Option<&Started> {
        self.started.as_ref()
    }

    /// Returns when it started.
    pub fn started_at(&self) -> Option<Timestamp> {
        let exit = self.exit.as_ref().and_then(|ended| ended.started_at);
        exit.or_else(|| self.started.as_ref().map(|started| started.at))
    }
}

impl Record {
    /// Tells whether an attempt is over with this record.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::Exit(_) | Self::Closed { .. })
    }

    /// Returns what the attempt came to, where it is over with this record.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Exit(ended) => Some(ended.outcome),
            Self::Closed { outcome, .. } => Some(*outcome),
            Self::Life(_)
            | Self::Ordered(_)
            | Self::Granted { .. }
            | Self::Started(_)
            | Self::Ran(_) => None,
        }
    }

    /// Returns the attempt a record is about.
    pub fn key(&self) -> Option<&AttemptKey> {
        match self {
            Self::Life(_) => None,
            Self::Ordered(start) => Some(&start.key),
            Self::Granted { key } | Self::Closed { key, .. } => Some(key),
            Self::Started(started) => Some(&started.key),
            Self::Ran(ended) | Self::Exit(ended) => Some(&ended.key),
        }
    }
}

/// How far each journal was read, in bytes, by its file's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offsets(BTreeMap<String, u64>);

impl Offsets {
    /// Returns the ends of all journals: for what is yet to happen.
    pub fn at_the_end(home: &LocalHome) -> Result<Self, LocalError> {
        Ok(Self(files(home)?.iter().map(|path| (name_of(path), durable(path))).collect()))
    }

    /// Tells whether some journal has more than was read.
    pub(super) fn are_behind(&self, home: &LocalHome) -> Result<bool, LocalError> {
        for path in files(home)? {
            if durable(&path) > self.0.get(&name_of(&path)).copied().unwrap_or(0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether everything durable of a journal was read.
    pub(super) fn have_read(&self, journal: &Path) -> bool {
        self.0.get(&name_of(journal)).copied().unwrap_or(0) >= durable(journal)
    }
}

/// Reads what journals durably say since the offsets, and moves them. Only attempts that started,
/// ended or were closed are told.
pub fn read_new(
    home: &LocalHome,
    offsets: &mut Offsets,
) -> Result<Vec<(AttemptKey, Evidence)>, LocalError> {
    let mut news: Vec<(AttemptKey, Evidence)> = Vec::new();
    let mut known: HashMap<AttemptKey, usize> = HashMap::new();
    let files = files(home)?;
    let names: HashSet<String> = files.iter().map(|path| name_of(path)).collect();
    offsets.0.retain(|name, _| names.contains(name));
    for path in files {
        let offset = offsets.0.entry(name_of(&path)).or_default();
        let read = each_record_if_there(&path, *offset, durable(&path), |record| {
            let told =
                matches!(record, Record::Started(_) | Record::Exit(_) | Record::Closed { .. });
            let Some(key) = record.key().filter(|_| told).cloned() else { return };
            let position = *known.entry(key.clone()).or_insert_with(|| {
                news.push((key, Evidence::default()));
                news.len() - 1
            });
            news[position].1.take(record);
        })?;
        *offset = read.unwrap_or(*offset);
    }
    Ok(news)
}

/// Reads everything journals durably say of some attempts. What they do not say any more is in the
/// directories of the runs, to be read afterwards: [`super::archive::add`].
pub fn scan(
    home: &LocalHome,
    of_these: impl Fn(&AttemptKey) -> bool,
) -> Result<HashMap<AttemptKey, Evidence>, LocalError> {
    let mut found: HashMap<AttemptKey, Evidence> = HashMap::new();
    for path in files(home)? {
        each_record_if_there(&path, 0, durable(&path), |record| {
            let Some(key) = record.key().filter(|key| of_these(key)).cloned() else { return };
            found.entry(key).or_default().take(record);
        })?;
    }
    Ok(found)
}

/// Reads everything that journals in a work directory durably say, of all hosts that launched from it. Calls
/// `unread` for each host of which they cannot be read, with the reason.
pub(crate) fn said_by_all_hosts(
    work_dir: &Path,
    mut unread: impl FnMut(&Path, LocalError),
) -> io::Result<HashMap<AttemptKey, Evidence>> {
    let mut said: HashMap<AttemptKey, Evidence> = HashMap::new();
    for home in LocalHome::all(work_dir)? {
        match scan(&home, |_| true) {
            Ok(found) => {
                for (key, evidence) in found {
                    said.entry(key).or_default().add(evidence);
                }
            }
            Err(error) => unread(home.path(), error),
        }
    }
    Ok(said)
}

/// Returns the journals, oldest first.
pub(super) fn files(home: &LocalHome) -> Result<Vec<PathBuf>, LocalError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(home.path()).map_err(failed("list", home.path()))? {
        let entry = entry.map_err(failed("list", home.path()))?;
        let path = entry.path();
        let is_ours = path.extension().is_some_and(|extension| extension == "jsonl")
            && entry.file_name().to_string_lossy().starts_with("journal-");
        if is_ours {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the journals of a listing that are complete: nothing is written to them any more, and all of
/// it is durable, for something behind them was said to be.
pub(super) fn sealed(files: &[PathBuf]) -> &[PathBuf] {
    let last = files.iter().rposition(|path| durable(path) > 0);
    &files[..last.unwrap_or(0)]
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a supervisor says of a journal, in a file beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// So many bytes are durable: what is behind may be gone after a power cut, so it is told to nobody.
    pub(super) bytes: u64,
    /// So many attempts were ordered and were not over then.
    pub(super) open: u64,
}

/// Returns how much of a journal is durable.
pub(super) fn durable(journal: &Path) -> u64 {
    said(journal).bytes
}

/// Tells whether a supervisor said last that some attempt is not over.
pub(super) fn is_anything_open(home: &LocalHome) -> Result<bool, LocalError> {
    let newest = files(home)?.iter().rev().map(|path| said(path)).find(|said| said.bytes > 0);
    Ok(newest.is_some_and(|said| said.open > 0))
}

fn said(journal: &Path) -> Said {
    let text = fs::read_to_string(journal.with_extension("synced")).unwrap_or_default();
    let number = |word: &str| word.parse().unwrap_or(0);
    // Written twice, so that half a write is known; the next look sees the whole one.
    match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        [bytes, open, same_bytes, same_open] if bytes == same_bytes && open == same_open => {
            Said { bytes: number(bytes), open: number(open) }
        }
        // So a supervisor said it that was started before there was an `open`.
        [bytes, same_bytes] if bytes == same_bytes => Said { bytes: number(bytes), open: 0 },
        _ => Said::default(),
    }
}

/// Opens the file that says how much of a journal is durable.
pub(super) fn open_said(journal: &Path) -> Result<fs::File, LocalError> {
    let path = journal.with_extension("synced");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).open(&path).map_err(failed("open", &path))
}

/// Says it. It need not be durable itself: whoever takes over says it anew.
pub(super) fn say(file: &fs::File, said: Said) -> io::Result<()> {
    let Said { bytes, open } = said;
    let text = format!("{bytes:020} {open:020} {bytes:020} {open:020}\n");
    file.write_all_at(text.as_bytes(), 0)
}

/// Like [`each_record`]; nothing where the journal was removed since it was listed: then what it said is
/// in the directories of its runs.
pub(super) fn each_record_if_there(
    path: &Path,
    offset: u64,
    size: u64,
    mut take: impl FnMut(Record),
) -> Result<Option<u64>, LocalError> {
    for _ in 0..2 {
        match each_record(path, offset, size, &mut take) {
            // On NFS a file may have been replaced while it was read: then another one has its name.
            Err(error) if is_gone(&error.source) => {}
            read => return read.map(Some),
        }
    }
    Ok(None)
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::STALE.raw_os_error())
}

/// Calls for each whole record between two offsets; returns the offset behind the last whole line.
pub(super) fn each_record(
    path: &Path,
    offset: u64,
    size: u64,
    mut take: impl FnMut(Record),
) -> Result<u64, LocalError> {
    let mut file = fs::File::open(path).map_err(failed("open", path))?;
    if size <= offset {
        return Ok(offset);
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed("read", path))?;
    let mut reader = BufReader::with_capacity(1 << 16, file.take(size - offset));
    let mut offset = offset;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(failed("read", path))?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok(offset);
        }
        offset += read as u64;
        match serde_json::from_slice(&line) {
            Ok(record) => take(record),
            Err(error) => tracing::warn!(path = %path.display(), %error, "a line is no record"),
        }
    }
}

/// Returns who wrote a journal: that stands in its first line, also where the journal was replaced.
pub(super) fn life(journal: &Path) -> Result<Option<Life>, LocalError> {
    let file = match fs::File::open(journal) {
        Err(error) if is_gone(&error) => return Ok(None),
        opened => opened.map_err(failed("open", journal))?,
    };
    let mut line = Vec::new();
    // Longer than any; before the line is written there are zeros.
    let mut reader = BufReader::with_capacity(1 << 12, file.take(1 << 16));
    reader.read_until(b'\n', &mut line).map_err(failed("read", journal))?;
    if let Ok(Record::Life(life)) = serde_json::from_slice(&line) {
        return Ok(Some(life));
    }
    let mut found = None;
    each_record_if_there(journal, 0, u64::MAX, |record| {
        if let Record::Life(life) = record {
            found = Some(life);
        }
    })?;
    Ok(found)
}

/// Encodes a record as its line.
pub(super) fn encode(record: &Record, into: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *into, record)?;
    into.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_was_removed_since_it_was_listed_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("journal-1.jsonl");
        assert_eq!(each_record_if_there(&gone, 0, 100, |_| {}).unwrap(), None);
        let stale = io::Error::from_raw_os_error(rustix::io::Errno::STALE.raw_os_error());
        assert!(is_gone(&stale));
        let not_gone = folder.path();
        assert!(each_record_if_there(not_gone, 0, 100, |_| {}).is_err(), "a folder is no journal");
    }

    #[test]
    fn what_a_supervisor_says_of_a_journal_is_believed_whole_only() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal-1.jsonl");
        assert_eq!(said(&journal), Said::default());
        let own = Said { bytes: 700, open: 3 };
        say(&open_said(&journal).unwrap(), own).unwrap();
        assert_eq!(said(&journal), own);
        let told = |text: &str| {
            fs::write(journal.with_extension("synced"), text).unwrap();
            said(&journal)
        };
        assert_eq!(told("700 3 600 3\n"), Said::default(), "half of it is new");
        assert_eq!(told("700 700\n"), Said { bytes: 700, open: 0 }, "as it was said before");
        assert_eq!(told("700 600\n"), Said::default());
    }

    #[test]
    fn a_life_stands_in_the_first_line_or_is_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal-1.jsonl");
        assert_eq!(life(&path).unwrap(), None, "it was removed since it was listed");
        let own = Life { boot: "b".into(), supervisor: 1, guardian: 2, guardian_started: Some(3) };
        let mut line = Vec::new();
        encode(&Record::Life(own.clone()), &mut line).unwrap();
        fs::write(&path, [line.as_slice(), b"{}\n"].concat()).unwrap();
        assert_eq!(life(&path).unwrap(), Some(own.clone()));
        fs::write(&path, [b"{}\n", line.as_slice()].concat()).unwrap();
        assert_eq!(life(&path).unwrap(), Some(own));
        fs::write(&path, vec![0; 1 << 17]).unwrap();
        assert_eq!(life(&path).unwrap(), None, "it is being begun");
    }

    #[test]
    fn offsets_forget_journals_that_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let home = LocalHome::open(folder.path()).unwrap();
        let mut offsets = Offsets(BTreeMap::from([("journal-1.jsonl".to_owned(), 7)]));
        let journal = home.path().join("journal-2.jsonl");
        fs::write(&journal, "").unwrap();
        assert!(read_new(&home, &mut offsets).unwrap().is_empty());
        assert_eq!(offsets.0, BTreeMap::from([("journal-2.jsonl".to_owned(), 0)]));
    }
}
