//! How long a step has run, of the time it may.
//!
//! While its scheduler suspends a job its runner does not run either. That time does not count: the
//! scheduler does not count it.

use std::time::{Duration, Instant};

/// A longer time between two looks means that the runner itself did not run.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// The time of one step.
#[derive(Debug)]
pub(super) struct RunTime {
    limit: Option<Duration>,
    used: Duration,
    seen: Instant,
}

impl RunTime {
    /// Begins to count now.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, used: Duration::ZERO, seen: Instant::now() }
    }

    /// Counts the time since the last look.
    pub(super) fn pass(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.seen);
        if passed <= LONGEST_LOOK {
            self.used += passed;
        }
        self.seen = now;
    }

    /// Tells whether there is none left.
    pub(super) fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.used >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_over_once_it_is_used() {
        let mut time = RunTime::new(Some(Duration::from_secs(3)));
        let begun = time.seen;
        time.pass(begun + Duration::from_secs(2));
        assert!(!time.is_over());
        time.pass(begun + Duration::from_secs(3));
        assert!(time.is_over());
    }

    #[test]
    fn time_asleep_does_not_count() {
        let mut time = RunTime::new(Some(Duration::from_secs(2)));
        let begun = time.seen;
        time.pass(begun + Duration::from_secs(1));
        time.pass(begun + Duration::from_hours(9));
        assert!(!time.is_over());
        time.pass(begun + Duration::from_hours(9) + Duration::from_secs(1));
        assert!(time.is_over());
        let mut unlimited = RunTime::new(None);
        unlimited.pass(begun + Duration::from_hours(9));
        assert!(!unlimited.is_over());
    }
}
