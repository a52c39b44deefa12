//! When journals are retired, and the thread that does it: one pass at a time, aside of deciding.
//!
//! The thread has a share of the supervisor's lock, so that no two supervisors retire at once, whatever
//! the deciding thread comes to; a supervisor that leaves of itself waits for the pass to end.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use niassa_model::accession::Accession;
use niassa_model::run::RunTag;
use niassa_model::step::AttemptKey;
use niassa_model::time::Clock;

use super::setup::others_wrote_since;
use super::table::Fate;
use super::{Event, Supervisor, TICK};
use crate::engine::local::retire::{Pass, retire};
use crate::engine::local::{LocalError, LocalHome, Order, archive};
use crate::run_dir::RunDir;

/// The wait for what could not be retired is doubled so many times at most: to an hour, from a minute.
const MOST_DOUBLINGS: u32 = 6;

/// The deciding thread's side.
pub(super) struct Retirement {
    asks: Sender<()>,
    every: Duration,
    is_at_work: bool,
    /// Passes in a row that retired nothing.
    in_vain: u32,
    due: Option<Instant>,
}

impl Retirement {
    /// Starts the thread. The first pass comes a moment later, out of the way of the first orders.
    pub(super) fn start(
        home: &LocalHome,
        clock: &Arc<dyn Clock>,
        lock: &Arc<File>,
        every: Duration,
        events: &Sender<Event>,
    ) -> Self {
        let (asks, asked) = channel();
        let (home, clock, events) = (home.clone(), Arc::clone(clock), events.clone());
        let lock = Arc::clone(lock);
        thread::spawn(move || {
            let _locked = lock;
            for () in asked {
                // A journal is complete when another one of ours stands behind it, not anybody's.
                let mut pass = Pass::default();
                let retired = match others_wrote_since(&home) {
                    Ok(false) => retire(&home, clock.now(), &mut pass),
                    others => {
                        pass.left = 1;
                        others.map(|_| ())
                    }
                };
                if let Err(error) = retired {
                    tracing::warn!(error = crate::chain(&error), "journals could not be retired");
                    pass.left = pass.left.max(1);
                }
                if events.send(Event::Retired(pass)).is_err() {
                    return;
                }
            }
        });
        let due = Some(Instant::now() + every.min(TICK));
        Self { asks, every, is_at_work: false, in_vain: 0, due }
    }

    /// Wants a pass as soon as may be: a journal is complete.
    pub(super) fn want(&mut self) {
        self.in_vain = 0;
        self.due = Some(Instant::now());
    }

    /// Begins a pass if one is due.
    pub(super) fn begin_if_due(&mut self) {
        if !self.is_at_work && self.due.is_some_and(|at| at <= Instant::now()) {
            self.due = None;
            self.is_at_work = self.asks.send(()).is_ok();
        }
    }

    /// Tells whether a pass is being made.
    pub(super) fn is_at_work(&self) -> bool {
        self.is_at_work
    }

    fn passed(&mut self, pass: &Pass) {
        self.is_at_work = false;
        self.in_vain = if pass.archived.is_empty() { self.in_vain + 1 } else { 0 };
        if pass.left > 0 && self.due.is_none() {
            let doublings = self.in_vain.saturating_sub(1).min(MOST_DOUBLINGS);
            self.due = Some(Instant::now() + self.every * (1 << doublings));
        }
    }
}

impl Supervisor {
    /// Forgets what the directories of runs have.
    pub(super) fn retired(&mut self, pass: &Pass) {
        self.table.archived(&pass.archived);
        self.retirement.passed(pass);
    }

    /// Looks what their directories say of runs with an order that was never heard of, and returns these
    /// runs: it may have been carried out long ago.
    pub(super) fn recall(
        &mut self,
        orders: &[Order],
    ) -> Result<BTreeSet<(Accession, RunTag)>, LocalError> {
        let unknown = orders.iter().map(Order::key).filter(|key| self.table.fate(key).is_none());
        let runs: BTreeSet<(Accession, RunTag)> = unknown.map(AttemptKey::run_and_tag).collect();
        for (run, tag) in &runs {
            for end in archive::read(&RunDir::of(self.home.work_dir(), *run, tag))? {
                if let (Some(key), Some(outcome)) = (end.key(), end.outcome()) {
                    self.table.recall(key, Fate::from(outcome));
                }
            }
        }
        Ok(runs)
    }
}
