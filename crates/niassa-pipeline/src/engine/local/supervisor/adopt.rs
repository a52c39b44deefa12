//! Taking over from a supervisor that is gone: what its journals leave open.
//!
//! In the same boot, an attempt whose command was not begun is started now, and one that runs is
//! watched through the guardian's file. Only where nothing can tell any more how an attempt ended is
//! it lost; it is never started again. Attempts of a run whose directory cannot be read wait until it can.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use niassa_model::accession::Accession;
use niassa_model::run::RunTag;
use niassa_model::step::{AttemptKey, Outcome, StepReason, StepStatus};
use niassa_model::time::Timestamp;

use super::super::guardian::{exits_file, read};
use super::super::journal::{self, Ended, Evidence, Life, Record, Started};
use super::super::{LocalError, LocalHome, Start, archive, failed};
use super::ahead::Promise;
use super::table::Fate;
use super::{Event, SKIPPED, Supervisor, process};
use crate::run_dir::RunDir;
use crate::{machine, process_group};

/// How often a guardian's file is looked at while adopted steps run.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// An attempt whose command ended under an earlier supervisor.
pub(super) struct Adopted {
    pub(super) start: Start,
    pub(super) ended: Ended,
}

type Fates = Vec<(AttemptKey, Fate)>;

/// What earlier lives left behind.
pub(super) struct Past {
    fates: Fates,
    /// Attempts of runs that go on, of which no journal speaks any more.
    archived: Fates,
    open: Vec<OpenAttempt>,
    /// Attempts that may have an end in the directory of their run, which cannot be read.
    held: Vec<OpenAttempt>,
}

/// An attempt without an end.
pub(super) struct OpenAttempt {
    start: Start,
    evidence: Evidence,
    life: Option<Life>,
}

/// What journals say of an attempt: all of it, the order to start it, and who granted it.
type Said = (Evidence, Option<Start>, Option<Life>);

/// Reads all journals that are left, and what the directories of runs say that go on.
pub(super) fn replay(home: &LocalHome, boot: &str) -> Result<Past, LocalError> {
    let mut evidence: HashMap<AttemptKey, Said> = HashMap::new();
    let mut order = Vec::new();
    for path in journal::files(home)? {
        // What was written and not synced before a kill becomes durable here.
        let file = OpenOptions::new().append(true).open(&path).map_err(failed("open", &path))?;
        file.sync_data().map_err(failed("sync", &path))?;
        let size = file.metadata().map_err(failed("look at", &path))?.len();
        let mut life = None;
        let end = journal::each_record(&path, 0, size, |record| match record {
            Record::Life(own) => life = Some(own),
            record => {
                let Some(key) = record.key().cloned() else { return };
                let known = evidence.entry(key.clone()).or_insert_with(|| {
                    order.push(key);
                    (Evidence::default(), None, None)
                });
                match &record {
                    Record::Ordered(start) => known.1 = Some(start.clone()),
                    Record::Granted { .. } | Record::Started(_) => known.2.clone_from(&life),
                    _ => {}
                }
                known.0.take(record);
            }
        })?;
        // Behind the last line there are zeros, or half a line.
        journal::say(&journal::open_said(&path)?, journal::Said { bytes: end, open: 0 })
            .map_err(failed("mark", &path))?;
    }
    let (archived, unread) = take_archived(home, &mut evidence);
    let mut past = Past { fates: Vec::new(), archived, open: Vec::new(), held: Vec::new() };
    for key in order {
        let Some((evidence, start, life)) = evidence.remove(&key) else { continue };
        match (evidence.outcome(), start) {
            (Some(outcome), _) => past.fates.push((key, outcome.into())),
            (None, Some(start)) => {
                let open = OpenAttempt { start, evidence, life };
                // In the same boot nothing comes back that was retired: what was started is open. What was
                // promised waits for attempts of which only the directory may tell.
                let may_run = open.was_granted_in(boot) && open.evidence.started().is_some();
                let is_held = unread.contains(&key.run_and_tag()) && !may_run;
                if is_held { past.held.push(open) } else { past.open.push(open) }
            }
            (None, None) if was_never_told(&evidence, life.as_ref(), boot) => {}
            // Granted without an order, which is not ours and can never start.
            (None, None) => past.fates.push((key, Fate::Over)),
        }
    }
    Ok(past)
}

/// Tells whether a grant was not durable yet when a machine lost its power. Of what was written last a disk
/// may have kept any part: here the grant, and not the order before it. Nobody was told of it, so nothing
/// was started, and the order is in the inbox still: the attempt is unknown, and is granted once more.
fn was_never_told(evidence: &Evidence, life: Option<&Life>, boot: &str) -> bool {
    let is_granted_only = evidence.started().is_none() && evidence.ran().is_none();
    is_granted_only && life.is_some_and(|life| life.boot != boot)
}

/// Looks into the directories of runs with attempts that journals leave open: these may wait for attempts
/// that were archived. After a power cut a journal may be back that was retired, and speak of ended
/// attempts as if they were open. Returns what journals do not tell, and runs that cannot be looked into.
fn take_archived(
    home: &LocalHome,
    evidence: &mut HashMap<AttemptKey, Said>,
) -> (Fates, HashSet<(Accession, RunTag)>) {
    let open = evidence.iter().filter(|(_, (evidence, ..))| evidence.outcome().is_none());
    let runs: HashSet<(Accession, RunTag)> = open.map(|(key, _)| key.run_and_tag()).collect();
    let (mut archived, mut unread) = (Vec::new(), HashSet::new());
    for run in runs {
        let ends = match archive::read(&RunDir::of(home.work_dir(), run.0, &run.1)) {
            Ok(ends) => ends,
            Err(error) => {
                let error = crate::chain(&error);
                tracing::error!(run = %run.0, error, "the steps of a run wait for its directory");
                unread.insert(run);
                continue;
            }
        };
        for end in ends {
            let (Some(key), Some(outcome)) = (end.key().cloned(), end.outcome()) else { continue };
            match evidence.get_mut(&key) {
                Some((known, ..)) => known.take(end),
                None => archived.push((key, outcome.into())),
            }
        }
    }
    (archived, unread)
}

impl OpenAttempt {
    fn was_granted_in(&self, boot: &str) -> bool {
        self.evidence.is_granted() && self.life.as_ref().is_some_and(|life| life.boot == boot)
    }
}

impl Supervisor {
    /// Goes on where earlier supervisors stopped.
    pub(super) fn take_over(
        &mut self,
        past: Past,
        boot: &str,
        events: &Sender<Event>,
    ) -> Result<(), LocalError> {
        for (key, fate) in past.fates {
            self.table.set(&key, fate);
        }
        for (key, fate) in past.archived {
            self.table.recall(&key, fate);
        }
        for held in &past.held {
            let is_granted = held.evidence.is_granted();
            let fate = if is_granted { Fate::Granted } else { Fate::Ordered };
            self.table.set(&held.start.key, fate);
        }
        self.held = past.held;
        let running = self.go_on_with(past.open, boot)?;
        self.watch(running, events);
        Ok(())
    }

    /// Goes on with attempts; returns those that run.
    fn go_on_with(
        &mut self,
        open: Vec<OpenAttempt>,
        boot: &str,
    ) -> Result<Vec<OpenAttempt>, LocalError> {
        let now = self.shop.clock.now();
        let (mut ordered, mut running) = (Vec::new(), Vec::new());
        for open in open {
            let is_granted = open.evidence.is_granted();
            if is_granted && !open.was_granted_in(boot) {
                self.table.set(&open.start.key, Fate::Granted);
                self.lose(&open.start, "the machine was restarted while the step may have run")?;
                continue;
            }
            if open.evidence.started().is_some() {
                self.table.set(&open.start.key, Fate::Granted);
                running.push(open);
                continue;
            }
            let (key, attempt_dir) = (open.start.key.clone(), open.start.attempt_dir.clone());
            if is_granted {
                // It may have been promised, and wait for others still.
                self.ahead.promise(key.clone(), Promise { number: 0, attempt_dir });
            }
            ordered.push(key);
            self.table.order(open.start);
        }
        let skipped = self.table.settle(&ordered, now);
        self.close(skipped.into_iter().map(|key| (key, SKIPPED, None)).collect(), now)?;
        Ok(running)
    }

    /// Goes on with attempts that were held, where the directories of their runs can be read now.
    pub(super) fn go_on_with_held(&mut self) -> Result<(), LocalError> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut archives: HashMap<(Accession, RunTag), Option<HashMap<AttemptKey, Outcome>>> =
            HashMap::new();
        let mut open = Vec::new();
        for attempt in std::mem::take(&mut self.held) {
            let key = attempt.start.key.clone();
            let ends = archives.entry(key.run_and_tag()).or_insert_with_key(|(run, tag)| {
                let ends = archive::read(&RunDir::of(self.home.work_dir(), *run, tag)).ok()?;
                let outcomes = ends.iter().map(|end| Some((end.key()?.clone(), end.outcome()?)));
                Some(outcomes.flatten().collect())
            });
            let Some(ends) = ends else {
                self.held.push(attempt);
                continue;
            };
            match (self.table.fate(&key), ends.get(&key).copied()) {
                (Some(Fate::Ordered | Fate::Granted), None) => open.push(attempt),
                (Some(Fate::Ordered | Fate::Granted), Some(outcome)) => {
                    self.finish(&key, outcome.into())?;
                }
                // It was closed meanwhile.
                (Some(Fate::Succeeded | Fate::Over) | None, _) => {}
            }
        }
        for (key, outcome) in archives.into_values().flatten().flatten() {
            self.table.recall(&key, outcome.into());
        }
        // None of them was started in this boot, so none runs.
        self.go_on_with(open, &machine::boot_id()).map(|_none| ())
    }

    /// Takes out an attempt that is held and was granted in this boot: it was not started.
    pub(super) fn take_held(&mut self, key: &AttemptKey) -> Option<Start> {
        let at = self.held.iter().position(|open| open.start.key == *key)?;
        let is_unbegun = self.held[at].was_granted_in(&machine::boot_id());
        is_unbegun.then(|| self.held.swap_remove(at).start)
    }

    fn lose(&mut self, start: &Start, why: &str) -> Result<(), LocalError> {
        self.end_unbegun(start, LOST, why)
    }

    /// Ends a granted attempt that does not run.
    pub(super) fn end_unbegun(
        &mut self,
        start: &Start,
        outcome: Outcome,
        why: &str,
    ) -> Result<(), LocalError> {
        self.ahead.withdraw(&start.key);
        let ended = unseen(start, outcome, why, self.shop.clock.now());
        self.shop.writer.exit(&start.attempt_dir, ended)?;
        self.finish(&start.key, Fate::Over)
    }

    /// Watches attempts that were started by an earlier supervisor; they take room until they end.
    fn watch(&mut self, open: Vec<OpenAttempt>, events: &Sender<Event>) {
        let now = self.shop.clock.now();
        let mut watched = Vec::new();
        for attempt in open {
            let ran = attempt.evidence.started().map_or(0, |started| now.micros_since(started.at));
            self.occupy(&attempt.start, Duration::from_micros(ran.max(0).cast_unsigned()));
            if let Some(ran) = attempt.evidence.ran() {
                process_group::end_strays(&attempt.start.key);
                let adopted = Adopted { start: attempt.start, ended: ran.clone() };
                // Without listeners nobody is there to go on, and so are we.
                let _ended = events.send(Event::Adopted(Box::new(adopted)));
                continue;
            }
            let started = attempt.evidence.started().cloned();
            let (Some(life), Some(started)) = (attempt.life, started) else { continue };
            self.shop.running.enter(&started.key);
            // A stranger may have its number by now, and must not be signalled.
            if is_process_of(&started.key, started.pid) {
                self.shop.running.started(&started.key, started.pid);
            }
            watched.push(Watched { start: attempt.start, life, started });
        }
        if watched.is_empty() {
            return;
        }
        let (home, shop, events) = (self.home.clone(), self.shop.clone(), events.clone());
        thread::spawn(move || {
            let watch = Watch { home, shop };
            if let Err(error) = watch.until_all_ended(watched, &events) {
                let _nobody_listens = events.send(Event::Broken(error));
            }
        });
    }
}

const LOST: Outcome = Outcome::without_exit(StepStatus::Lost, StepReason::Lost);

fn is_process_of(key: &AttemptKey, pid: u32) -> bool {
    machine::has_variable(pid, "NIASSA_KEY", &key.to_string())
}

fn unseen(start: &Start, outcome: Outcome, why: &str, now: Timestamp) -> Ended {
    Ended { message: Some(why.to_owned()), ..Ended::of(start.key.clone(), outcome, now) }
}

struct Watched {
    start: Start,
    life: Life,
    started: Started,
}

/// What a look at an adopted attempt tells.
enum Sight {
    /// It runs, or its end is not told yet.
    Open,
    /// Its command was never begun.
    NeverBegun,
    /// It has ended.
    Ended(Ended),
}

/// The thread that waits for adopted attempts.
struct Watch {
    home: LocalHome,
    shop: std::sync::Arc<process::Shop>,
}

impl Watch {
    fn until_all_ended(
        &self,
        mut watched: Vec<Watched>,
        events: &Sender<Event>,
    ) -> Result<(), LocalError> {
        while !watched.is_empty() {
            let mut left = Vec::new();
            for attempt in watched {
                let event = match self.look(&attempt)? {
                    Sight::Open => {
                        left.push(attempt);
                        continue;
                    }
                    Sight::NeverBegun => Event::NeverBegun(Box::new(attempt.start)),
                    Sight::Ended(ended) => {
                        Event::Adopted(Box::new(Adopted { start: attempt.start, ended }))
                    }
                };
                if events.send(event).is_err() {
                    return Ok(());
                }
            }
            watched = left;
            if !watched.is_empty() {
                thread::sleep(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// Looks how an attempt ended.
    fn look(&self, attempt: &Watched) -> Result<Sight, LocalError> {
        let Watched { start, life, started } = attempt;
        // Before the file: a guardian that is gone now has written all it ever will.
        let is_guarded = life.guardian_started.is_some()
            && machine::is_running(life.guardian, life.guardian_started);
        let exits = exits_file(&self.home, &life.boot, life.guardian, life.guardian_started);
        let exits = read(&exits)?;
        let inherited = exits.into_iter().find(|exit| exit.pid == started.pid);
        if inherited.is_none() && (is_guarded || is_process_of(&start.key, started.pid)) {
            return Ok(Sight::Open);
        }
        process_group::end_strays(&start.key);
        if process::never_got_the_word(&start.attempt_dir, life, started.pid) {
            // One that was to be stopped before it began is not begun now.
            return Ok(match self.shop.running.leave(&start.key) {
                Some(outcome) => {
                    let now = self.shop.clock.now();
                    Sight::Ended(unseen(start, outcome, "it was never begun", now))
                }
                None => Sight::NeverBegun,
            });
        }
        if let Some(inherited) = inherited {
            let (from, to) = (started.at, inherited.at);
            return Ok(Sight::Ended(self.shop.ended(start, from, to, inherited.end)));
        }
        let outcome = self.shop.running.leave(&start.key).unwrap_or(LOST);
        let why = "supervisor and guardian were killed together; nobody saw how the step ended";
        Ok(Sight::Ended(unseen(start, outcome, why, self.shop.clock.now())))
    }
}
