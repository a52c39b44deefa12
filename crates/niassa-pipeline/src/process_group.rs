//! Processes of steps and their groups: signals, ends, and what is left behind.
//!
//! A step's command leads a group of its own. What leaves the group is known by `NIASSA_KEY` in its
//! environment; what clears that too escapes. Nothing here knows an engine.

use std::io;
use std::time::{Duration, Instant};

use niassa_model::step::AttemptKey;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde::{Deserialize, Serialize};

use crate::machine;

/// How long what is left of a killed group is waited for, in milliseconds.
const GROUP_GONE_TRIES: u32 = 2_000;
/// How often what an earlier supervisor left of an attempt is looked for, at 20 milliseconds each.
const STRAYS_GONE_TRIES: u32 = 100;

/// What wait4(2) says of a process that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessEnd {
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) cpu_micros: i64,
    pub(crate) peak_memory_bytes: i64,
}

/// Makes the ends of children visible, whatever those who started us did with SIGCHLD.
pub(crate) fn see_children_end() -> io::Result<()> {
    // SAFETY: it sets a signal's default action, before any other thread is there.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits until a child has ended without reaping it: its pid and group stay its own until then.
///
/// Should we be killed before it is reaped, the guardian inherits it and sees the same end.
pub(crate) fn wait_unreaped(pid: u32) -> io::Result<ProcessEnd> {
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

/// Tells whether a child has ended. It is not reaped by that.
pub(crate) fn has_ended(pid: u32) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let pid = Pid::from_raw(pid.cast_signed());
    pid.is_some_and(|pid| matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(Some(_))))
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
pub(crate) fn reap(pid: u32) -> io::Result<ProcessEnd> {
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

/// Sends a signal to a process; it may be gone.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _gone = rustix::process::kill_process(pid, signal);
    }
}

/// Sends a signal to a process group; it may be gone.
pub(crate) fn signal_group(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _gone = rustix::process::kill_process_group(pid, signal);
    }
}

/// Tells whether anything of a process group is left.
pub(crate) fn group_is_there(pid: u32) -> bool {
    Pid::from_raw(pid.cast_signed())
        .is_some_and(|pid| rustix::process::test_kill_process_group(pid).is_ok())
}

/// Ends what is left of the group of a process that has ended, and reaps it.
pub(crate) fn reap_with_group(pid: u32) -> io::Result<()> {
    // Until it is reaped its number is its own.
    signal_group(pid, Signal::KILL);
    reap(pid)?;
    end_group(pid);
    Ok(())
}

/// Gives what is left of a stopped attempt its time to end by itself. Its group was asked; what
/// has left the group is asked here.
pub(crate) fn give_grace(key: &AttemptKey, group: u32, grace: Duration) {
    let left = || carriers(key);
    for pid in left().into_iter().filter(|pid| machine::group_of(*pid) != Some(group)) {
        signal(pid, Signal::TERM);
    }
    let begun = Instant::now();
    while begun.elapsed() < grace && !left().is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends whatever runs for an attempt that is over. It may have left its group, and the group's number
/// may be somebody else's by now, so processes are known by their environment.
pub(crate) fn end_strays(key: &AttemptKey) {
    for _ in 0..STRAYS_GONE_TRIES {
        let strays = carriers(key);
        if strays.is_empty() {
            return;
        }
        for pid in strays {
            signal(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    tracing::warn!(%key, "something of an attempt does not end");
}

/// Returns the processes that carry the key of an attempt, but for this one: a job may be given it.
fn carriers(key: &AttemptKey) -> Vec<u32> {
    let mut pids = machine::with_variable("NIASSA_KEY", &key.to_string());
    pids.retain(|pid| *pid != std::process::id());
    pids
}

/// Waits until nothing of a group is left: a cancel is done only then.
fn end_group(pid: u32) {
    for _ in 0..GROUP_GONE_TRIES {
        if !group_is_there(pid) {
            return;
        }
        signal_group(pid, Signal::KILL);
        std::thread::sleep(Duration::from_millis(1));
    }
    tracing::warn!(pid, "something of a process group does not end");
}
