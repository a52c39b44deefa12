//! Failed attempts to sign in, counted per account and address, so that guessing is slow.
//!
//! An attacker elsewhere cannot lock an account out: the address is part of the key.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Fingerprint;

/// Failures after which further attempts are refused unseen.
const MOST: u32 = 20;
/// The time in which they count.
const WINDOW: Duration = Duration::from_mins(1);
/// Most pairs of account and address that are watched.
const WATCHED: usize = 10_000;

/// Failures by account and address.
#[derive(Default)]
pub(super) struct Failures {
    counts: HashMap<Fingerprint, (Instant, u32)>,
}

impl Failures {
    pub(super) fn are_too_many(&self, who: &Fingerprint, now: Instant) -> bool {
        self.counts.get(who).is_some_and(|(since, count)| *count >= MOST && now < *since + WINDOW)
    }

    pub(super) fn count(&mut self, who: Fingerprint, now: Instant) {
        if self.counts.len() >= WATCHED {
            self.counts.retain(|_, (since, _)| now < *since + WINDOW);
        }
        if self.counts.len() >= WATCHED {
            return;
        }
        let (since, count) = self.counts.entry(who).or_insert((now, 0));
        if now >= *since + WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_failures_in_a_minute_are_too_many() {
        let now = Instant::now();
        let (bob, ann) = ([1; 32], [2; 32]);
        let mut failures = Failures::default();
        for _ in 0..MOST {
            assert!(!failures.are_too_many(&bob, now));
            failures.count(bob, now);
        }
        assert!(failures.are_too_many(&bob, now));
        assert!(!failures.are_too_many(&ann, now));
        let later = now + WINDOW;
        assert!(!failures.are_too_many(&bob, later));
        failures.count(bob, later);
        assert!(!failures.are_too_many(&bob, later));
    }
}
