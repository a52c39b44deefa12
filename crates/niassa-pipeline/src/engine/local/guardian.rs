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
use std::time::{Duration, Instant};

use niassa_model::time::{Clock, Timestamp};
use serde::{Deserialize, Serialize};

use super::{LocalError, LocalHome, failed};
use crate::machine;
use crate::process_group::{ProcessEnd, reap, see_children_end};

/// How a process ended that the guardian inherited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inherited {
    pub(super) pid: u32,
    pub(super) end: ProcessEnd,
    pub(super) at: Timestamp,
}

/// The variable in which a supervisor is told who its guardian is. It may be orphaned before it asks.
pub(super) const GUARDIAN: &str = "NIASSA_GUARDIAN";

/// How many ends are remembered that came before the supervisor's own, and for how long. The kernel hands
/// children on before it tells that their parent has ended. What ended long before was left by a step and
/// outlived it, and a step may have its number by now.
const REMEMBERED: usize = 256;
const REMEMBERED_FOR: Duration = Duration::from_mins(1);

/// The ends that came before the supervisor's own.
#[derive(Default)]
struct Early(VecDeque<(Instant, Inherited)>);

impl Early {
    fn remember(&mut self, inherited: Inherited, now: Instant) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((now, inherited));
    }

    /// Takes those that may be steps of a supervisor that has ended just now.
    fn take(&mut self, now: Instant) -> Vec<Inherited> {
        let recent = |at: Instant| now.saturating_duration_since(at) < REMEMBERED_FOR;
        let ends = self.0.drain(..).filter_map(|(at, end)| recent(at).then_some(end));
        ends.collect()
    }
}

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
    crate::failpoint::reach("guardian.started");
    let mut is_orphaned = false;
    let mut early = Early::default();
    loop {
        let Some(pid) = next_ended().map_err(failed("wait for", home.path()))? else {
            return Ok(());
        };
        let end = reap(pid).map_err(failed("reap", home.path()))?;
        if pid == supervisor {
            is_orphaned = true;
            crate::failpoint::reach("guardian.orphaned");
            early.take(Instant::now()).iter().for_each(|inherited| append_at_last(home, inherited));
            continue;
        }
        let inherited = Inherited { pid, end, at: clock.now() };
        if is_orphaned {
            append_at_last(home, &inherited);
            continue;
        }
        early.remember(inherited, Instant::now());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_long_before_the_supervisors_own_is_a_strangers() {
        let end =
            ProcessEnd { exit_code: Some(0), signal: None, cpu_micros: 0, peak_memory_bytes: 0 };
        let inherited = |pid| Inherited { pid, end, at: Timestamp::from_micros(0) };
        let begun = Instant::now();
        let mut early = Early::default();
        early.remember(inherited(1), begun);
        for pid in 2..=5 {
            early.remember(inherited(pid), begun + REMEMBERED_FOR);
        }
        let pids = |ends: Vec<Inherited>| ends.iter().map(|end| end.pid).collect::<Vec<_>>();
        assert_eq!(pids(early.take(begun + REMEMBERED_FOR)), [2, 3, 4, 5]);
        (0..300).for_each(|pid| early.remember(inherited(pid), begun));
        assert_eq!(pids(early.take(begun)), (44..300).collect::<Vec<_>>());
    }
}
