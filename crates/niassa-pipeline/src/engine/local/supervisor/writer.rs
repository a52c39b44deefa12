//! Writing the journal: records go into the file at once, and one thread makes them durable.
//!
//! While the disk works on one sync the next records gather, so a sync serves as many records as
//! came in meanwhile. Records that only narrow a doubt after a kill need no sync of their own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::super::journal::{Ended, Record, encode, open_durable, say_durable};
use super::super::{LocalError, failed};
use super::Event;

/// How long a note waits for a sync that something else needs. Until then nobody is told of it.
const NOTES_WAIT: Duration = Duration::from_millis(20);

/// Bytes of the journal that are made ready at once.
const RESERVED_AT_ONCE: u64 = 256 * 1024;

/// The journal of this life.
#[derive(Clone)]
pub(super) struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    file: File,
    /// Bytes that were written.
    bytes: u64,
    /// The file's size: behind what was written it holds zeros.
    reserved: u64,
    /// Whether a write failed in between: then a line may be torn, and nothing is put behind it.
    is_torn: bool,
    /// Whether the thread that syncs sleeps until it is told, with everything synced.
    is_asleep: bool,
    /// Records that have to be durable, counted.
    written: u64,
    exits: Vec<(PathBuf, Ended)>,
}

impl Writer {
    /// Makes the journal and starts the thread that syncs it.
    pub(super) fn create(path: PathBuf, events: Sender<Event>) -> Result<Self, LocalError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed("make", &path))?;
        reserve(&file, 0).and_then(|()| file.sync_all()).map_err(failed("reserve", &path))?;
        let syncing = file.try_clone().map_err(failed("open", &path))?;
        let durable = open_durable(&path)?;
        if let Some(folder) = path.parent() {
            File::open(folder).and_then(|f| f.sync_all()).map_err(failed("sync", folder))?;
        }
        let state = Mutex::new(State {
            file,
            bytes: 0,
            reserved: RESERVED_AT_ONCE,
            is_torn: false,
            is_asleep: false,
            written: 0,
            exits: Vec::new(),
        });
        let shared = Arc::new(Shared { path, state, changed: Condvar::new() });
        let writer = Self { shared };
        let own = writer.clone();
        thread::spawn(move || own.sync_always(&syncing, &durable, &events));
        Ok(writer)
    }

    /// Appends records that have to be durable; returns the number to wait for.
    pub(super) fn append(&self, records: &[Record]) -> Result<u64, LocalError> {
        let mut state = self.write(records)?;
        state.written += records.len() as u64;
        self.shared.changed.notify_one();
        Ok(state.written)
    }

    /// Returns the number of the last record that has to be durable.
    pub(super) fn written(&self) -> u64 {
        self.lock().written
    }

    /// Appends a record that nobody has to wait for.
    pub(super) fn note(&self, record: &Record) -> Result<(), LocalError> {
        let mut state = self.write(std::slice::from_ref(record))?;
        if std::mem::take(&mut state.is_asleep) {
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// Appends an exit; once it is durable, `exit.json` is written from it. The sync may wait for what
    /// follows from the exit: the deciding thread calls for it with [`Writer::call_for_sync`].
    pub(super) fn exit(&self, attempt_dir: &Path, ended: Ended) -> Result<(), LocalError> {
        let record = Record::Exit(ended);
        let mut state = self.write(std::slice::from_ref(&record))?;
        if let Record::Exit(ended) = record {
            state.exits.push((attempt_dir.to_owned(), ended));
        }
        state.written += 1;
        Ok(())
    }

    /// Lets the sync begin that covers everything written so far.
    pub(super) fn call_for_sync(&self) {
        self.shared.changed.notify_one();
    }

    fn write(&self, records: &[Record]) -> Result<MutexGuard<'_, State>, LocalError> {
        let mut lines = Vec::with_capacity(256 * records.len());
        for record in records {
            encode(record, &mut lines).map_err(failed("encode for", &self.shared.path))?;
        }
        let mut state = self.lock();
        let written = match state.is_torn {
            true => Err(io::Error::other("an earlier line could not be written")),
            false => state.put(&lines),
        };
        if let Err(error) = written {
            state.is_torn = true;
            return Err(failed("write", &self.shared.path)(error));
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while it held the lock left whole lines behind.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has to be durable, or until a note has waited long enough.
    fn wait_for_records(&self, synced: u64, synced_bytes: u64) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.written == synced {
            let changed = &self.shared.changed;
            if state.bytes == synced_bytes {
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

    /// Syncs whenever something is unsynced. Ends when nobody listens, or when the disk fails: then
    /// nothing more is told as durable, and the supervisor ends.
    fn sync_always(&self, file: &File, durable: &File, events: &Sender<Event>) {
        let files = write_exits_aside();
        let (mut synced, mut synced_bytes) = (0, 0);
        loop {
            let mut state = self.wait_for_records(synced, synced_bytes);
            let (target, bytes) = (state.written, state.bytes);
            let exits = std::mem::take(&mut state.exits);
            drop(state);
            let broken = |source| {
                let error = failed("sync", &self.shared.path)(source);
                let _nobody_listens = events.send(Event::Broken(error));
            };
            // Said before the deciding thread hears of it, which may end the process then.
            if let Err(source) = file.sync_data().and_then(|()| say_durable(durable, bytes)) {
                return broken(source);
            }
            (synced, synced_bytes) = (target, bytes);
            if events.send(Event::Synced(synced)).is_err() {
                return;
            }
            if !exits.is_empty() && files.send(exits).is_err() {
                return;
            }
        }
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

/// Starts the thread that writes `exit.json` files: nothing waits for them.
fn write_exits_aside() -> Sender<Vec<(PathBuf, Ended)>> {
    let (sender, exits) = channel::<Vec<(PathBuf, Ended)>>();
    thread::spawn(move || {
        for (attempt_dir, ended) in exits.into_iter().flatten() {
            if let Err(error) = write_exit(&attempt_dir, &ended) {
                let path = attempt_dir.display();
                tracing::warn!(%path, %error, "exit.json cannot be written; the journal has it");
            }
        }
    });
    sender
}

/// Writes `exit.json`, for people: derived from the journal, never read by us.
fn write_exit(attempt_dir: &Path, ended: &Ended) -> io::Result<()> {
    let temporary = attempt_dir.join(".exit.json");
    std::fs::write(&temporary, serde_json::to_vec(ended)?)?;
    std::fs::rename(temporary, attempt_dir.join("exit.json"))
}
