//! What tells machines, boots and processes apart, and what this machine has.

use std::fs;

/// Returns the host's name, as the kernel knows it.
pub(crate) fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns the host's name with its machine id, as one word for a folder.
pub(crate) fn host_and_id() -> String {
    let name = name();
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    match id.trim() {
        "" => name,
        id => format!("{name}-{}", id.chars().take(12).collect::<String>()),
    }
}

/// Returns the host's name of what [`host_and_id`] returned there. Of a machine without an id whose name ends
/// like one, that end is taken for it.
pub(crate) fn name_in(host_and_id: &str) -> &str {
    let is_id = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    match host_and_id.rsplit_once('-') {
        Some((name, id)) if is_id(id) => name,
        Some(_) | None => host_and_id,
    }
}

/// Returns the id of this boot: pids of another boot mean nothing.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Returns when a process started, in ticks since boot, if it is there: proc(5), field 22.
/// A zombie is there.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    stat_field(pid, 19)?.parse().ok()
}

/// Tells whether a process is there and runs: not a zombie, and not a stranger with its pid.
pub(crate) fn is_running(pid: u32, started: Option<u64>) -> bool {
    let state = stat_field(pid, 0);
    let same = started.is_none() || start_ticks(pid) == started;
    same && state.is_some_and(|state| state != "Z" && state != "X")
}

/// Returns a field of stat behind the name in parentheses, counted from 0.
fn stat_field(pid: u32, index: usize) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_whitespace().nth(index).map(ToOwned::to_owned)
}

/// Returns processes that carry this variable in their environment.
pub(crate) fn with_variable(name: &str, value: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| has_variable(*pid, name, value)).collect()
}

/// Tells whether a process carries this variable in its environment; a zombie carries none.
pub(crate) fn has_variable(pid: u32, name: &str, value: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|one| one == format!("{name}={value}").as_bytes())
}

/// Returns the process group of a process: proc(5), field 5.
pub(crate) fn group_of(pid: u32) -> Option<u32> {
    stat_field(pid, 2)?.parse().ok()
}

/// What steps may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Processors.
    pub threads: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
}

impl Capacity {
    /// Asks this machine: its processors, and 90 % of the smaller of memory and cgroup limit.
    pub fn of_this_machine() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let total = memory_total().unwrap_or(u64::MAX);
        let limit = cgroup_limit().unwrap_or(u64::MAX);
        Self {
            threads: u32::try_from(threads).unwrap_or(u32::MAX),
            memory_bytes: total.min(limit) / 10 * 9,
        }
    }
}

fn memory_total() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// The limit of this process's cgroup, version 2; `max` is none.
fn cgroup_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let file = format!("/sys/fs/cgroup{}/memory.max", path.trim_end_matches('/'));
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_name_is_found_beside_its_id() {
        assert_eq!(name_in(&host_and_id()), name());
        assert_eq!(name_in("node-7.lab.net-0123456789ab"), "node-7.lab.net");
        assert_eq!(name_in("node-7.lab.net"), "node-7.lab.net");
    }
}
