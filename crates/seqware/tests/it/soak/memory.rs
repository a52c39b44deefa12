//! The memory of a process over its lives: is it flat?

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

/// Seconds of a life that do not count: a process that has just started grows into what it needs.
const YOUNG: f64 = 20.0;

/// What was seen of a process and of those that took its place.
#[derive(Debug, Default)]
pub struct Memory {
    lives: Vec<Life>,
}

#[derive(Debug)]
struct Life {
    pid: u32,
    begun: Instant,
    /// Seconds of its life, and KiB.
    samples: Vec<(f64, f64)>,
    /// KiB that are no file's: what others share does not change them.
    own: Vec<f64>,
}

/// How many parts of the longest life are told.
const PARTS: usize = 6;

impl Memory {
    /// Notes the memory of a process, if it is there.
    pub fn look_at(&mut self, pid: u32) {
        let (Some(kib), Some(own)) = (pss(pid, "Pss:"), pss(pid, "Pss_Anon:")) else { return };
        if self.lives.last().is_none_or(|life| life.pid != pid) {
            self.lives.push(Life {
                pid,
                begun: Instant::now(),
                samples: Vec::new(),
                own: Vec::new(),
            });
        }
        if let Some(life) = self.lives.last_mut() {
            life.samples.push((life.begun.elapsed().as_secs_f64(), kib));
            life.own.push(own);
        }
    }

    /// Says how much there was and how it grew.
    pub fn told(&self) -> Value {
        let all = || self.lives.iter().flat_map(|life| &life.samples).map(|(_, kib)| *kib);
        json!({
            "lives": self.lives.len(),
            "samples": all().count(),
            "most_kib": all().fold(0.0, f64::max).round(),
            "kib_per_minute": self.slope().map(|slope| (slope * 600.0).round() / 10.0),
            "course_of_own_kib": self.course(),
        })
    }

    /// Returns what the longest life needed of its own, part by part.
    fn course(&self) -> Vec<f64> {
        let longest = self.lives.iter().map(|life| &life.own).max_by_key(|own| own.len());
        let own = longest.map(Vec::as_slice).unwrap_or_default();
        let mean = |part: &[f64]| {
            let count = f64::from(u32::try_from(part.len()).unwrap_or(u32::MAX));
            (part.iter().sum::<f64>() / count).round()
        };
        own.chunks(own.len().div_ceil(PARTS).max(1)).map(mean).collect()
    }

    /// Returns the slope within lives by least squares, in KiB per second.
    fn slope(&self) -> Option<f64> {
        let (mut above, mut below) = (0.0, 0.0);
        for life in &self.lives {
            let grown: Vec<(f64, f64)> =
                life.samples.iter().copied().filter(|(at, _)| *at >= YOUNG).collect();
            let count = f64::from(u32::try_from(grown.len()).unwrap_or(u32::MAX)).max(1.0);
            let mean_at = grown.iter().map(|(at, _)| at).sum::<f64>() / count;
            let mean_kib = grown.iter().map(|(_, kib)| kib).sum::<f64>() / count;
            for (at, kib) in grown {
                above += (at - mean_at) * (kib - mean_kib);
                below += (at - mean_at).powi(2);
            }
        }
        (below > 0.0).then(|| above / below)
    }
}

/// Returns the proportional memory of a process in KiB.
fn pss(pid: u32, which: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(which))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn growth_within_lives_counts_and_a_new_life_does_not() {
    let life = |pid, from: f64, slope: f64| Life {
        pid,
        begun: Instant::now(),
        samples: (0..20).map(|n| f64::from(n) * 5.0).map(|at| (at, from + slope * at)).collect(),
        own: (0..12).map(|n| from + f64::from(n)).collect(),
    };
    let flat = Memory { lives: vec![life(1, 1_000.0, 0.0), life(2, 90_000.0, 0.0)] };
    assert_eq!(flat.told()["kib_per_minute"], 0.0);
    let grows = Memory { lives: vec![life(1, 1_000.0, 2.0), life(2, 90_000.0, 2.0)] };
    assert_eq!(grows.told()["kib_per_minute"], 120.0);
    assert_eq!(grows.course().len(), PARTS);
    assert!(pss(std::process::id(), "Pss:").unwrap() > 100.0);
    assert_eq!(pss(0, "Pss:"), None);
}
