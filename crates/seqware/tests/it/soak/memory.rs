//! The memory of a process over its lives: is it flat?
//!
//! Flat is judged by what is a process's own (`Pss_Anon`): what it shares changes with others. Of the longest
//! life the median of the second quarter is compared with that of the last: the first quarter is growing up, and
//! medians do not mind a moment's need. What a process keeps on purpose, up to a bound, may grow up to that.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

/// Seconds of a life that do not count for the slope: a process that has just started grows into what it needs.
const YOUNG: f64 = 20.0;
/// A life that was shorter, in seconds, does not tell whether memory is flat.
const TELLS: f64 = 180.0;
/// How much more the last quarter may need than the second: this share of it, or so many KiB if that is more.
const MORE_SHARE: f64 = 0.15;
/// The KiB.
const MORE_KIB: f64 = 1_024.0;
/// How many parts of the longest life are told.
const PARTS: usize = 6;

/// What was seen of a process and of those that took its place.
#[derive(Debug, Default)]
pub struct Memory {
    lives: Vec<Life>,
    /// KiB that it keeps at most to be faster: until that is full growth tells nothing.
    cache: f64,
}

#[derive(Debug)]
struct Life {
    pid: u32,
    begun: Instant,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Seconds of its life.
    at: f64,
    /// KiB, of which what is shared is shared among all who do.
    kib: f64,
    /// KiB that are no file's: what others share does not change them.
    own: f64,
}

impl Memory {
    /// Is about a process that keeps so many KiB at most to be faster.
    pub fn with_cache(cache: f64) -> Self {
        Self { cache, ..Self::default() }
    }

    /// Notes the memory of a process, if it is there.
    pub fn look_at(&mut self, pid: u32) {
        let (Some(kib), Some(own)) = (pss(pid, "Pss:"), pss(pid, "Pss_Anon:")) else { return };
        if self.lives.last().is_none_or(|life| life.pid != pid) {
            self.lives.push(Life { pid, begun: Instant::now(), samples: Vec::new() });
        }
        if let Some(life) = self.lives.last_mut() {
            let at = life.begun.elapsed().as_secs_f64();
            life.samples.push(Sample { at, kib, own });
        }
    }

    /// Says how much there was and how it grew.
    pub fn told(&self) -> Value {
        let all = || self.lives.iter().flat_map(|life| &life.samples).map(|sample| sample.kib);
        let quarters = self.quarters();
        json!({
            "lives": self.lives.len(),
            "samples": all().count(),
            "most_kib": all().fold(0.0, f64::max).round(),
            "kib_per_minute": self.slope().map(|slope| (slope * 600.0).round() / 10.0),
            "course_of_own_kib": self.course(),
            "second_quarter_kib": quarters.map(|(second, _)| second),
            "last_quarter_kib": quarters.map(|(_, last)| last),
            "is_flat": quarters.map(|(second, last)| self.is_flat(second, last)),
        })
    }

    fn is_flat(&self, second: f64, last: f64) -> bool {
        last - second <= MORE_KIB.max(second * MORE_SHARE).max(self.cache)
    }

    fn longest(&self) -> &[Sample] {
        let longest = self.lives.iter().map(|life| &life.samples).max_by_key(|life| life.len());
        longest.map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns what the longest life needed of its own, part by part.
    fn course(&self) -> Vec<f64> {
        let samples = self.longest();
        let mean = |part: &[Sample]| {
            let count = f64::from(u32::try_from(part.len()).unwrap_or(u32::MAX));
            (part.iter().map(|sample| sample.own).sum::<f64>() / count).round()
        };
        samples.chunks(samples.len().div_ceil(PARTS).max(1)).map(mean).collect()
    }

    /// Returns the medians of what the second and the last quarter of the longest life needed of their own,
    /// where it was long enough.
    fn quarters(&self) -> Option<(f64, f64)> {
        let samples = self.longest();
        if samples.last()?.at < TELLS {
            return None;
        }
        let quarter = samples.len() / 4;
        let second = median(samples.get(quarter..2 * quarter)?)?;
        Some((second, median(samples.get(3 * quarter..)?)?))
    }

    /// Returns the slope within lives by least squares, in KiB per second.
    fn slope(&self) -> Option<f64> {
        let (mut above, mut below) = (0.0, 0.0);
        for life in &self.lives {
            let grown = || life.samples.iter().filter(|sample| sample.at >= YOUNG);
            let count = f64::from(u32::try_from(grown().count()).unwrap_or(u32::MAX)).max(1.0);
            let mean_at = grown().map(|sample| sample.at).sum::<f64>() / count;
            let mean_kib = grown().map(|sample| sample.kib).sum::<f64>() / count;
            for sample in grown() {
                above += (sample.at - mean_at) * (sample.kib - mean_kib);
                below += (sample.at - mean_at).powi(2);
            }
        }
        (below > 0.0).then(|| above / below)
    }
}

fn median(samples: &[Sample]) -> Option<f64> {
    let mut own: Vec<f64> = samples.iter().map(|sample| sample.own).collect();
    own.sort_by(f64::total_cmp);
    own.get(own.len() / 2).copied()
}

/// Returns the proportional memory of a process in KiB.
fn pss(pid: u32, which: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(which))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A life that was looked at each five seconds.
    fn life(pid: u32, looks: u32, kib_at: impl Fn(f64) -> f64) -> Life {
        let sample = |look| {
            let at = f64::from(look) * 5.0;
            Sample { at, kib: kib_at(at), own: kib_at(at) }
        };
        Life { pid, begun: Instant::now(), samples: (0..looks).map(sample).collect() }
    }

    fn verdict(of: Life) -> Value {
        Memory { lives: vec![of], cache: 0.0 }.told()["is_flat"].clone()
    }

    #[test]
    fn growth_within_lives_counts_and_a_new_life_does_not() {
        let of = |lives| Memory { lives, cache: 0.0 };
        let flat = of(vec![life(1, 20, |_| 1_000.0), life(2, 20, |_| 90_000.0)]);
        assert_eq!(flat.told()["kib_per_minute"], 0.0);
        let grows = |from: f64| move |at: f64| from + 2.0 * at;
        let grows = of(vec![life(1, 20, grows(1_000.0)), life(2, 20, grows(9_000.0))]);
        assert_eq!(grows.told()["kib_per_minute"], 120.0);
        assert!(pss(std::process::id(), "Pss:").unwrap() > 100.0);
        assert_eq!(pss(0, "Pss:"), None);
    }

    #[test]
    fn what_grows_up_and_stays_is_flat_and_what_goes_on_growing_is_not() {
        let grows_up = |at: f64| 4_000.0 + (at * 50.0).min(3_000.0);
        assert_eq!(verdict(life(1, 60, grows_up)), true);
        assert_eq!(verdict(life(1, 60, |at| 4_000.0 + 10.0 * at)), false);
        assert_eq!(verdict(life(1, 60, |at| 90_000.0 + 10.0 * at)), true, "a small share of it");
        let moment = |at: f64| if (200.0..220.0).contains(&at) { 99_000.0 } else { 4_000.0 };
        assert_eq!(verdict(life(1, 60, moment)), true);
        assert_eq!(
            verdict(life(1, 30, |at| 4_000.0 + 100.0 * at)),
            Value::Null,
            "too short a life"
        );
        assert_eq!(Memory::default().told()["is_flat"], Value::Null);
        let lives = vec![life(1, 60, |at| 4_000.0 + 10.0 * at)];
        let caches = Memory { lives, ..Memory::with_cache(40_000.0) };
        assert_eq!(caches.told()["is_flat"], true, "its cache may still fill");
    }
}
