//! Waiting until the supervisor has more to tell.
//!
//! The kernel's notice costs nothing while somebody waits, but closing it takes the kernel longer
//! than a quick run takes altogether. So the first moments are spent looking at the journals' sizes;
//! only who waits longer asks for notice, once, and keeps it.

use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

use super::journal::{self, Offsets};
use super::{LocalError, LocalHome, failed};

/// How long, all waits together, sizes are looked at.
const LOOK_FOR: Duration = Duration::from_millis(150);

/// How often they are looked at then.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// How long news gathers at least, and at most, while more is to come.
const GATHER_AT_LEAST: Duration = Duration::from_millis(3);
const GATHER_FOR: Duration = Duration::from_millis(100);

/// The part of the time in which something was open, for which news gathers.
const GATHER_PART: u32 = 4;

/// How often it is looked whether nothing is open any more.
const LOOK_FOR_THE_END_EVERY: Duration = Duration::from_millis(2);

/// Somebody who waits for news of one engine.
#[derive(Debug, Default)]
pub struct Watch {
    looked: Duration,
    notify: Option<OwnedFd>,
    /// Since when something was open whenever there was news.
    busy_since: Option<Instant>,
}

impl Watch {
    /// Waits until a journal has more than the offsets say, at most so long. While attempts are open more
    /// is to come: each reading costs its reader and the service the same, so news gathers for a while,
    /// the longer the longer it goes on. The end of the last one is told at once.
    pub fn wait(
        &mut self,
        home: &LocalHome,
        offsets: &Offsets,
        timeout: Duration,
    ) -> Result<(), LocalError> {
        let deadline = Instant::now() + timeout;
        while !offsets.are_behind(home)? {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if self.looked < LOOK_FOR {
                thread::sleep(LOOK_EVERY);
                self.looked += LOOK_EVERY;
            } else {
                self.wait_for_notice(home, left)?;
            }
        }
        self.gather(home, deadline)
    }

    /// Lets news gather while more is to come.
    fn gather(&mut self, home: &LocalHome, deadline: Instant) -> Result<(), LocalError> {
        let now = Instant::now();
        let since = *self.busy_since.get_or_insert(now);
        let part = now.duration_since(since) / GATHER_PART;
        let gather = part.clamp(GATHER_AT_LEAST, GATHER_FOR);
        let until = deadline.min(now + gather);
        while journal::is_anything_open(home)? {
            if Instant::now() >= until {
                return Ok(());
            }
            thread::sleep(LOOK_FOR_THE_END_EVERY.min(gather / 8));
        }
        self.busy_since = None;
        Ok(())
    }

    /// Waits for the first notice, which may be about what was read already.
    fn wait_for_notice(&mut self, home: &LocalHome, timeout: Duration) -> Result<(), LocalError> {
        let Some(notify) = &self.notify else {
            // What comes before the notice is asked for raises none: the caller looks once more.
            self.notify = Some(ask_for_notice(home)?);
            return Ok(());
        };
        let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let mut descriptors = [PollFd::from_borrowed_fd(notify.as_fd(), PollFlags::IN)];
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed("watch", home.path())(error.into())),
        }
        forget(notify);
        Ok(())
    }
}

fn ask_for_notice(home: &LocalHome) -> Result<OwnedFd, LocalError> {
    let watch = |error: rustix::io::Errno| failed("watch", home.path())(error.into());
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let notify = inotify::init(flags).map_err(watch)?;
    let events = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
    inotify::add_watch(&notify, home.path(), events).map_err(watch)?;
    Ok(notify)
}

/// Takes up the notices that were given, so that the next wait waits.
fn forget(notify: &OwnedFd) {
    let mut buffer = [0; 4_096];
    // Where nothing is left or readable, the caller looks at the sizes.
    while matches!(rustix::io::read(notify, &mut buffer), Ok(1..)) {}
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::engine::local::journal;

    fn home() -> (tempfile::TempDir, LocalHome) {
        let folder = tempfile::tempdir().unwrap();
        let home = LocalHome::open(folder.path()).unwrap();
        (folder, home)
    }

    #[test]
    fn news_gathers_while_something_is_open_and_the_last_end_is_told_at_once() {
        let (_folder, home) = home();
        let journal = home.path().join("journal-1.jsonl");
        fs::write(&journal, "xx").unwrap();
        let file = journal::open_said(&journal).unwrap();
        journal::say(&file, journal::Said { bytes: 1, open: 1 }).unwrap();
        let unread = Offsets::default();
        let busy_since = Instant::now().checked_sub(Duration::from_mins(1));
        let mut watch = Watch { busy_since, ..Watch::default() };
        let begun = Instant::now();
        watch.wait(&home, &unread, Duration::from_secs(30)).unwrap();
        assert!(begun.elapsed() >= GATHER_FOR, "more is to come");
        assert!(begun.elapsed() < Duration::from_secs(20));
        journal::say(&file, journal::Said { bytes: 2, open: 0 }).unwrap();
        watch.wait(&home, &unread, Duration::from_secs(30)).unwrap();
        assert_eq!(watch.busy_since, None, "nothing is open, so nothing is waited for");
    }

    #[test]
    fn a_wait_ends_when_there_is_news_and_when_the_time_is_over() {
        let (_folder, home) = home();
        let journal = home.path().join("journal-1.jsonl");
        let mut watch = Watch::default();
        for round in 0..4_u8 {
            // From the second round on, notice is asked for.
            if round > 0 {
                watch.looked = LOOK_FOR;
            }
            let read = Offsets::at_the_end(&home).unwrap();
            let begun = Instant::now();
            watch.wait(&home, &read, Duration::from_millis(40)).unwrap();
            assert!(begun.elapsed() >= Duration::from_millis(40), "nothing had happened");
            let (path, content) = (journal.clone(), vec![b'x'; usize::from(round) + 1]);
            let writer = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                fs::write(&path, &content).unwrap();
                let said = journal::open_said(&path).unwrap();
                journal::say(&said, journal::Said { bytes: content.len() as u64, open: 0 })
                    .unwrap();
            });
            watch.wait(&home, &read, Duration::from_secs(30)).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(20));
            writer.join().unwrap();
            assert!(read.are_behind(&home).unwrap());
        }
    }
}
