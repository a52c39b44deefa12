//! Writing the journal: records go into the file at once, and one thread makes them durable.
//!
//! While the disk works on one sync the next records gather, so a sync serves as many records as
//! came in meanwhile. Records that only narrow a doubt after a kill need no sync of their own. A file
//! that has become large is followed by another one, of which nothing is told before all of it is durable.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use niassa_model::time::Clock;

use super::super::journal::{Ended, Life, Record, Said, encode, open_said, say};
use super::super::{LocalError, LocalHome, failed};
use super::Event;
use super::setup::next_journal;

/// How long a note waits for a sync that something else needs. Until then nobody is told of it.
const NOTES_WAIT: Duration = Duration::from_millis(20);

/// Bytes of the journal that are made ready at once.
const RESERVED_AT_ONCE: u64 = 256 * 1024;

/// How much more is written to a file when the next one could not be made, at least.
const SMALL_STEP: u64 = 256 * 1024;

/// The journal of this life.
#[derive(Clone)]
pub(super) struct Writer {
    shared: Arc<Shared>,
}

/// Where a life's journal is written, and how.
pub(super) struct Series {
    pub(super) home: LocalHome,
    /// Stands at the beginning of each file.
    pub(super) life: Life,
    /// A file of this size is followed by another one.
    pub(super) most_bytes: u64,
    pub(super) clock: Arc<dyn Clock>,
}

struct Shared {
    series: Series,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    path: PathBuf,
    file: File,
    /// Bytes that were written.
    bytes: u64,
    /// The file's size: behind what was written it holds zeros.
    reserved: u64,
    /// Whether a write failed in between: then a line may be torn, and nothing is put behind it.
    is_torn: bool,
    /// Whether the thread that syncs sleeps until it is told, with everything synced.
    is_asleep: bool,
    /// Whether the thread that syncs makes another file, and lets records go there.
    is_going_over: bool,
    /// Records that have to be durable, counted.
    written: u64,
    /// Attempts that are not over, as the deciding thread knows it.
    open: u64,
}

/// A file of the journal, for the thread that syncs it.
struct Synced {
    path: PathBuf,
    file: File,
    /// Says how much of it is durable.
    said: File,
    /// What it said last.
    last: Said,
}

impl Writer {
    /// Makes the journal and starts the thread that syncs it.
    pub(super) fn create(series: Series, events: Sender<Event>) -> Result<Self, LocalError> {
        let mut first = series.next()?;
        first.sync(first.last)?;
        let state = Mutex::new(State {
            path: first.path.clone(),
            file: first.file.try_clone().map_err(failed("open", &first.path))?,
            bytes: first.last.bytes,
            reserved: RESERVED_AT_ONCE,
            is_torn: false,
            is_asleep: false,
            is_going_over: false,
            written: 0,
            open: 0,
        });
        let shared = Arc::new(Shared { series, state, changed: Condvar::new() });
        let writer = Self { shared };
        let own = writer.clone();
        thread::spawn(move || own.sync_always(first, &events));
        Ok(writer)
    }

    /// Appends records that have to be durable; returns the number to wait for. The sync may wait for what
    /// is written together with them: the deciding thread calls for it with [`Writer::call_for_sync`].
    pub(super) fn append(&self, records: &[Record]) -> Result<u64, LocalError> {
        let mut state = self.write(records)?;
        state.written += records.len() as u64;
        Ok(state.written)
    }

    /// Tells whether something is still to be done when everything up to a number is durable.
    pub(super) fn is_busy_after(&self, durable: u64) -> bool {
        let state = self.lock();
        state.written > durable || state.is_going_over
    }

    /// Appends a record that nobody has to wait for.
    pub(super) fn note(&self, record: &Record) -> Result<(), LocalError> {
        let mut state = self.write(std::slice::from_ref(record))?;
        if std::mem::take(&mut state.is_asleep) {
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// Appends the end of an attempt, like [`Writer::append`].
    pub(super) fn exit(&self, attempt_dir: &Path, ended: Ended) -> Result<(), LocalError> {
        let below = attempt_dir.strip_prefix(self.shared.series.home.work_dir());
        let ended = Ended { attempt_dir: Some(below.unwrap_or(attempt_dir).to_owned()), ..ended };
        self.append(&[Record::Exit(ended)]).map(drop)
    }

    /// Lets the sync begin that covers everything written so far, and says how many attempts are not over.
    pub(super) fn call_for_sync(&self, open: usize) {
        self.lock().open = open as u64;
        self.shared.changed.notify_one();
    }

    fn write(&self, records: &[Record]) -> Result<MutexGuard<'_, State>, LocalError> {
        let mut lines = Vec::with_capacity(256 * records.len());
        for record in records {
            let home = self.shared.series.home.path();
            encode(record, &mut lines).map_err(failed("encode for", home))?;
        }
        let mut state = self.lock();
        let written = match state.is_torn {
            true => Err(io::Error::other("an earlier line could not be written")),
            false => state.put(&lines),
        };
        if let Err(error) = written {
            state.is_torn = true;
            return Err(failed("write", &state.path)(error));
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while it held the lock left whole lines behind.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has to be durable or to be said, or until a note has waited long enough.
    fn wait_for_records(&self, synced: u64, last: Said) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.written == synced && state.open == last.open {
            let changed = &self.shared.changed;
            if state.bytes == last.bytes {
                state.is_asleep = true;
                state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = changed.wait_timeout(state, NOTES_WAIT);
            let (still, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = still;
            if timeout.timed_out() {
                break;
            }
        }
        state
    }

    /// Syncs whenever something is unsynced, and goes over to a new file where one is full. Ends when
    /// nobody listens, or when the disk fails: then nothing more is told as durable, and the supervisor
    /// ends.
    fn sync_always(&self, mut journal: Synced, events: &Sender<Event>) {
        let most = self.shared.series.most_bytes;
        let (mut synced, mut full_at) = (0, most.max(journal.last.bytes + 1));
        loop {
            let mut state = self.wait_for_records(synced, journal.last);
            let (target, said) = (state.written, Said { bytes: state.bytes, open: state.open });
            state.is_going_over = said.bytes >= full_at;
            drop(state);
            // Said before the deciding thread hears of it, which may end the process then.
            if let Err(error) = journal.sync(said) {
                let _nobody_listens = events.send(Event::Broken(error));
                return;
            }
            if target > synced && events.send(Event::Synced(target)).is_err() {
                return;
            }
            synced = target;
            if said.bytes < full_at {
                continue;
            }
            match self.go_over(journal) {
                Ok((same_or_next, full)) => (journal, full_at) = (same_or_next, full),
                Err(error) => {
                    let _nobody_listens = events.send(Event::Broken(error));
                    return;
                }
            }
            if events.send(Event::Rotated).is_err() {
                return;
            }
        }
    }

    /// Lets records go into another file from now on; returns it, and when it is full. Nothing of it is
    /// told before everything in the one before is durable, which readers take for complete then.
    fn go_over(&self, mut sealed: Synced) -> Result<(Synced, u64), LocalError> {
        let most = self.shared.series.most_bytes;
        let next = self.shared.series.next().and_then(|next| {
            let file = next.file.try_clone().map_err(failed("open", &next.path))?;
            Ok((next, file))
        });
        let mut state = self.lock();
        state.is_going_over = false;
        let (mut next, file) = match next {
            // After a torn line the supervisor ends, and its last file stays the last.
            Ok(next) if !state.is_torn => next,
            Ok(_) => return Ok((sealed, u64::MAX)),
            Err(error) => {
                tracing::warn!(error = crate::chain(&error), "the journal goes on in one file");
                let full_at = state.bytes.saturating_add(most.max(SMALL_STEP));
                return Ok((sealed, full_at));
            }
        };
        let end = Said { bytes: state.bytes, open: state.open };
        state.path.clone_from(&next.path);
        (state.file, state.bytes, state.reserved) = (file, next.last.bytes, RESERVED_AT_ONCE);
        drop(state);
        sealed.sync(end)?;
        next.sync(Said { open: end.open, ..next.last })?;
        let full_at = most.max(next.last.bytes + 1);
        Ok((next, full_at))
    }
}

impl Series {
    /// Makes the next file, durably; whose life it is of stands in it.
    fn next(&self) -> Result<Synced, LocalError> {
        let path = self.home.path().join(next_journal(&self.home, self.clock.now())?);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed("make", &path))?;
        self.begin(&path, file).inspect_err(|_| {
            // What cannot be begun would take room at each try, of a disk that may be full.
            let _left_behind = std::fs::remove_file(&path);
            let _left_behind = std::fs::remove_file(path.with_extension("synced"));
        })
    }

    fn begin(&self, path: &Path, file: File) -> Result<Synced, LocalError> {
        let mut life = Vec::new();
        encode(&Record::Life(self.life.clone()), &mut life).map_err(failed("encode for", path))?;
        reserve(&file, 0)
            .and_then(|()| file.write_all_at(&life, 0))
            .and_then(|()| file.sync_all())
            .map_err(failed("reserve", path))?;
        let said = open_said(path)?;
        let folder = self.home.path();
        File::open(folder).and_then(|f| f.sync_all()).map_err(failed("sync", folder))?;
        let last = Said { bytes: life.len() as u64, open: 0 };
        Ok(Synced { path: path.to_owned(), file, said, last })
    }
}

impl Synced {
    /// Makes so much of the file durable and says so.
    fn sync(&mut self, now: Said) -> Result<(), LocalError> {
        self.file
            .sync_data()
            .and_then(|()| say(&self.said, now))
            .map_err(failed("sync", &self.path))?;
        self.last = now;
        Ok(())
    }
}

impl State {
    /// Writes lines behind those before.
    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        let end = self.bytes + lines.len() as u64;
        while end > self.reserved {
            reserve(&self.file, self.reserved)?;
            self.reserved += RESERVED_AT_ONCE;
        }
        self.file.write_all_at(lines, self.bytes)?;
        self.bytes = end;
        Ok(())
    }
}

/// Writes zeros where lines will stand. A sync of lines that change neither the file's size nor its
/// place on the disk needs no commit of the file system's own journal, for which writes would wait.
fn reserve(file: &File, from: u64) -> io::Result<()> {
    static BLOCK: [u8; 64 * 1024] = [0; 64 * 1024];
    let blocks = RESERVED_AT_ONCE / BLOCK.len() as u64;
    (0..blocks).try_for_each(|block| file.write_all_at(&BLOCK, from + block * BLOCK.len() as u64))
}
