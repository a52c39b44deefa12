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

/// Who tries to sign in.
pub(super) struct Attempt {
    /// The account and the address together.
    pub(super) pair: Fingerprint,
    /// The address alone.
    pub(super) address: Fingerprint,
}

/// Failures by account and address. When there are too many pairs to watch, whoever made them has
/// many names at hand, and what comes further is counted by its address alone.
#[derive(Default)]
pub(super) struct Failures {
    pairs: Counts,
    addresses: Counts,
}

/// Failures, and since when they count.
#[derive(Default)]
struct Counts(HashMap<Fingerprint, (Instant, u32)>);

impl Failures {
    pub(super) fn are_too_many(&self, who: &Attempt, now: Instant) -> bool {
        self.pairs.are_too_many(&who.pair, now) || self.addresses.are_too_many(&who.address, now)
    }

    pub(super) fn count(&mut self, who: &Attempt, now: Instant) {
        if self.pairs.has_room_for(&who.pair, now) {
            self.pairs.count(who.pair, now);
            return;
        }
        if !self.addresses.has_room_for(&who.address, now) {
            self.addresses.forget_the_oldest();
        }
        self.addresses.count(who.address, now);
    }
}

impl Counts {
    fn are_too_many(&self, who: &Fingerprint, now: Instant) -> bool {
        self.0.get(who).is_some_and(|(since, count)| *count >= MOST && now < *since + WINDOW)
    }

    fn has_room_for(&mut self, who: &Fingerprint, now: Instant) -> bool {
        if self.0.len() >= WATCHED && !self.0.contains_key(who) {
            self.0.retain(|_, (since, _)| now < *since + WINDOW);
        }
        self.0.len() < WATCHED || self.0.contains_key(who)
    }

    fn forget_the_oldest(&mut self) {
        let oldest = self.0.iter().min_by_key(|(_, (since, _))| *since).map(|(who, _)| *who);
        if let Some(oldest) = oldest {
            self.0.remove(&oldest);
        }
    }

    fn count(&mut self, who: Fingerprint, now: Instant) {
        let (since, count) = self.0.entry(who).or_insert((now, 0));
        if now >= *since + WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(account: usize, address: usize) -> Attempt {
        let number = |high: usize, low: usize| {
            let mut fingerprint = [0; 32];
            fingerprint[..8].copy_from_slice(&high.to_le_bytes());
            fingerprint[8..16].copy_from_slice(&low.to_le_bytes());
            fingerprint
        };
        Attempt { pair: number(account, address), address: number(0, address) }
    }

    #[test]
    fn twenty_failures_in_a_minute_are_too_many() {
        let now = Instant::now();
        let (bob, ann) = (attempt(1, 7), attempt(2, 7));
        let mut failures = Failures::default();
        for _ in 0..MOST {
            assert!(!failures.are_too_many(&bob, now));
            failures.count(&bob, now);
        }
        assert!(failures.are_too_many(&bob, now));
        assert!(!failures.are_too_many(&ann, now));
        let later = now + WINDOW;
        assert!(!failures.are_too_many(&bob, later));
        failures.count(&bob, later);
        assert!(!failures.are_too_many(&bob, later));
    }

    #[test]
    fn whoever_tries_countless_names_is_counted_all_the_same() {
        let now = Instant::now();
        let mut failures = Failures::default();
        for account in 1..=WATCHED {
            failures.count(&attempt(account, 7), now);
        }
        for account in 1..=MOST as usize {
            let next = attempt(WATCHED + account, 7);
            assert!(!failures.are_too_many(&next, now));
            failures.count(&next, now);
        }
        assert!(failures.are_too_many(&attempt(0, 7), now));
        assert!(!failures.are_too_many(&attempt(0, 8), now));
        for address in 8..WATCHED + 8 {
            failures.count(&attempt(0, address), now);
        }
        assert_eq!((failures.pairs.0.len(), failures.addresses.0.len()), (WATCHED, WATCHED));
        let later = now + WINDOW;
        failures.count(&attempt(0, 9), later);
        assert_eq!(failures.pairs.0.len(), 1);
    }
}
