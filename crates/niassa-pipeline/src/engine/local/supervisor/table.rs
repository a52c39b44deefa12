//! What the supervisor knows of every attempt: who waits for whom, who is ready, who is over.
//!
//! Pure: it starts nothing and writes nothing. Every attempt that was ever granted or closed keeps
//! its fate here, so that an order that comes twice does nothing; but a run is forgotten once all that is
//! known of it stands in its own directory, from where it is recalled when an order comes.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use niassa_model::accession::Accession;
use niassa_model::run::RunTag;
use niassa_model::step::{AttemptKey, AttemptNumber, Outcome, StepIndex, StepStatus};
use niassa_model::time::Timestamp;

use super::super::Start;

/// Of those behind one attempt so many are looked at when those that follow soon are looked for.
const LOOKED_AT: usize = 16;

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Ordered: it waits for others, for its time, or for room.
    Ordered,
    /// Granted: it runs, or will.
    Granted,
    /// It has succeeded.
    Succeeded,
    /// It is over otherwise, or never starts.
    Over,
}

/// What a finished or closed attempt leads to.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Consequences {
    /// Attempts that can never start now, directly behind it.
    pub(super) skipped: Vec<AttemptKey>,
}

/// All attempts.
#[derive(Debug, Default)]
pub(super) struct Table {
    runs: HashMap<(Accession, RunTag), HashMap<(StepIndex, AttemptNumber), Known>>,
    waiting: HashMap<AttemptKey, Waiting>,
    dependents: HashMap<AttemptKey, Vec<AttemptKey>>,
    ready: VecDeque<Start>,
    later: BTreeSet<(Timestamp, AttemptKey)>,
    open: usize,
}

/// What is known of an attempt.
#[derive(Debug, Clone, Copy)]
struct Known {
    fate: Fate,
    /// Whether the directory of its run has its end.
    is_archived: bool,
}

#[derive(Debug)]
struct Waiting {
    start: Start,
    missing: usize,
}

impl Fate {
    fn is_open(self) -> bool {
        matches!(self, Self::Ordered | Self::Granted)
    }
}

impl From<Outcome> for Fate {
    fn from(outcome: Outcome) -> Self {
        if outcome.status == StepStatus::Success { Self::Succeeded } else { Self::Over }
    }
}

impl Table {
    /// Returns where an attempt stands, if it was ever heard of.
    pub(super) fn fate(&self, key: &AttemptKey) -> Option<Fate> {
        let run = self.runs.get(&key.run_and_tag())?;
        run.get(&(key.step, key.attempt)).map(|known| known.fate)
    }

    /// Returns the order of an attempt that waits.
    pub(super) fn waiting(&self, key: &AttemptKey) -> Option<&Start> {
        self.waiting.get(key).map(|waiting| &waiting.start)
    }

    /// Returns up to so many attempts that wait for nothing but one of these, or one of those found.
    pub(super) fn following<'a>(
        &'a self,
        begun: impl Iterator<Item = &'a AttemptKey>,
        most: usize,
    ) -> Vec<Start> {
        let mut parents: VecDeque<&AttemptKey> = begun.collect();
        let mut found = Vec::new();
        while let Some(parent) = parents.pop_front() {
            let behind = self.dependents.get(parent).map_or(&[][..], Vec::as_slice);
            for key in behind.iter().take(LOOKED_AT) {
                let Some(Waiting { start, missing: 1 }) = self.waiting.get(key) else { continue };
                if found.len() == most {
                    return found;
                }
                if start.not_before.is_none() {
                    found.push(start.clone());
                    parents.push_back(key);
                }
            }
        }
        found
    }

    /// Returns how many attempts are ordered or granted and not over.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Returns how many runs are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.runs.len()
    }

    /// Sets what a journal says, while it is replayed.
    pub(super) fn set(&mut self, key: &AttemptKey, fate: Fate) {
        let run = self.runs.entry(key.run_and_tag()).or_default();
        let known = Known { fate, is_archived: false };
        let before = run.insert((key.step, key.attempt), known);
        self.open += usize::from(fate.is_open());
        self.open -= usize::from(before.is_some_and(|known| known.fate.is_open()));
    }

    /// Takes what the directory of a run says of an attempt's end.
    pub(super) fn recall(&mut self, key: &AttemptKey, fate: Fate) {
        let run = self.runs.entry(key.run_and_tag()).or_default();
        let known = run.entry((key.step, key.attempt)).or_insert(Known { fate, is_archived: true });
        known.is_archived |= !known.fate.is_open();
    }

    /// Notes that the directories of runs have these ends; forgets runs of which they have everything.
    pub(super) fn archived(&mut self, keys: &[AttemptKey]) {
        let mut touched = HashSet::new();
        for key in keys {
            let run = key.run_and_tag();
            let attempt = (key.step, key.attempt);
            if let Some(known) = self.runs.get_mut(&run).and_then(|run| run.get_mut(&attempt)) {
                known.is_archived |= !known.fate.is_open();
                touched.insert(run);
            }
        }
        for run in touched {
            self.forget_if_archived(&run);
        }
    }

    /// Forgets a run if its directory has everything that is known of it.
    pub(super) fn forget_if_archived(&mut self, run: &(Accession, RunTag)) {
        let is_archived = |attempts: &HashMap<_, Known>| {
            attempts.values().all(|known| known.is_archived && !known.fate.is_open())
        };
        if self.runs.get(run).is_some_and(is_archived) {
            self.runs.remove(run);
        }
    }

    /// Takes an order. Everything of a batch must be taken before `settle` is called.
    ///
    /// An attempt in `after` that was never heard of counts as not there yet.
    pub(super) fn order(&mut self, start: Start) {
        self.set(&start.key, Fate::Ordered);
        self.waiting.insert(start.key.clone(), Waiting { start, missing: 0 });
    }

    /// Works out what newly ordered attempts wait for. Returns those behind something that is over.
    pub(super) fn settle(&mut self, keys: &[AttemptKey], now: Timestamp) -> Vec<AttemptKey> {
        let mut skipped = Vec::new();
        for key in keys {
            let Some(waiting) = self.waiting.get(key) else { continue };
            let after = waiting.start.after.clone();
            let mut missing = 0;
            let mut is_over = false;
            for parent in after {
                match self.fate(&parent) {
                    Some(Fate::Succeeded) => {}
                    Some(Fate::Over) => is_over = true,
                    Some(Fate::Ordered | Fate::Granted) | None => {
                        missing += 1;
                        self.dependents.entry(parent).or_default().push(key.clone());
                    }
                }
            }
            if let Some(waiting) = self.waiting.get_mut(key) {
                waiting.missing = missing;
            }
            if is_over {
                skipped.push(key.clone());
            } else if missing == 0 {
                self.make_ready(key, now);
            }
        }
        skipped
    }

    /// Moves attempts whose time has come to the ready ones; returns when the next one's comes.
    pub(super) fn wake(&mut self, now: Timestamp) -> Option<Timestamp> {
        while let Some((at, key)) = self.later.first().cloned() {
            if at > now {
                return Some(at);
            }
            self.later.pop_first();
            self.make_ready(&key, now);
        }
        None
    }

    fn make_ready(&mut self, key: &AttemptKey, now: Timestamp) {
        let Some(waiting) = self.waiting.get(key) else { return };
        match waiting.start.not_before {
            Some(at) if at > now => {
                self.later.insert((at, key.clone()));
            }
            Some(_) | None => {
                if let Some(waiting) = self.waiting.remove(key) {
                    self.ready.push_back(waiting.start);
                }
            }
        }
    }

    /// Takes up to so many ready attempts, which are granted from now on.
    pub(super) fn grant(&mut self, most: usize) -> Vec<Start> {
        let mut granted = Vec::new();
        while granted.len() < most {
            let Some(start) = self.ready.pop_front() else { break };
            // Closed while it waited for room.
            if self.fate(&start.key) == Some(Fate::Ordered) {
                self.set(&start.key, Fate::Granted);
                granted.push(start);
            }
        }
        granted
    }

    /// Notes that an attempt is over; returns those directly behind it that can never start.
    pub(super) fn finish(&mut self, key: &AttemptKey, fate: Fate, now: Timestamp) -> Consequences {
        self.set(key, fate);
        self.waiting.remove(key);
        let mut consequences = Consequences::default();
        for dependent in self.dependents.remove(key).unwrap_or_default() {
            if self.fate(&dependent) != Some(Fate::Ordered) {
                continue;
            }
            if fate != Fate::Succeeded {
                consequences.skipped.push(dependent);
            } else if let Some(waiting) = self.waiting.get_mut(&dependent) {
                waiting.missing = waiting.missing.saturating_sub(1);
                if waiting.missing == 0 {
                    self.make_ready(&dependent, now);
                }
            }
        }
        consequences
    }
}

#[cfg(test)]
mod tests {
    use niassa_model::resources::Resources;

    use super::super::super::Provisioning;
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000);

    fn key(step: u32) -> AttemptKey {
        format!("nia-1-aaaaaaaaaa-s{step}-a1").parse().unwrap()
    }

    fn start(step: u32, after: &[u32]) -> Start {
        Start {
            key: key(step),
            attempt_dir: "/nowhere".into(),
            resources: Resources::default(),
            after: after.iter().map(|step| key(*step)).collect(),
            processing: None,
            trace: None,
            provisioning: Provisioning::Nothing,
            not_before: None,
        }
    }

    fn granted(table: &mut Table) -> Vec<u32> {
        table.grant(10).iter().map(|start| start.key.step.0).collect()
    }

    #[test]
    fn a_chain_goes_step_by_step() {
        let mut table = Table::default();
        for one in [start(1, &[0]), start(0, &[]), start(2, &[0, 1])] {
            table.order(one);
        }
        assert!(table.settle(&[key(1), key(0), key(2)], NOW).is_empty());
        assert_eq!(granted(&mut table), [0]);
        assert_eq!(table.finish(&key(0), Fate::Succeeded, NOW), Consequences::default());
        assert_eq!(granted(&mut table), [1]);
        table.finish(&key(1), Fate::Succeeded, NOW);
        assert_eq!(granted(&mut table), [2]);
        assert_eq!(table.open(), 1);
        table.finish(&key(2), Fate::Succeeded, NOW);
        assert_eq!(table.open(), 0);
    }

    #[test]
    fn what_follows_waits_for_nothing_else() {
        let mut table = Table::default();
        let orders =
            [start(0, &[]), start(1, &[0]), start(2, &[1]), start(3, &[]), start(4, &[2, 3])];
        for one in orders {
            table.order(one);
        }
        table.settle(&[0, 1, 2, 3, 4].map(key), NOW);
        assert_eq!(granted(&mut table), [0, 3]);
        let following = |table: &Table, begun: &[u32], most| {
            let begun: Vec<AttemptKey> = begun.iter().copied().map(key).collect();
            let found = table.following(begun.iter(), most);
            found.iter().map(|start| start.key.step.0).collect::<Vec<_>>()
        };
        assert_eq!(following(&table, &[0, 3], 10), [1, 2], "4 waits for two");
        assert_eq!(following(&table, &[0], 1), [1]);
        table.finish(&key(3), Fate::Succeeded, NOW);
        assert_eq!(following(&table, &[0], 10), [1, 2, 4]);
        table.finish(&key(0), Fate::Over, NOW);
        assert!(following(&table, &[0], 10).is_empty());
    }

    #[test]
    fn behind_a_failure_nothing_starts() {
        let mut table = Table::default();
        table.order(start(0, &[]));
        table.order(start(1, &[0]));
        table.settle(&[key(0), key(1)], NOW);
        granted(&mut table);
        assert_eq!(table.finish(&key(0), Fate::Over, NOW).skipped, [key(1)]);
        table.finish(&key(1), Fate::Over, NOW);
        table.order(start(2, &[1]));
        assert_eq!(table.settle(&[key(2)], NOW), [key(2)]);
        assert!(granted(&mut table).is_empty());
    }

    #[test]
    fn a_run_is_forgotten_once_all_of_it_is_archived_and_can_be_recalled() {
        let mut table = Table::default();
        for step in 0..2 {
            table.order(start(step, &[]));
        }
        table.settle(&[key(0), key(1)], NOW);
        assert_eq!(granted(&mut table), [0, 1]);
        table.finish(&key(0), Fate::Succeeded, NOW);
        table.archived(&[key(0), key(1)]);
        assert_eq!(table.fate(&key(0)), Some(Fate::Succeeded), "an attempt of its run is open");
        table.finish(&key(1), Fate::Over, NOW);
        table.archived(&[key(0)]);
        assert_eq!(table.fate(&key(1)), Some(Fate::Over), "the journal alone has its end");
        table.archived(&[key(1)]);
        assert_eq!(table.remembered(), 0);
        table.recall(&key(0), Fate::Succeeded);
        table.recall(&key(1), Fate::Over);
        table.order(start(2, &[0]));
        assert!(table.settle(&[key(2)], NOW).is_empty());
        assert_eq!(granted(&mut table), [2], "its parent was recalled");
        table.forget_if_archived(&key(0).run_and_tag());
        assert_eq!(table.fate(&key(0)), Some(Fate::Succeeded));
        table.finish(&key(2), Fate::Succeeded, NOW);
        table.archived(&[key(2)]);
        assert_eq!(table.remembered(), 0);
        assert_eq!(table.open(), 0);
    }

    #[test]
    fn a_delay_is_kept_and_a_closed_attempt_is_never_granted() {
        let mut table = Table::default();
        let at = Timestamp::from_micros(2_000);
        table.order(Start { not_before: Some(at), ..start(0, &[]) });
        table.order(start(1, &[]));
        table.settle(&[key(0), key(1)], NOW);
        table.finish(&key(1), Fate::Over, NOW);
        assert!(granted(&mut table).is_empty());
        assert_eq!(table.wake(NOW), Some(at));
        assert_eq!(table.wake(at), None);
        assert_eq!(granted(&mut table), [0]);
    }
}
