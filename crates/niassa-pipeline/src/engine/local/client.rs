//! The launcher's side: delivering orders, and seeing that a supervisor lives.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rustix::fs::{FlockOperation, flock};

use super::{LocalError, LocalHome, Order, failed, inbox};

/// Hands orders to the supervisor: one file, which is there as a whole or not at all.
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
        // A supervisor that is started from within a step is no part of that step.
        .env_remove("NIASSA_KEY")
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
        // NFS gives a shared lock only to who may read.
        .read(true)
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
