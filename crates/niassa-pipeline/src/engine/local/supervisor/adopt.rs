//! Taking over from a supervisor that is gone: what its journals leave open.
//!
//! An attempt that was granted and not begun to be started is started now, in the same boot. One
//! that runs is watched through the guardian's file. Only where nothing can tell any more how an
//! attempt ended is it lost; it is never started again.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use niassa_model::step::{AttemptKey, Outcome, StepReason, StepStatus};
use niassa_model::time::Timestamp;

use super::super::guardian::{Inherited, Leader, exits_file, read};
use super::super::journal::{self, Ended, Evidence, Life, Record, Started};
use super::super::{LocalError, LocalHome, Start, failed, machine};
use super::table::Fate;
use super::{CANCELLED, Event, SKIPPED, Supervisor, process};

/// How often a guardian's file is looked at while adopted steps run.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// An attempt whose command ended under an earlier supervisor.
pub(super) struct Adopted {
    pub(super) start: Start,
    pub(super) ended: Ended,
}

/// What earlier lives left behind.
pub(super) struct Past {
    fates: Vec<(AttemptKey, Fate)>,
    open: Vec<OpenAttempt>,
    /// Every process that a journal names, by its life.
    known_pids: HashSet<u32>,
}

/// An attempt without an end.
struct OpenAttempt {
    start: Start,
    evidence: Evidence,
    life: Option<Life>,
}

/// Reads all journals.
pub(super) fn replay(home: &LocalHome) -> Result<Past, LocalError> {
    let mut evidence: HashMap<AttemptKey, (Evidence, Option<Start>, Option<Life>)> = HashMap::new();
    let mut past = Past { fates: Vec::new(), open: Vec::new(), known_pids: HashSet::new() };
    let mut order = Vec::new();
    for path in journal::files(home)? {
        // What was written and not synced before a kill becomes durable here.
        let file = OpenOptions::new().append(true).open(&path).map_err(failed("open", &path))?;
        file.sync_data().map_err(failed("sync", &path))?;
        let mut life = None;
        journal::each_record(&path, 0, |record| match record {
            Record::Life(own) => life = Some(own),
            record => {
                let Some(key) = record.key().cloned() else { return };
                let known = evidence.entry(key.clone()).or_insert_with(|| {
                    order.push(key);
                    (Evidence::default(), None, None)
                });
                match &record {
                    Record::Ordered(start) => known.1 = Some(start.clone()),
                    Record::Starting { .. } => known.2.clone_from(&life),
                    Record::Started(started) => {
                        past.known_pids.insert(started.pid);
                    }
                    _ => {}
                }
                if matches!(record, Record::Granted { .. }) && known.2.is_none() {
                    known.2.clone_from(&life);
                }
                known.0.take(record);
            }
        })?;
    }
    for key in order {
        let Some((evidence, start, life)) = evidence.remove(&key) else { continue };
        match (evidence.outcome(), start) {
            (Some(outcome), _) if outcome.status == StepStatus::Success => {
                past.fates.push((key, Fate::Succeeded));
            }
            (None, Some(start)) => past.open.push(OpenAttempt { start, evidence, life }),
            // Over; or granted without an order, which is not ours and can never start.
            (Some(_) | None, _) => past.fates.push((key, Fate::Over)),
        }
    }
    Ok(past)
}

impl Supervisor {
    /// Goes on where earlier supervisors stopped.
    pub(super) fn take_over(
        &mut self,
        past: Past,
        boot: &str,
        events: &Sender<Event>,
    ) -> Result<(), LocalError> {
        let now = self.shop.clock.now();
        for (key, fate) in past.fates {
            self.table.set(&key, fate);
        }
        let (mut ordered, mut watched, mut granted) = (Vec::new(), Vec::new(), Vec::new());
        for open in past.open {
            if !open.evidence.is_granted() {
                ordered.push(open.start.key.clone());
                self.table.order(open.start);
                continue;
            }
            self.table.set(&open.start.key, Fate::Granted);
            let same_boot = open.life.as_ref().is_some_and(|life| life.boot == boot);
            if !same_boot {
                self.lose(&open.start, "the machine was restarted while the step may have run")?;
            } else if open.evidence.may_have_started() {
                watched.push(open);
            } else {
                granted.push(open.start);
            }
        }
        self.startable.extend(granted);
        let skipped = self.table.settle(&ordered, now);
        self.close(skipped.into_iter().map(|key| (key, SKIPPED, None)).collect(), now)?;
        self.watch(watched, past.known_pids, events);
        Ok(())
    }

    fn lose(&mut self, start: &Start, why: &str) -> Result<(), LocalError> {
        let ended = lost(start, why, self.shop.clock.now());
        let number = self.shop.writer.exit(&start.attempt_dir, ended)?;
        self.over.push_back((number, start.key.clone(), Fate::Over));
        Ok(())
    }

    /// Watches attempts that were started by an earlier supervisor; they take room until they end.
    fn watch(&mut self, open: Vec<OpenAttempt>, known_pids: HashSet<u32>, events: &Sender<Event>) {
        let mut watched = Vec::new();
        for attempt in open {
            self.occupy(&attempt.start);
            if let Some(ran) = attempt.evidence.ran() {
                let adopted = Adopted { start: attempt.start, ended: ran.clone() };
                // Without listeners nobody is there to go on, and so are we.
                let _ended = events.send(Event::Adopted(Box::new(adopted)));
                continue;
            }
            let Some(life) = attempt.life else { continue };
            let started = attempt.evidence.started().cloned();
            let started = started.or_else(|| stray(&attempt.start.key, self.shop.clock.now()));
            if let Some(started) = &started {
                self.shop.running.started(&started.key, started.pid);
            }
            watched.push(Watched { start: attempt.start, life, started });
        }
        if watched.is_empty() {
            return;
        }
        let (home, shop, events) = (self.home.clone(), self.shop.clone(), events.clone());
        thread::spawn(move || {
            let watch = Watch { home, shop, known_pids };
            if let Err(error) = watch.until_all_ended(watched, &events) {
                let _nobody_listens = events.send(Event::Broken(error));
            }
        });
    }
}

/// Finds the process of an attempt that was started but not noted.
fn stray(key: &AttemptKey, now: Timestamp) -> Option<Started> {
    let pids = machine::with_variable("NIASSA_KEY", &key.to_string());
    let leader = pids.into_iter().find(|pid| machine::group_of(*pid) == Some(*pid))?;
    Some(Started { key: key.clone(), pid: leader, at: now })
}

fn lost(start: &Start, why: &str, now: Timestamp) -> Ended {
    Ended {
        key: start.key.clone(),
        outcome: Outcome::without_exit(StepStatus::Lost, StepReason::Lost),
        started_at: None,
        ended_at: now,
        cpu_micros: None,
        peak_memory_bytes: None,
        message: Some(why.to_owned()),
    }
}

struct Watched {
    start: Start,
    life: Life,
    started: Option<Started>,
}

/// The thread that waits for adopted attempts.
struct Watch {
    home: LocalHome,
    shop: std::sync::Arc<process::Shop>,
    known_pids: HashSet<u32>,
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
                match self.look(&attempt)? {
                    Some(ended) => {
                        let adopted = Adopted { start: attempt.start, ended };
                        if events.send(Event::Adopted(Box::new(adopted))).is_err() {
                            return Ok(());
                        }
                    }
                    None => left.push(attempt),
                }
            }
            watched = left;
            if !watched.is_empty() {
                thread::sleep(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// Looks how an attempt ended; nothing while that is not known and still may be.
    fn look(&self, attempt: &Watched) -> Result<Option<Ended>, LocalError> {
        // Before the file: a guardian that is gone now has written all it ever will.
        let guardian = attempt.life.guardian;
        let is_guarded = machine::is_running(guardian, attempt.life.guardian_started);
        let exits = read(&exits_file(&self.home, &attempt.life.boot, guardian))?;
        if let Some(inherited) = self.exit_of(attempt, &exits) {
            process::end_group(inherited.pid);
            let started_at = attempt.started.as_ref().map_or(inherited.at, |started| started.at);
            let at = inherited.at;
            return Ok(Some(self.shop.ended(&attempt.start, started_at, at, inherited.end)));
        }
        let is_running = attempt.started.as_ref().is_some_and(|s| machine::is_running(s.pid, None));
        if is_running || (is_guarded && attempt.started.is_some()) {
            return Ok(None);
        }
        let stopped = self.shop.running.leave(&attempt.start.key).is_some();
        let now = self.shop.clock.now();
        let why = "supervisor and guardian were killed together; nobody saw how the step ended";
        let mut ended = lost(&attempt.start, why, now);
        if stopped {
            ended.outcome = CANCELLED;
        }
        Ok(Some(ended))
    }

    /// Finds an attempt's process among those that the guardian inherited.
    fn exit_of(&self, attempt: &Watched, exits: &[Inherited]) -> Option<Inherited> {
        if let Some(started) = &attempt.started {
            return exits.iter().find(|exit| exit.pid == started.pid).cloned();
        }
        // Killed between starting a process and noting it: told only where there is no doubt.
        let mut unknown = exits
            .iter()
            .filter(|exit| exit.leader == Leader::OfGroup && !self.known_pids.contains(&exit.pid));
        let one = unknown.next().cloned();
        if unknown.next().is_some() { None } else { one }
    }
}
