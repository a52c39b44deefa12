//! How often something took how long.

use std::sync::atomic::{AtomicU64, Ordering};

use super::text::{Kind, family, seconds};

/// Counts of lags, by how long they were.
pub(crate) struct Histogram {
    /// Upper ends, in microseconds.
    bounds: &'static [i64],
    /// What was not above an upper end, and above the one before; the last is above all.
    counts: Vec<AtomicU64>,
    sum_micros: AtomicU64,
}

impl Histogram {
    /// Makes one without counts.
    pub(crate) fn of(bounds: &'static [i64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum_micros: AtomicU64::new(0) }
    }

    /// Counts a lag. A clock that is ahead makes it negative: then it is none.
    pub(crate) fn observe(&self, micros: i64) {
        let micros = micros.max(0);
        let bucket = self.bounds.partition_point(|bound| *bound < micros);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros.unsigned_abs(), Ordering::Relaxed);
    }

    /// Writes the counts. They are read one after the other, so the total is their sum and nothing
    /// that was counted meanwhile.
    pub(super) fn write(&self, name: &'static str, help: &str, text: &mut String) {
        let mut family = family(text, name, Kind::Histogram, help);
        let mut total = 0;
        let bounds = self.bounds.iter().map(|bound| seconds(*bound)).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(&self.counts) {
            total += count.load(Ordering::Relaxed);
            family.sample_of("_bucket", &[("le", &bound)], total);
        }
        let sum = self.sum_micros.load(Ordering::Relaxed);
        family.sample_of("_sum", &[], seconds(i64::try_from(sum).unwrap_or(i64::MAX)));
        family.sample_of("_count", &[], total);
    }
}
