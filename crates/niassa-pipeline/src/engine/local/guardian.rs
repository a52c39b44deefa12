//! The guardian: the supervisor's parent, which only waits.
//!
//! It is a child subreaper: when the supervisor is killed, its running steps become the guardian's
//! children, and their real exit codes end up in `exits-<boot>-<pid>.jsonl` for the next
//! supervisor. It holds no lock and never touches the journal, so nothing can stand still for it.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use niassa_model::time::{Clock, Timestamp};
use serde::{Deserialize, Serialize};

use super::{LocalError, LocalHome, failed, machine};

/// How a process ended that the guardian inherited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inherited {
    pub(super) pid: u32,
    pub(super) end: ProcessEnd,
    pub(super) at: Timestamp,
}

/// What wait4(2) says of a process that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessEnd {
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) cpu_micros: i64,
    pub(super) peak_memory_bytes: i64,
}

/// The variable in which a supervisor is told who its guardian is. It may be orphaned before it asks.
pub(super) const GUARDIAN: &str = "NIASSA_GUARDIAN";

/// How many ends are remembered that came before the supervisor's own. The kernel hands children on
/// before it tells that their parent has ended.
const REMEMBERED: usize = 256;

/// Starts the supervisor and waits until it and everything it left behind has ended.
#[expect(clippy::disallowed_methods, reason = "the guardian starts its supervisor")]
pub fn run(home: &LocalHome, executable: &Path, clock: &dyn Clock) -> Result<(), LocalError> {
    close_inherited().map_err(failed("close what was inherited in", home.path()))?;
    see_children_end().map_err(failed("listen to children in", home.path()))?;
    // It fails where we lead a session already, which is as good.
    let _leads_already = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| failed("become the reaper of", home.path())(error.into()))?;
    let mut command = Command::new(executable);
    command
        .arg("supervise")
        .arg("--work-dir")
        .arg(home.work_dir())
        .env(GUARDIAN, std::process::id().to_string())
        .stdin(Stdio::null());
    let supervisor = command.spawn().map_err(failed("start", executable))?.id();
    let mut is_orphaned = false;
    let mut early: VecDeque<Inherited> = VecDeque::new();
    loop {
        let Some(pid) = next_ended().map_err(failed("wait for", home.path()))? else {
            return Ok(());
        };
        let end = reap(pid).map_err(failed("reap", home.path()))?;
        if pid == supervisor {
            is_orphaned = true;
            early.drain(..).for_each(|inherited| append_at_last(home, &inherited));
            continue;
        }
        let inherited = Inherited { pid, end, at: clock.now() };
        if is_orphaned {
            append_at_last(home, &inherited);
            continue;
        }
        if early.len() == REMEMBERED {
            early.pop_front();
        }
        early.push_back(inherited);
    }
}

/// Returns the file into which a guardian writes. Pids come again, also within one boot.
pub(super) fn exits_file(
    home: &LocalHome,
    boot: &str,
    guardian: u32,
    started: Option<u64>,
) -> PathBuf {
    let started = started.unwrap_or(0);
    home.path().join(format!("exits-{boot}-{guardian}-{started}.jsonl"))
}

/// Makes the ends of children visible, whatever those who started us did with SIGCHLD.
pub(super) fn see_children_end() -> io::Result<()> {
    // SAFETY: it sets a signal's default action, before any other thread is there.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Closes files of those who started us: a lock of cron's must not be held as long as steps run.
fn close_inherited() -> io::Result<()> {
    // SAFETY: nothing of ours is open yet but the three standard streams: close_range(2).
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    match result {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            // Kernels before 5.9 have it not; they keep what they were given.
            error if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
            error => Err(error),
        },
    }
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

/// Appends an end, however long the disk is full: nobody else knows it.
fn append_at_last(home: &LocalHome, inherited: &Inherited) {
    while append(home, inherited).is_err() {
        thread::sleep(Duration::from_secs(1));
    }
}

fn append(home: &LocalHome, inherited: &Inherited) -> Result<(), LocalError> {
    let pid = std::process::id();
    let path = exits_file(home, &machine::boot_id(), pid, machine::start_ticks(pid));
    // It begins a line of its own, in case the one before was torn.
    let mut line = b"\n".to_vec();
    serde_json::to_writer(&mut line, inherited)
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
///
/// Should we be killed before it is reaped, the guardian inherits it and sees the same end.
pub(super) fn wait_unreaped(pid: u32) -> io::Result<ProcessEnd> {
    loop {
        // SAFETY: waitid(2), the system call, fills the information and, as its fifth argument, the
        // usage it is given; zeroes are valid values of both.
        let (result, information, usage) = unsafe {
            let mut information: libc::siginfo_t = std::mem::zeroed();
            let mut usage: libc::rusage = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOWAIT;
            let (what, pid) = (libc::P_PID, libc::c_long::from(pid));
            let call = libc::SYS_waitid;
            let result =
                libc::syscall(call, what, pid, &raw mut information, flags, &raw mut usage);
            (result, information, usage)
        };
        if result == 0 {
            return Ok(unreaped_end(&information, &usage));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn unreaped_end(information: &libc::siginfo_t, usage: &libc::rusage) -> ProcessEnd {
    // SAFETY: waitid(2) fills si_status whenever it reports a child.
    let status = unsafe { information.si_status() };
    let exited = information.si_code == libc::CLD_EXITED;
    ProcessEnd {
        exit_code: exited.then_some(status),
        signal: (!exited).then_some(status),
        cpu_micros: micros(usage.ru_utime) + micros(usage.ru_stime),
        // Linux counts kilobytes: getrusage(2).
        peak_memory_bytes: usage.ru_maxrss * 1_024,
    }
}

fn micros(time: libc::timeval) -> i64 {
    time.tv_sec * 1_000_000 + time.tv_usec
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
    Ok(ProcessEnd {
        exit_code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        cpu_micros: micros(usage.ru_utime) + micros(usage.ru_stime),
        // Linux counts kilobytes: getrusage(2).
        peak_memory_bytes: usage.ru_maxrss * 1_024,
    })
}
