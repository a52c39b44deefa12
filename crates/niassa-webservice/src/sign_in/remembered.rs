//! Credentials that were verified a moment ago.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use niassa_model::account::{AccountId, Caller};

use super::Fingerprint;

/// Most credentials remembered at once.
const MOST: usize = 4_096;

/// What was verified.
pub(super) struct Entry {
    pub(super) caller: Arc<Caller>,
    pub(super) until: Instant,
}

/// Verified credentials by their fingerprints.
#[derive(Default)]
pub(super) struct Remembered {
    entries: HashMap<Fingerprint, Entry>,
    generation: u64,
}

impl Remembered {
    /// Returns a number that rises whenever something is forgotten.
    ///
    /// Who verifies takes it before reading the MetaDB: what was read before a change must not be
    /// remembered after it.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn recall(&self, at: &Fingerprint, now: Instant) -> Option<Arc<Caller>> {
        self.entries.get(at).filter(|entry| now < entry.until).map(|e| Arc::clone(&e.caller))
    }

    pub(super) fn remember(
        &mut self,
        at: Fingerprint,
        entry: Entry,
        generation: u64,
        now: Instant,
    ) {
        if generation != self.generation {
            return;
        }
        if self.entries.len() >= MOST {
            self.entries.retain(|_, entry| now < entry.until);
        }
        if self.entries.len() < MOST {
            self.entries.insert(at, entry);
        }
    }

    pub(super) fn forget(&mut self, account: AccountId) {
        self.generation += 1;
        self.entries.retain(|_, entry| entry.caller.account != account);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use niassa_model::account::Role;

    use super::*;

    fn entry(account: i64, until: Instant) -> Entry {
        let caller = Caller {
            account: AccountId(account),
            email: "bob@lab.net".parse().unwrap(),
            role: Role::Member,
            scopes: None,
            token_expires_at: None,
        };
        Entry { caller: Arc::new(caller), until }
    }

    #[test]
    fn what_is_remembered_ends() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut remembered = Remembered::default();
        remembered.remember([1; 32], entry(1, now + second), 0, now);
        assert!(remembered.recall(&[1; 32], now).is_some());
        assert!(remembered.recall(&[2; 32], now).is_none());
        assert!(remembered.recall(&[1; 32], now + second).is_none());
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let now = Instant::now();
        let until = now + Duration::from_secs(1);
        let mut remembered = Remembered::default();
        let generation = remembered.generation();
        remembered.remember([1; 32], entry(1, until), generation, now);
        remembered.remember([2; 32], entry(2, until), generation, now);
        remembered.forget(AccountId(1));
        assert!(remembered.recall(&[1; 32], now).is_none());
        assert!(remembered.recall(&[2; 32], now).is_some());
        remembered.remember([1; 32], entry(1, until), generation, now);
        assert!(remembered.recall(&[1; 32], now).is_none());
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let now = Instant::now();
        let mut remembered = Remembered::default();
        let fingerprint = |number: usize| {
            let mut at = [0; 32];
            at[..8].copy_from_slice(&number.to_le_bytes());
            at
        };
        for number in 0..MOST + 10 {
            remembered.remember(
                fingerprint(number),
                entry(1, now + Duration::from_secs(1)),
                0,
                now,
            );
        }
        assert_eq!(remembered.entries.len(), MOST);
        let later = now + Duration::from_secs(2);
        remembered.remember([9; 32], entry(1, later + Duration::from_secs(1)), 0, later);
        assert_eq!(remembered.entries.len(), 1);
    }
}
