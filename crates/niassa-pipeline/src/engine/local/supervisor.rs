//! The supervisor: grants attempts, starts them while processors and memory last, and journals.
//!
//! One thread decides, one syncs the journal, two per processor run steps and hold shells for the next
//! ones. An attempt starts after the sync that holds its `granted`; its end is told after the sync that
//! holds its `exit`, and what follows from it is written behind it. A supervisor that is killed leaves its
//! steps to the guardian, and the next one takes them over: `adopt`. What is over leaves journal and
//! memory: `retirement`.

mod adopt;
mod ahead;
mod process;
mod retirement;
mod room;
mod setup;
mod table;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use niassa_model::limits::{STOP_GRACE, SUPERVISOR_IDLE};
use niassa_model::step::{AttemptKey, Outcome, StepReason, StepStatus};
use niassa_model::time::{Clock, Timestamp};
use rustix::fs::{FlockOperation, flock};

use super::journal::{Life, Record};
use super::retire::Pass;
use super::{LocalError, LocalHome, Order, Start, failed, inbox};
use crate::machine;
pub use crate::machine::Capacity;
use crate::process_group::see_children_end;
use crate::step::environment::passed_on;
use adopt::{Adopted, OpenAttempt};
use ahead::{Ahead, Begin};
use process::Shop;
use retirement::Retirement;
use room::{Alarm, Taken};
use setup::{guardian_of, others_wrote_since, take_lock, watch_inbox};
use table::{Fate, Table};
use writer::{Series, Writer};

/// How often the inbox is looked at when no event says so.
const TICK: Duration = Duration::from_secs(1);

/// Attempts granted at once while steps are short, in one sync.
const SHORT_BATCH: usize = 256;

/// Steps shorter than this are short.
const SHORT_STEP: Duration = Duration::from_millis(100);

/// A journal of this size is followed by another one: some 5,000 attempts.
const JOURNAL_BYTES: u64 = 4 * 1024 * 1024;

/// How soon journals are looked at again that could not be retired.
const RETIRE_EVERY: Duration = Duration::from_mins(1);

/// What a supervisor needs to know.
pub struct SupervisorOptions {
    /// The executable that provisions outputs.
    pub executable: PathBuf,
    /// The environment of commands, before ours is added; secrets are left out here.
    pub environment: Vec<(OsString, OsString)>,
    /// What steps may use together.
    pub capacity: Capacity,
    /// How long it stays without a step.
    pub idle: Duration,
    /// A journal of this size is followed by another one.
    pub journal_bytes: u64,
    /// How soon journals are looked at again that could not be retired; later and later.
    pub retire_every: Duration,
}

impl SupervisorOptions {
    /// Makes the options of a supervisor that uses the whole machine.
    pub fn of_this_machine(executable: PathBuf, environment: Vec<(OsString, OsString)>) -> Self {
        let capacity = Capacity::of_this_machine();
        Self {
            executable,
            environment,
            capacity,
            idle: SUPERVISOR_IDLE,
            journal_bytes: crate::failpoint::journal_bytes(JOURNAL_BYTES),
            retire_every: RETIRE_EVERY,
        }
    }
}

/// What wakes the deciding thread.
enum Event {
    /// The inbox may hold something.
    Inbox,
    /// Records up to this number are durable.
    Synced(u64),
    /// An attempt has ended, and ran for so long if it was seen to; the journal has its exit.
    Ended { start: Box<Start>, outcome: Outcome, ran: Option<Duration> },
    /// An adopted attempt has ended and goes on in this form.
    Adopted(Box<Adopted>),
    /// The command of an adopted attempt was never begun.
    NeverBegun(Box<Start>),
    /// The journal goes on in another file; the one before is complete.
    Rotated,
    /// Journals were retired.
    Retired(Pass),
    /// Something that nothing can go on without has failed.
    Broken(LocalError),
}

/// Supervises until there was nothing to do for a while; ends at once where another one does.
pub fn run(
    home: &LocalHome,
    options: SupervisorOptions,
    clock: Arc<dyn Clock>,
) -> Result<(), LocalError> {
    let Some((mut supervisor, events, lock)) = begin(home, options, clock)? else { return Ok(()) };
    supervisor.supervise(&events, &lock)
}

/// A supervisor, what it listens to, and the lock that it holds.
type Begun = (Supervisor, Receiver<Event>, Arc<File>);

/// Takes the lock and goes on where earlier supervisors stopped; nothing where another one lives.
fn begin(
    home: &LocalHome,
    options: SupervisorOptions,
    clock: Arc<dyn Clock>,
) -> Result<Option<Begun>, LocalError> {
    let Some(lock) = take_lock(home)?.map(Arc::new) else { return Ok(None) };
    see_children_end().map_err(failed("listen to children in", home.path()))?;
    let guardian = guardian_of(&options.environment);
    let (sender, events) = channel();
    let boot = machine::boot_id();
    let past = adopt::replay(home, &boot)?;
    let life = Life {
        boot: boot.clone(),
        supervisor: std::process::id(),
        guardian: guardian.unwrap_or(0),
        guardian_started: guardian.and_then(machine::start_ticks),
    };
    let series = Series {
        home: home.clone(),
        life: life.clone(),
        most_bytes: options.journal_bytes,
        clock: Arc::clone(&clock),
    };
    let writer = Writer::create(series, sender.clone())?;
    watch_inbox(home, sender.clone())?;
    let environment = passed_on(options.environment);
    let retirement = Retirement::start(home, &clock, &lock, options.retire_every, &sender);
    let shop = Arc::new(Shop::new(options.executable, environment, &life, writer, clock));
    let work = start_workers(&shop, options.capacity, &sender);
    let mut supervisor = Supervisor {
        home: home.clone(),
        shop,
        capacity: options.capacity,
        free: options.capacity,
        idle: options.idle,
        work,
        table: Table::default(),
        granted: VecDeque::new(),
        startable: VecDeque::new(),
        taken: VecDeque::new(),
        untakable: HashSet::new(),
        held: Vec::new(),
        ahead: Ahead::new(options.capacity.threads),
        alarms: BTreeMap::new(),
        in_use: HashMap::new(),
        durable: 0,
        recent: SHORT_STEP,
        busy_at: Instant::now(),
        retirement,
    };
    supervisor.take_over(past, &boot, &sender)?;
    Ok(Some((supervisor, events, lock)))
}

/// What a worker is asked to do.
enum Work {
    /// Start the shell of an attempt, and run it when the word comes.
    Run { start: Start, word: Receiver<Begin> },
    /// Finish an attempt whose command has ended under an earlier supervisor.
    Finish(Box<Adopted>),
}

/// Starts two threads per processor: for an attempt that runs, and for a shell that waits for its turn.
fn start_workers(shop: &Arc<Shop>, capacity: Capacity, events: &Sender<Event>) -> Sender<Work> {
    let (sender, work) = channel::<Work>();
    let work = Arc::new(Mutex::new(work));
    for _ in 0..capacity.threads.saturating_mul(2) {
        let (shop, work, events) = (Arc::clone(shop), Arc::clone(&work), events.clone());
        thread::spawn(move || {
            loop {
                let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(next) = next else { return };
                let event = do_work(&shop, next).unwrap_or_else(|error| Some(Event::Broken(error)));
                if event.is_some_and(|event| events.send(event).is_err()) {
                    return;
                }
            }
        });
    }
    sender
}

/// Does what is asked; returns what came of it, or nothing of an attempt that was withdrawn.
fn do_work(shop: &Shop, work: Work) -> Result<Option<Event>, LocalError> {
    let (start, outcome, ran) = match work {
        Work::Run { start, word } => {
            let shell = shop.start_shell(&start);
            if word.recv().is_err() {
                let _never_begun = shell.map(|shell| Shop::discard(&shell));
                return Ok(None);
            }
            let begun = Instant::now();
            let ended = shop.run(&start, shell)?;
            (start, ended, Some(begun.elapsed()))
        }
        Work::Finish(adopted) => {
            let ended = shop.finish(&adopted.start, adopted.ended)?;
            (adopted.start, ended, None)
        }
    };
    Ok(Some(Event::Ended { start: Box::new(start), outcome, ran }))
}

/// The deciding thread's state.
struct Supervisor {
    home: LocalHome,
    shop: Arc<Shop>,
    capacity: Capacity,
    free: Capacity,
    idle: Duration,
    work: Sender<Work>,
    table: Table,
    /// Granted, by the number of the sync that makes it durable.
    granted: VecDeque<(u64, Vec<Start>)>,
    /// Durably granted, waiting for room.
    startable: VecDeque<Start>,
    /// Files of the inbox, by the number of the sync after which they are not needed.
    taken: VecDeque<(u64, PathBuf)>,
    /// Files of the inbox that cannot be taken up yet, of which that was said.
    untakable: HashSet<PathBuf>,
    /// Attempts of earlier lives that wait for the directories of their runs.
    held: Vec<OpenAttempt>,
    /// What is prepared before its turn.
    ahead: Ahead,
    /// When something has to be done about an attempt.
    alarms: BTreeMap<Instant, Vec<(AttemptKey, Alarm)>>,
    in_use: HashMap<AttemptKey, Taken>,
    /// Everything up to this number is durable.
    durable: u64,
    recent: Duration,
    busy_at: Instant,
    retirement: Retirement,
}

const CANCELLED: Outcome = Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy);
const SKIPPED: Outcome = Outcome::without_exit(StepStatus::Skipped, StepReason::ParentFailed);

impl Supervisor {
    fn supervise(&mut self, events: &Receiver<Event>, lock: &File) -> Result<(), LocalError> {
        self.read_inbox()?;
        loop {
            self.grant_and_start()?;
            self.shop.writer.call_for_sync(self.table.open());
            match events.recv_timeout(self.patience()) {
                Ok(event) => {
                    self.handle(event)?;
                    // What came in meanwhile is handled before anything new is granted.
                    while let Ok(event) = events.try_recv() {
                        self.handle(event)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.read_inbox()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.raise_alarms();
            self.retirement.begin_if_due();
            let is_writing = self.shop.writer.is_busy_after(self.durable);
            if self.table.open() > 0 || !self.taken.is_empty() || is_writing {
                self.busy_at = Instant::now();
                continue;
            }
            // Whoever retires journals holds the lock.
            let may_leave = self.busy_at.elapsed() >= self.idle && !self.retirement.is_at_work();
            if may_leave && self.leave(lock)? {
                return Ok(());
            }
        }
    }

    /// Gives the lock back and looks once more: an order that was put while we held it is ours.
    fn leave(&mut self, lock: &File) -> Result<bool, LocalError> {
        let path = self.home.lock();
        let locked = |error: rustix::io::Errno| failed("lock", &path)(error.into());
        flock(lock, FlockOperation::Unlock).map_err(locked)?;
        if inbox::files(&self.home)?.is_empty() {
            return Ok(true);
        }
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            // One that came and left meanwhile has done what we would not know of.
            Ok(()) if others_wrote_since(&self.home)? => Ok(true),
            Ok(()) => {
                self.busy_at = Instant::now();
                self.read_inbox()?;
                Ok(false)
            }
            // Somebody else took over.
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(locked(error)),
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), LocalError> {
        match event {
            Event::Inbox => self.read_inbox(),
            Event::Synced(number) => self.synced(number),
            Event::Ended { start, outcome, ran } => {
                crate::failpoint::reach("supervisor.told");
                self.release(&start.key);
                // Room is filled before anything is written: a write may wait for the disk.
                self.start_what_fits();
                self.recent = ran.map_or(self.recent, |ran| (self.recent * 7 + ran) / 8);
                self.expect_turns();
                self.finish(&start.key, Fate::from(outcome))
            }
            Event::Adopted(adopted) => {
                // Without listeners the workers are gone and so are we.
                let _ended = self.work.send(Work::Finish(adopted));
                Ok(())
            }
            Event::NeverBegun(start) => {
                self.release(&start.key);
                self.startable.push_back(*start);
                Ok(())
            }
            Event::Rotated => {
                self.retirement.want();
                Ok(())
            }
            Event::Retired(pass) => {
                self.retired(&pass);
                Ok(())
            }
            Event::Broken(error) => Err(error),
        }
    }

    /// Takes up the orders in the inbox: journals them, and removes their files once that is durable.
    fn read_inbox(&mut self) -> Result<(), LocalError> {
        self.go_on_with_held()?;
        for path in inbox::files(&self.home)? {
            if self.taken.iter().any(|(_, known)| *known == path) {
                continue;
            }
            let Some((orders, unreadable)) = inbox::read(&path)? else { continue };
            if unreadable > 0 {
                tracing::error!(path = %path.display(), unreadable, "lines are no orders");
            }
            let recalled = match self.recall(&orders) {
                Ok(recalled) => recalled,
                Err(error) => {
                    // What may have been started before must not be started: the orders wait.
                    if self.untakable.insert(path.clone()) {
                        let error = crate::chain(&error);
                        tracing::error!(path = %path.display(), error, "orders wait");
                    }
                    continue;
                }
            };
            self.untakable.remove(&path);
            self.take_orders(orders, &path)?;
            for run in recalled {
                self.table.forget_if_archived(&run);
            }
        }
        Ok(())
    }

    fn take_orders(&mut self, orders: Vec<Order>, path: &Path) -> Result<(), LocalError> {
        let now = self.shop.clock.now();
        let mut records = Vec::new();
        let mut ordered = Vec::new();
        let mut ends = Vec::new();
        for order in orders {
            match order {
                Order::Start(start) => {
                    if self.table.fate(&start.key).is_none() {
                        ordered.push(start.key.clone());
                        records.push(Record::Ordered(start.clone()));
                        self.table.order(start);
                    }
                }
                Order::Close { key, outcome } => ends.push((key, outcome, None)),
                Order::Stop { key } => self.stop(key, &mut ends)?,
            }
        }
        self.shop.writer.append(&records)?;
        crate::failpoint::reach("supervisor.ordered");
        for key in self.table.settle(&ordered, now) {
            ends.push((key, SKIPPED, None));
        }
        self.close(ends, now)?;
        self.expect_turns();
        // The file is needed until everything that follows from it is durable; that may be so now.
        let number = self.shop.writer.append(&[])?;
        self.taken.push_back((number, path.to_owned()));
        if number <= self.durable { self.synced(self.durable) } else { Ok(()) }
    }

    /// Stops what runs; what was not granted is closed, and what waits for room never starts.
    fn stop(
        &mut self,
        key: AttemptKey,
        ends: &mut Vec<(AttemptKey, Outcome, Option<String>)>,
    ) -> Result<(), LocalError> {
        match self.table.fate(&key) {
            Some(Fate::Granted) => {
                if let Some(start) = self.take_unbegun(&key) {
                    return self.end_unbegun(&start, CANCELLED, "it was stopped before it began");
                }
                self.shop.running.stop(&key, CANCELLED);
                let _in_time = self.alarm(STOP_GRACE, key, Alarm::Kill);
            }
            Some(Fate::Ordered) | None => ends.push((key, CANCELLED, None)),
            Some(Fate::Succeeded | Fate::Over) => {}
        }
        Ok(())
    }

    /// Takes out an attempt that was granted and waits for its sync, or for room.
    fn take_unbegun(&mut self, key: &AttemptKey) -> Option<Start> {
        if let Some(at) = self.startable.iter().position(|start| start.key == *key) {
            return self.startable.remove(at);
        }
        let granted = self.granted.iter_mut().find_map(|(_, starts)| {
            let at = starts.iter().position(|start| start.key == *key)?;
            Some(starts.remove(at))
        });
        granted.or_else(|| self.take_held(key))
    }

    /// Ends attempts that have not begun, and with them whatever waits for them: as closed, or as a broken
    /// promise where the journal has their grant.
    fn close(
        &mut self,
        mut ends: Vec<(AttemptKey, Outcome, Option<String>)>,
        now: Timestamp,
    ) -> Result<(), LocalError> {
        let mut records = Vec::new();
        while let Some((key, outcome, message)) = ends.pop() {
            if !matches!(self.table.fate(&key), None | Some(Fate::Ordered)) {
                continue;
            }
            self.ahead.withdraw(&key);
            let consequences = self.table.finish(&key, Fate::Over, now);
            // Under a cancel, what is behind a closed attempt was never tried for the same reason.
            let behind = if outcome.status == StepStatus::Cancelled { CANCELLED } else { SKIPPED };
            ends.extend(consequences.skipped.into_iter().map(|key| (key, behind, None)));
            match self.ahead.take_promise(&key) {
                Some(promise) => self.break_promise(key, &promise, outcome, message, now)?,
                None => records.push(Record::Closed { key, outcome, message, at: now }),
            }
        }
        if !records.is_empty() {
            self.shop.writer.append(&records)?;
        }
        Ok(())
    }

    /// Everything up to this number is durable: grants may start, ends count.
    fn synced(&mut self, number: u64) -> Result<(), LocalError> {
        crate::failpoint::reach("supervisor.synced");
        self.durable = self.durable.max(number);
        while self.granted.front().is_some_and(|(granted, _)| *granted <= number) {
            if let Some((_, starts)) = self.granted.pop_front() {
                self.startable.extend(starts);
            }
        }
        while self.taken.front().is_some_and(|(taken, _)| *taken <= number) {
            if let Some((_, path)) = self.taken.pop_front() {
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Takes an end into account. Its record stands in the journal already, and whatever follows from
    /// it is written behind it: nobody is told of that before both are durable.
    fn finish(&mut self, key: &AttemptKey, fate: Fate) -> Result<(), LocalError> {
        let now = self.shop.clock.now();
        let skipped = self.table.finish(key, fate, now).skipped;
        self.close(skipped.into_iter().map(|key| (key, SKIPPED, None)).collect(), now)
    }

    fn grant_and_start(&mut self) -> Result<(), LocalError> {
        let now = self.shop.clock.now();
        self.table.wake(now);
        let slots = usize::try_from(self.capacity.threads).unwrap_or(usize::MAX);
        let batch = if self.recent < SHORT_STEP { SHORT_BATCH } else { 2 * slots };
        let waiting: usize = self.granted.iter().map(|(_, starts)| starts.len()).sum::<usize>()
            + self.startable.len();
        if waiting * 2 < batch {
            self.grant(batch - waiting, now)?;
        }
        self.start_what_fits();
        self.prepare_ahead()
    }

    /// Starts what is durably granted, while there is room.
    fn start_what_fits(&mut self) {
        while let Some(start) = self.startable.pop_front() {
            if !self.fits(start.resources) {
                self.startable.push_front(start);
                break;
            }
            self.occupy(&start, Duration::ZERO);
            self.shop.running.enter(&start.key);
            self.begin_attempt(start);
        }
    }

    fn grant(&mut self, most: usize, now: Timestamp) -> Result<(), LocalError> {
        let (starts, large): (Vec<Start>, Vec<Start>) = self
            .table
            .grant(most)
            .into_iter()
            .partition(|start| self.could_ever_fit(start.resources));
        let refused = large.into_iter().map(|start| {
            let outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CouldNotStart);
            let message = self.too_large(start.resources);
            self.table.set(&start.key, Fate::Ordered);
            (start.key, outcome, Some(message))
        });
        let refused = refused.collect::<Vec<_>>();
        self.close(refused, now)?;
        let starts = self.keep_promises(starts);
        if starts.is_empty() {
            return Ok(());
        }
        let records: Vec<Record> =
            starts.iter().map(|start| Record::Granted { key: start.key.clone() }).collect();
        let number = self.shop.writer.append(&records)?;
        crate::failpoint::reach("supervisor.granted");
        self.granted.push_back((number, starts));
        Ok(())
    }

    /// How long nothing has to be done, if no event comes.
    fn patience(&mut self) -> Duration {
        let now = self.shop.clock.now();
        let delayed = self
            .table
            .wake(now)
            .map(|at| Duration::from_micros(at.micros_since(now).cast_unsigned().max(1)));
        let alarm = self.alarms.first_key_value();
        let alarm = alarm.map(|(at, _)| at.saturating_duration_since(Instant::now()));
        [delayed, alarm].into_iter().flatten().fold(TICK, Duration::min)
    }
}
