//! Whether the kernel ended something of this job because its memory was over.
//!
//! Counted by the kernel per cgroup: `memory.events` (version 2) or `memory.oom_control` (version 1),
//! before and after the command. Where neither can be read nothing is claimed.

use std::fs;

use super::outcome::Memory;

/// How often it had happened at some moment, where that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kills(Option<u64>);

impl Kills {
    /// Counts them now.
    pub(super) fn now() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let read = |path: String| count(&fs::read_to_string(path).ok()?);
        Self(files(&own).into_iter().find_map(read))
    }

    /// Tells whether it happened since.
    pub(super) fn since(self) -> Memory {
        match (self.0, Self::now().0) {
            (Some(before), Some(after)) if after > before => Memory::WasShort,
            _ => Memory::WasEnough,
        }
    }
}

/// Returns the files that may hold the count, by the lines of `/proc/self/cgroup`.
fn files(own: &str) -> Vec<String> {
    own.lines().filter_map(file).collect()
}

fn file(line: &str) -> Option<String> {
    let (_, line) = line.split_once(':')?;
    let (controllers, path) = line.split_once(':')?;
    if !path.starts_with('/') {
        return None;
    }
    let path = path.trim_end_matches('/');
    if controllers.is_empty() {
        return Some(format!("/sys/fs/cgroup{path}/memory.events"));
    }
    let has_memory = controllers.split(',').any(|controller| controller == "memory");
    has_memory.then(|| format!("/sys/fs/cgroup/memory{path}/memory.oom_control"))
}

fn count(text: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cgroups_file_is_found() {
        let unified = "0::/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0\n";
        assert_eq!(
            files(unified),
            [
                "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0/memory.events"
            ]
        );
        let first = "8:cpu,cpuacct:/a\n5:memory:/slurm/uid_1/job_7/step_batch\n1:name=systemd:/\n";
        assert_eq!(
            files(first),
            ["/sys/fs/cgroup/memory/slurm/uid_1/job_7/step_batch/memory.oom_control"]
        );
        assert_eq!(files("0::/\n"), ["/sys/fs/cgroup/memory.events"]);
        assert!(files("no cgroups\n::\n").is_empty());
    }

    #[test]
    fn kills_are_counted() {
        assert_eq!(count("low 0\nhigh 4\nmax 9\noom 2\noom_kill 3\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), Some(1));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\n"), None);
        assert_eq!(count("oom_kill many\n"), None);
    }

    #[test]
    fn nothing_is_claimed_without_a_count() {
        assert_eq!(Kills(None).since(), Memory::WasEnough);
    }
}
