//! What a supervisor does before it supervises: its lock, its guardian, its journal's name, its inbox.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use niassa_model::time::Timestamp;
use rustix::fs::{FlockOperation, flock, inotify};

use super::Event;
use crate::engine::local::guardian::GUARDIAN;
use crate::engine::local::{LocalError, LocalHome, failed, journal};

/// How long the lock is tried for: a client that only looks holds it for a moment.
const LOCK_TRIES: u32 = 15;

/// Returns our guardian, if it is still our parent: whoever else is would never tell how steps end.
pub(super) fn guardian_of(environment: &[(OsString, OsString)]) -> Option<u32> {
    let told = environment.iter().find(|(name, _)| name == GUARDIAN);
    let told: u32 = told?.1.to_str()?.parse().ok()?;
    let parent = rustix::process::getppid()?.as_raw_nonzero().get().cast_unsigned();
    (told == parent).then_some(told)
}

/// Names the next journal: it sorts behind all others, whatever the clock does.
pub(super) fn next_journal(home: &LocalHome, now: Timestamp) -> Result<String, LocalError> {
    let stamp = |path: &PathBuf| -> Option<i64> {
        path.file_stem()?.to_str()?.strip_prefix("journal-")?.get(..20)?.parse().ok()
    };
    let newest = journal::files(home)?.iter().filter_map(stamp).max();
    let stamp = newest.map_or(now.as_micros(), |newest| now.as_micros().max(newest + 1));
    Ok(format!("journal-{stamp:020}-{}.jsonl", std::process::id()))
}

/// Tells whether another supervisor has written since this one.
pub(super) fn others_wrote_since(home: &LocalHome) -> Result<bool, LocalError> {
    let own = format!("-{}", std::process::id());
    let newest = journal::files(home)?.pop();
    let newest = newest.as_deref().and_then(|path| path.file_stem()?.to_str());
    Ok(newest.is_some_and(|name| !name.ends_with(&own)))
}

/// Takes the lock; nothing when another supervisor holds it.
pub(super) fn take_lock(home: &LocalHome) -> Result<Option<File>, LocalError> {
    let path = home.lock();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(failed("open", &path))?;
    for _ in 0..LOCK_TRIES {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => thread::sleep(Duration::from_millis(10)),
            Err(error) => return Err(failed("lock", &path)(error.into())),
        }
    }
    Ok(None)
}

/// Starts the thread that tells when something is put into the inbox.
pub(super) fn watch_inbox(home: &LocalHome, events: Sender<Event>) -> Result<(), LocalError> {
    let inbox = home.inbox();
    let watch = |error: rustix::io::Errno| failed("watch", &inbox)(error.into());
    let notify = inotify::init(inotify::CreateFlags::CLOEXEC).map_err(watch)?;
    inotify::add_watch(&notify, &inbox, inotify::WatchFlags::MOVED_TO).map_err(watch)?;
    thread::spawn(move || {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4_096];
        let mut reader = inotify::Reader::new(notify, &mut buffer);
        // Where events cannot be read any more, the tick looks into the inbox.
        while reader.next().is_ok() {
            if events.send(Event::Inbox).is_err() {
                return;
            }
        }
    });
    Ok(())
}
