//! The launcher's side: delivering orders, seeing that a supervisor lives, waiting for news.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock, inotify};

use super::journal::Offsets;
use super::{LocalError, LocalHome, Order, failed, inbox};

/// Hands orders to the supervisor: one file, durable when this returns.
pub fn deliver(home: &LocalHome, orders: &[Order]) -> Result<(), LocalError> {
    inbox::put(home, orders)
}

/// Sees that a supervisor lives: starts one, detached, unless the lock is held.
///
/// Any number of callers may do so at once: of several supervisors one gets the lock, and the
/// others end.
#[expect(clippy::disallowed_methods, reason = "the one place that starts supervisors")]
pub fn ensure_supervisor(home: &LocalHome, executable: &Path) -> Result<(), LocalError> {
    if is_supervised(home)? {
        return Ok(());
    }
    let log = home.path().join("supervisor.log");
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(failed("open", &log))?;
    let mut command = Command::new(executable);
    command
        .arg("guard")
        .arg("--work-dir")
        .arg(home.work_dir())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    let mut guardian = command.spawn().map_err(failed("start", executable))?;
    // It leaves our session by itself. Whoever stays longer than it must reap it.
    thread::spawn(move || guardian.wait());
    Ok(())
}

/// Tells whether a supervisor holds the lock.
pub fn is_supervised(home: &LocalHome) -> Result<bool, LocalError> {
    let path = home.lock();
    let lock = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed("open", &path))?;
    // A shared lock, given back at once: the supervisor tries for longer than that.
    match flock(&lock, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(failed("lock", &path)(error.into())),
    }
}

/// Waits until a journal has more than the offsets say, at most so long.
pub fn wait_for_change(
    home: &LocalHome,
    offsets: &Offsets,
    timeout: Duration,
) -> Result<(), LocalError> {
    let watch = |error: rustix::io::Errno| failed("watch", home.path())(error.into());
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let notify = inotify::init(flags).map_err(watch)?;
    let events = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
    inotify::add_watch(&notify, home.path(), events).map_err(watch)?;
    // What came before the watch raises no event.
    if offsets.are_behind(home)? {
        return Ok(());
    }
    let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    let mut descriptors = [PollFd::from_borrowed_fd(notify.as_fd(), PollFlags::IN)];
    match poll(&mut descriptors, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(watch(error)),
    }
}
