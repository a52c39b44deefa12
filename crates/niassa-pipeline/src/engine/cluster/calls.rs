//! How often this process called the programs of schedulers, and how often in vain.
//!
//! The totals are for reports of a tick; what was not told yet goes to the service, which counts for
//! all launchers.

use std::sync::atomic::{AtomicU64, Ordering};

use niassa_api::facts::SchedulerUse;
use niassa_model::place::EngineKind;

/// Calls of one scheduler's programs.
struct Calls {
    total: AtomicU64,
    untold: AtomicU64,
    untold_errors: AtomicU64,
}

impl Calls {
    const fn none() -> Self {
        Self {
            total: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            untold_errors: AtomicU64::new(0),
        }
    }
}

static SLURM: Calls = Calls::none();
static SGE: Calls = Calls::none();

/// Counts a call.
pub(crate) fn called(program: &str) {
    let calls = of(program);
    calls.total.fetch_add(1, Ordering::Relaxed);
    calls.untold.fetch_add(1, Ordering::Relaxed);
}

/// Counts that a call was in vain: the program is not there, did not answer, or refused.
pub(crate) fn failed(program: &str) {
    of(program).untold_errors.fetch_add(1, Ordering::Relaxed);
}

/// Returns how often this process has called a scheduler's program.
pub(crate) fn total() -> u64 {
    SLURM.total.load(Ordering::Relaxed) + SGE.total.load(Ordering::Relaxed)
}

/// Takes what was not told yet; whoever cannot tell it gives it back.
pub(crate) fn take_untold() -> Vec<SchedulerUse> {
    let take = |engine, calls: &Calls| SchedulerUse {
        engine,
        calls: calls.untold.swap(0, Ordering::Relaxed),
        errors: calls.untold_errors.swap(0, Ordering::Relaxed),
    };
    let uses = [take(EngineKind::Slurm, &SLURM), take(EngineKind::Sge, &SGE)];
    uses.into_iter().filter(|used| used.calls + used.errors > 0).collect()
}

/// Keeps for the next time what could not be told.
pub(crate) fn give_back(uses: &[SchedulerUse]) {
    for used in uses {
        let calls = match used.engine {
            EngineKind::Sge => &SGE,
            EngineKind::Slurm | EngineKind::Local => &SLURM,
        };
        calls.untold.fetch_add(used.calls, Ordering::Relaxed);
        calls.untold_errors.fetch_add(used.errors, Ordering::Relaxed);
    }
}

/// Every program of Grid Engine begins with a `q`, none of Slurm does.
fn of(program: &str) -> &'static Calls {
    if program.starts_with('q') { &SGE } else { &SLURM }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_told_is_told_later() {
        // Other tests of this process call programs of Slurm's at the same time.
        called("qstat");
        failed("qstat");
        let of_sge = |uses: &[SchedulerUse]| {
            let used = uses.iter().find(|used| used.engine == EngineKind::Sge);
            used.map(|used| (used.calls, used.errors))
        };
        let untold = take_untold();
        assert!(of_sge(&untold).is_some_and(|(calls, errors)| calls >= 1 && errors >= 1));
        give_back(&untold);
        assert!(of_sge(&take_untold()) >= of_sge(&untold));
        assert!(total() >= 1);
    }
}
