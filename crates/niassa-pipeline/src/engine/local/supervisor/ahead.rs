//! What is done before an attempt's turn, while steps are short: its shell is started, and what follows on an
//! attempt that runs is granted already.
//!
//! A shell takes longer to start than most short steps take to run. One that was started ahead waits for
//! the word, as every shell does, and has begun nothing; it ends when its attempt is withdrawn. A
//! promised attempt has its `granted` in the journal before those that it waits for have ended: it begins
//! as soon as they have succeeded, and no sync lies between. If they fail it ends as skipped.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use niassa_model::step::{AttemptKey, Outcome};
use niassa_model::time::Timestamp;

use super::super::journal::{Ended, Record};
use super::{LocalError, SHORT_STEP, Start, Supervisor, Work};

/// How long a turn is expected soon after a short step has ended, or after an order has come.
const EXPECT_FOR: Duration = Duration::from_secs(1);

/// The word that an attempt may begin.
pub(super) struct Begin;

/// Attempts that are prepared before their turn.
pub(super) struct Ahead {
    /// What the thread listens to that holds the shell of an attempt.
    shells: HashMap<AttemptKey, Sender<Begin>>,
    /// Attempts that are granted and wait for others.
    promised: BTreeMap<AttemptKey, Promise>,
    /// So many shells at most.
    most: usize,
    /// Until when turns are expected soon.
    until: Option<Instant>,
}

/// A grant that counts once everything has succeeded that its attempt waits for.
pub(super) struct Promise {
    /// The number of the sync that makes it durable.
    pub(super) number: u64,
    pub(super) attempt_dir: PathBuf,
}

impl Ahead {
    pub(super) fn new(most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { shells: HashMap::new(), promised: BTreeMap::new(), most, until: None }
    }

    /// Notes a grant that a journal has, of an attempt that may still wait for others.
    pub(super) fn promise(&mut self, key: AttemptKey, promise: Promise) {
        self.promised.insert(key, promise);
    }

    /// Takes the promise of an attempt whose turn has come, or that is over.
    pub(super) fn take_promise(&mut self, key: &AttemptKey) -> Option<Promise> {
        self.promised.remove(key)
    }

    /// Takes the shell of an attempt whose turn has come.
    pub(super) fn take_shell(&mut self, key: &AttemptKey) -> Option<Sender<Begin>> {
        self.shells.remove(key)
    }

    /// Ends the shell of an attempt that does not begin.
    pub(super) fn withdraw(&mut self, key: &AttemptKey) {
        self.shells.remove(key);
    }

    /// Tells whether turns are expected soon; ends shells that waited in vain.
    fn is_expected(&mut self) -> bool {
        let is_expected = self.until.is_some_and(|until| Instant::now() < until);
        if !is_expected {
            self.shells.clear();
        }
        is_expected
    }
}

impl Supervisor {
    /// Expects the next turns soon, if steps are short.
    pub(super) fn expect_turns(&mut self) {
        self.ahead.until = (self.recent < SHORT_STEP).then(|| Instant::now() + EXPECT_FOR);
    }

    /// Prepares the attempts whose turns come next.
    pub(super) fn prepare_ahead(&mut self) -> Result<(), LocalError> {
        if !self.ahead.is_expected() {
            return Ok(());
        }
        self.promise_what_follows()?;
        let room = self.ahead.most.saturating_sub(self.ahead.shells.len());
        if room == 0 {
            return Ok(());
        }
        let granted = self.granted.iter().flat_map(|(_, starts)| starts);
        let promised = self.ahead.promised.keys().filter_map(|key| self.table.waiting(key));
        let next = self.startable.iter().chain(granted).chain(promised);
        let next = next.filter(|start| !self.ahead.shells.contains_key(&start.key));
        let next: Vec<Start> = next.take(room).cloned().collect();
        for start in next {
            let (say, word) = channel();
            self.ahead.shells.insert(start.key.clone(), say);
            self.put_to_work(start, word);
        }
        Ok(())
    }

    /// Grants what follows on attempts that run or soon will, where little else is left to start.
    fn promise_what_follows(&mut self) -> Result<(), LocalError> {
        let waiting: usize = self.granted.iter().map(|(_, starts)| starts.len()).sum::<usize>()
            + self.startable.len();
        let wanted = self.ahead.most.saturating_sub(waiting);
        let room = (2 * wanted).saturating_sub(self.ahead.promised.len());
        if room == 0 {
            return Ok(());
        }
        let granted = self.granted.iter().flat_map(|(_, starts)| starts);
        let begun = granted.chain(&self.startable).map(|start| &start.key);
        let following = self.table.following(begun.chain(self.in_use.keys()), 2 * wanted);
        let is_new = |start: &Start| {
            !self.ahead.promised.contains_key(&start.key) && self.could_ever_fit(start.resources)
        };
        let following: Vec<Start> = following.into_iter().filter(is_new).take(room).collect();
        if following.is_empty() {
            return Ok(());
        }
        let records: Vec<Record> =
            following.iter().map(|start| Record::Granted { key: start.key.clone() }).collect();
        let number = self.shop.writer.append(&records)?;
        for Start { key, attempt_dir, .. } in following {
            self.ahead.promise(key, Promise { number, attempt_dir });
        }
        Ok(())
    }

    /// Sorts out attempts whose turn has come and that were promised: they are granted already.
    pub(super) fn keep_promises(&mut self, turns: Vec<Start>) -> Vec<Start> {
        let mut others = Vec::new();
        for start in turns {
            match self.ahead.take_promise(&start.key) {
                Some(Promise { number, .. }) if number <= self.durable => {
                    self.startable.push_back(start);
                }
                Some(Promise { number, .. }) => self.granted.push_back((number, vec![start])),
                None => others.push(start),
            }
        }
        others
    }

    /// Gives an attempt the word to begin, with the shell that waits for it or a new one.
    pub(super) fn begin_attempt(&mut self, start: Start) {
        let say = self.ahead.take_shell(&start.key).unwrap_or_else(|| {
            let (say, word) = channel();
            self.put_to_work(start, word);
            say
        });
        // Without listeners the workers are gone and so are we.
        let _begun = say.send(Begin);
    }

    fn put_to_work(&self, start: Start, word: Receiver<Begin>) {
        // Without listeners the workers are gone and so are we.
        let _ended = self.work.send(Work::Run { start, word });
    }

    /// Ends an attempt that was promised and never begins: the journal has its grant.
    pub(super) fn break_promise(
        &self,
        key: AttemptKey,
        promise: &Promise,
        outcome: Outcome,
        message: Option<String>,
        now: Timestamp,
    ) -> Result<(), LocalError> {
        let ended = Ended { message, ..Ended::of(key, outcome, now) };
        self.shop.writer.exit(&promise.attempt_dir, ended)
    }
}
