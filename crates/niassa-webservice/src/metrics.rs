//! Counts of what was served, for `/metrics`, since the service started.
//!
//! What can be asked of the MetaDB is in `gauges`; what only the moment knows is counted here: answers,
//! how long runs waited for a claim, how late the ends of steps became known, and how launchers say that
//! they use schedulers. The text is Prometheus' form, version 0.0.4.

mod ended;
pub(crate) mod gauges;
mod histogram;
pub(crate) mod text;

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;
use niassa_api::facts::SchedulerUse;
use niassa_model::place::EngineKind;

use ended::EndedRuns;
use histogram::Histogram;
use text::{Kind, family};

/// Upper ends of the buckets of lags, in microseconds: from what an agent does to what cron does, and
/// what a launcher that is away does.
const LAGS: &[i64] = &[
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    600_000_000,
    3_600_000_000,
];

/// What one launcher is believed to have called since it told last.
const MOST_CALLS: u64 = 1_000_000;

/// What was counted since the service started.
pub(crate) struct Metrics {
    answers: [AtomicU64; 5],
    /// From the scheduling of a run to its first claim.
    pub(crate) claim_lag: Histogram,
    /// From the end of an attempt to its record; by the clocks of two machines.
    pub(crate) propagation_lag: Histogram,
    /// The runs that ended, as counted last.
    pub(crate) ended: EndedRuns,
    slurm: SchedulerCalls,
    sge: SchedulerCalls,
}

#[derive(Default)]
struct SchedulerCalls {
    calls: AtomicU64,
    errors: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            answers: Default::default(),
            claim_lag: Histogram::of(LAGS),
            propagation_lag: Histogram::of(LAGS),
            ended: EndedRuns::default(),
            slurm: SchedulerCalls::default(),
            sge: SchedulerCalls::default(),
        }
    }
}

impl Metrics {
    /// Counts an answer.
    pub(crate) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.answers[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what a launcher says it asked of schedulers. The local engine has none.
    pub(crate) fn scheduler_used(&self, uses: &[SchedulerUse]) {
        for used in uses {
            let calls = match used.engine {
                EngineKind::Local => continue,
                EngineKind::Slurm => &self.slurm,
                EngineKind::Sge => &self.sge,
            };
            calls.calls.fetch_add(used.calls.min(MOST_CALLS), Ordering::Relaxed);
            calls.errors.fetch_add(used.errors.min(MOST_CALLS), Ordering::Relaxed);
        }
    }

    /// Writes what was counted.
    pub(crate) fn write(&self, text: &mut String) {
        let mut requests = family(
            text,
            "niassa_requests_total",
            Kind::Counter,
            "Requests answered, by the class of the status.",
        );
        for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(&self.answers) {
            requests.sample(&[("status", class)], count.load(Ordering::Relaxed));
        }
        let help = "From the scheduling of a run to its first claim by a launcher.";
        self.claim_lag.write("niassa_claim_lag_seconds", help, text);
        let help = "From the end of an attempt, by its machine's clock, to its record.";
        self.propagation_lag.write("niassa_propagation_lag_seconds", help, text);
        let engines = [("slurm", &self.slurm), ("sge", &self.sge)];
        let help = "Calls of schedulers' programs, as launchers tell.";
        let mut calls = family(text, "niassa_scheduler_calls_total", Kind::Counter, help);
        for (engine, counted) in engines {
            calls.sample(&[("engine", engine)], counted.calls.load(Ordering::Relaxed));
        }
        let help = "Calls of schedulers' programs in vain: absent, silent, or refused.";
        let mut errors = family(text, "niassa_scheduler_errors_total", Kind::Counter, help);
        for (engine, counted) in engines {
            errors.sample(&[("engine", engine)], counted.errors.load(Ordering::Relaxed));
        }
    }
}

#[cfg(test)]
mod tests;
