//! The guardian: the supervisor's parent, which only waits.
//!
//! It is a child subreaper: when the supervisor is killed, its running steps become the guardian's
//! children, and their real exit codes end up in `exits-<boot>-<pid>.jsonl` for the next
//! supervisor. It holds no lock and never touches the journal, so nothing can stand still for it.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use niassa_model::time::{Clock, Timestamp};
use serde::{Deserialize, Serialize};

use super::{LocalError, LocalHome, failed, machine};

/// How a process ended that the guardian inherited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inherited {
    pub(super) pid: u32,
    /// Whether it led a process group of its own, as every command of a step does.
    pub(super) leader: Leader,
    pub(super) end: ProcessEnd,
    pub(super) at: Timestamp,
}

/// Whether a process led its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Leader {
    /// It did.
    OfGroup,
    /// It was in somebody else's.
    No,
}

/// What wait4(2) says of a process that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessEnd {
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) cpu_micros: i64,
    pub(super) peak_memory_bytes: i64,
}

/// Starts the supervisor and waits until it and everything it left behind has ended.
#[expect(clippy::disallowed_methods, reason = "the guardian starts its supervisor")]
pub fn run(home: &LocalHome, executable: &Path, clock: &dyn Clock) -> Result<(), LocalError> {
    // It fails where we lead a session already, which is as good.
    let _leads_already = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| failed("become the reaper of", home.path())(error.into()))?;
    let mut command = Command::new(executable);
    command.arg("supervise").arg("--work-dir").arg(home.work_dir()).stdin(Stdio::null());
    let supervisor = command.spawn().map_err(failed("start", executable))?.id();
    let mut is_orphaned = false;
    loop {
        let Some(pid) = next_ended().map_err(failed("wait for", home.path()))? else {
            return Ok(());
        };
        // The name of a zombie's group can still be read; it is gone after wait4.
        let leader = if is_leader(pid) { Leader::OfGroup } else { Leader::No };
        let end = reap(pid).map_err(failed("reap", home.path()))?;
        if pid == supervisor {
            is_orphaned = true;
        } else if is_orphaned {
            append(home, &Inherited { pid, leader, end, at: clock.now() })?;
        }
    }
}

/// Returns the file into which a guardian writes.
pub(super) fn exits_file(home: &LocalHome, boot: &str, guardian: u32) -> PathBuf {
    home.path().join(format!("exits-{boot}-{guardian}.jsonl"))
}

/// Reads what a guardian wrote; nothing when it never had to.
pub(super) fn read(path: &Path) -> Result<Vec<Inherited>, LocalError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut found = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(failed("read", path))?;
        // A torn last line is still being written.
        if let Ok(one) = serde_json::from_str(&line) {
            found.push(one);
        }
    }
    Ok(found)
}

fn append(home: &LocalHome, inherited: &Inherited) -> Result<(), LocalError> {
    let pid = std::process::id();
    let path = exits_file(home, &machine::boot_id(), pid);
    let mut line = serde_json::to_vec(inherited)
        .map_err(io::Error::from)
        .map_err(failed("encode for", &path))?;
    line.push(b'\n');
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(failed("open", &path))?;
    file.write_all(&line).and_then(|()| file.sync_data()).map_err(failed("write", &path))
}

/// Waits for any child to end without reaping it; nothing when there is none.
fn next_ended() -> io::Result<Option<u32>> {
    loop {
        // SAFETY: waitid fills the siginfo it is given, and zeroes are a valid one.
        let (result, pid) = unsafe {
            let mut information: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOWAIT;
            let result = libc::waitid(libc::P_ALL, 0, &raw mut information, flags);
            (result, information.si_pid())
        };
        if result == 0 {
            return Ok(Some(pid.cast_unsigned()));
        }
        match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error => return Err(error),
        }
    }
}

/// Waits until a child has ended without reaping it: its pid and group stay its own until then.
pub(super) fn wait_unreaped(pid: u32) -> io::Result<()> {
    loop {
        // SAFETY: waitid fills the siginfo it is given, and zeroes are a valid one.
        let result = unsafe {
            let mut information: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOWAIT;
            libc::waitid(libc::P_PID, pid, &raw mut information, flags)
        };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Reaps a child that has ended.
pub(super) fn reap(pid: u32) -> io::Result<ProcessEnd> {
    let mut status = 0;
    // SAFETY: wait4 fills the status and the usage it is given, and zeroes are a valid usage.
    let (result, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let result = libc::wait4(pid.cast_signed(), &raw mut status, 0, &raw mut usage);
        (result, usage)
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    Ok(ProcessEnd {
        exit_code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        cpu_micros: micros(usage.ru_utime) + micros(usage.ru_stime),
        // Linux counts kilobytes: getrusage(2).
        peak_memory_bytes: usage.ru_maxrss * 1_024,
    })
}

fn is_leader(pid: u32) -> bool {
    machine::group_of(pid) == Some(pid)
}
