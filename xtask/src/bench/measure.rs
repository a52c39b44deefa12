//! Wall and processor seconds of commands and of processes that were there before.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// What something took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Took {
    pub(super) wall: f64,
    pub(super) cpu: f64,
}

impl Took {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

/// Runs a command to its end and measures it with all its descendants that were waited for.
pub(super) fn command(command: &mut Command) -> Result<Took> {
    let before = children();
    let begun = Instant::now();
    let output = command.output().context("cannot start a measured command")?;
    let wall = begun.elapsed().as_secs_f64();
    ensure!(
        output.status.success(),
        "{command:?} ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Took { wall, cpu: children().saturating_sub(before).as_secs_f64() })
}

/// Runs a command to its end; returns its wall seconds and its own peak memory in megabytes.
#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52")]
pub(super) fn alone(command: &mut Command) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let child = command.spawn().context("cannot start a measured command")?;
    let pid = libc::pid_t::try_from(child.id()).context("a process id is too large")?;
    // SAFETY: wait4 fills what it is given, zeroes are valid for it, and nobody else waits.
    let (waited, status, usage) = unsafe {
        let (mut status, mut usage) = (0, std::mem::zeroed::<libc::rusage>());
        (libc::wait4(pid, &raw mut status, 0, &raw mut usage), status, usage)
    };
    let wall = begun.elapsed().as_secs_f64();
    ensure!(waited == pid && status == 0, "{command:?} ended with status {status}");
    Ok((wall, usage.ru_maxrss as f64 / 1_024.0))
}

/// Returns the processor time of a process and of its children that it waited for, in seconds.
pub(super) fn process_cpu(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} is gone"))?;
    // The name in parentheses may hold blanks; times are fields 14 to 17 of proc(5).
    let (_, fields) = text.rsplit_once(')').context("no name in stat")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(4)
        .map(|field| field.parse::<u64>().unwrap_or(0))
        .sum();
    // Debian's kernels count 100 ticks a second for user space.
    Ok(Duration::from_millis(ticks * 10).as_secs_f64())
}

/// Returns the proportional memory of a process, in bytes.
pub(super) fn process_pss(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find(|line| line.starts_with("Pss:")).context("no Pss in smaps")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kilobytes * 1_024)
}

/// Returns the middle of some numbers.
pub(super) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn children() -> Duration {
    // SAFETY: getrusage fills the whole struct it is given, and zeroes are a valid one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.cast_unsigned())
            + Duration::from_micros(time.tv_usec.cast_unsigned())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn a_process_is_measured_alone() {
        let (wall, peak) = alone(Command::new("sleep").arg("0.05")).unwrap();
        assert!(wall >= 0.05 && (0.1..200.0).contains(&peak), "{wall} {peak}");
        assert!(alone(&mut Command::new("false")).is_err());
    }

    #[test]
    fn a_command_takes_time() {
        let took = command(Command::new("sleep").arg("0.05")).unwrap();
        assert!(took.wall >= 0.05);
        assert!(process_cpu(std::process::id()).unwrap() >= 0.0);
        assert!(process_pss(std::process::id()).unwrap() > 100_000);
    }
}
