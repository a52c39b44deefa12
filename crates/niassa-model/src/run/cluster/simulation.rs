//! A simulated cluster that loses, forgets, repeats and kills; and a launcher that is killed anywhere.
//!
//! However the chances fall: user code of an attempt starts at most once, and once the chaos is over every
//! step comes to an end and no job is left.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::job::{JobEnd, JobId, JobName, JobState, SeenJob};
use crate::limits::ClusterWaits;
use crate::plan::{PlannedStep, RetryPolicy};
use crate::resources::Resources;
use crate::run::reconcile::Existence;
use crate::run::sighting::{Claimant, Exit, Fenced, Handed, SchedulerLook};
use crate::step::{Outcome, StepName, StepReason, StepStatus};
use crate::time::Timestamp;

/// Seconds between two ticks.
const TICK: i64 = 20;
/// Ticks after the chaos within which everything has to be over.
const CALM_TICKS: usize = 400;

/// Where chances come from; when they are used up all goes well.
struct Chances {
    rolls: std::vec::IntoIter<u8>,
}

impl Chances {
    fn one_in(&mut self, n: u8) -> bool {
        self.rolls.next().is_some_and(|roll| roll % n == 0)
    }

    fn is_over(&self) -> bool {
        self.rolls.len() == 0
    }
}

#[derive(Clone)]
struct Attempt {
    cause: AttemptCause,
    handed: Handed,
    claim: Option<Claimant>,
    exit: Option<Exit>,
    terminated: Option<i32>,
    stop_asked: bool,
    fenced: Option<Fenced>,
    alive: u32,
    starts: u32,
}

struct Job {
    id: JobId,
    step: usize,
    attempt: usize,
    after: Vec<(usize, usize)>,
    state: JobState,
    /// Whether its step runner lives: it can outlive what the scheduler knows.
    runs: bool,
}

struct World {
    plan: Plan,
    now: i64,
    attempts: Vec<Vec<Attempt>>,
    jobs: Vec<Job>,
    next_id: u32,
    wish: Wish,
}

impl World {
    fn new(shape: &[Vec<u32>], max: u32) -> Self {
        let step = |after: &Vec<u32>| PlannedStep {
            name: StepName::try_from("s".to_owned()).unwrap(),
            element: None,
            after: after.iter().map(|index| StepIndex(*index)).collect(),
            command: String::new(),
            resources: Resources::default(),
            outputs: Vec::new(),
            retry: RetryPolicy { max, ..RetryPolicy::NEVER },
        };
        let plan = Plan {
            format: 1,
            workflow: "w".into(),
            version: "1".into(),
            inputs: Vec::new(),
            output_folder: None,
            steps: shape.iter().map(step).collect(),
        };
        let attempts = shape.iter().map(|_| vec![Attempt::new(AttemptCause::First)]).collect();
        Self { plan, now: 0, attempts, jobs: Vec::new(), next_id: 1, wish: Wish::GoOn }
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.now * 1_000_000)
    }

    /// One tick of a launcher. It may be killed before any of its effects.
    fn launch(&mut self, chances: &mut Chances) {
        if chances.one_in(8) {
            return;
        }
        let is_silent = chances.one_in(6);
        let seen: Vec<(usize, usize, SeenJob)> =
            self.jobs.iter().map(|job| (job.step, job.attempt, job.seen())).collect();
        let decided = {
            let sighting = |step: usize, number: usize, attempt: &Attempt| Sighting {
                claim: attempt.claim.clone(),
                exit: attempt.exit,
                terminated: attempt.terminated,
                stop_asked: attempt.stop_asked,
                fenced: attempt.fenced.clone(),
                jobs: match is_silent {
                    true => Vec::new(),
                    false => seen
                        .iter()
                        .filter(|(s, n, _)| (*s, *n) == (step, number))
                        .map(|(_, _, job)| job)
                        .collect(),
                },
                handed: attempt.handed.clone(),
                accounted: None,
            };
            let attempts = self.attempts.iter().enumerate().map(|(step, attempts)| {
                let of_step = attempts.iter().enumerate();
                of_step.map(|(n, a)| (a.cause.clone(), sighting(step, n, a))).collect()
            });
            let run = ClusterRun {
                plan: &self.plan,
                attempts: attempts.collect(),
                wish: self.wish,
                retries: Vec::new(),
            };
            let scheduler = match is_silent {
                true => SchedulerLook::Silent,
                false => SchedulerLook::Whole(None),
            };
            decide_cluster(
                &run,
                &LookAt { scheduler, now: self.time(), waits: ClusterWaits::USUAL },
            )
        };
        self.act(&decided, chances);
        if !is_silent {
            self.hand_over(&decided, chances);
        }
        self.release(&decided, chances);
    }

    fn act(&mut self, decided: &ClusterDecision, chances: &mut Chances) {
        let now = self.time();
        for (step, number, outcome) in &decided.decision.close {
            self.close(*step, *number, *outcome, chances);
        }
        for (step, number) in &decided.decision.stop {
            if let Some(attempt) = self.attempt(*step, *number) {
                attempt.stop_asked = true;
            }
            self.cancel_jobs(*step, *number);
        }
        for (step, number, order) in &decided.orders {
            if chances.one_in(12) {
                return;
            }
            match order {
                AttemptOrder::Close(outcome, _) => self.close(*step, *number, *outcome, chances),
                AttemptOrder::Conclude(outcome, _) => {
                    let attempt = self.attempt(*step, *number).unwrap();
                    attempt.exit.get_or_insert(Exit { outcome: *outcome, at: now });
                }
                AttemptOrder::NoteOver => {
                    self.attempt(*step, *number).unwrap().handed.over_since.get_or_insert(now);
                }
                AttemptOrder::Fence(reason) => {
                    let attempt = self.attempt(*step, *number).unwrap();
                    let fenced = Fenced { reason: *reason, readings: Vec::new() };
                    attempt.fenced.get_or_insert(fenced);
                    self.cancel_jobs(*step, *number);
                }
                AttemptOrder::Read => {
                    let attempt = self.attempt(*step, *number).unwrap();
                    let value = attempt.alive.to_string();
                    attempt.fenced.as_mut().unwrap().readings.push((now, value));
                }
                AttemptOrder::Cancel(id) => {
                    let attempt = self.attempt(*step, *number).unwrap();
                    attempt.handed.cancelled.push((id.clone(), now));
                    self.end_job(id, JobEnd::Cancelled);
                }
                AttemptOrder::Release(_) => {}
            }
        }
    }

    fn close(
        &mut self,
        step: StepIndex,
        number: AttemptNumber,
        outcome: Outcome,
        chances: &mut Chances,
    ) {
        let now = self.time();
        let Some(attempt) = self.attempt(step, number) else { return };
        let claim = attempt.claim.get_or_insert(Claimant::Closed(outcome)).clone();
        if chances.one_in(6) {
            return;
        }
        if let Claimant::Closed(outcome) = claim {
            attempt.exit.get_or_insert(Exit { outcome, at: now });
            self.cancel_jobs(step, number);
        }
    }

    fn hand_over(&mut self, decided: &ClusterDecision, chances: &mut Chances) {
        let now = self.time();
        for submission in &decided.decision.submit {
            let attempts = &mut self.attempts[submission.step.as_usize()];
            if submission.existence == Existence::New
                && attempts.len() < submission.attempt.0 as usize
            {
                attempts.push(Attempt::new(submission.cause.clone()));
            }
        }
        let mut waiting = decided.decision.submit.clone();
        loop {
            let jobs = &self.jobs;
            let wave = next_wave(&waiting, 3, 10, |step, number| {
                let of = (step.as_usize(), number.0 as usize - 1);
                let live = jobs.iter().any(|j| (j.step, j.attempt) == of && j.state.is_live());
                if live { ParentJob::Seen } else { ParentJob::NotSeen }
            });
            if wave.is_empty() || chances.one_in(8) {
                return;
            }
            for position in wave.iter().rev() {
                let submission = waiting.remove(*position);
                let attempt = self.attempt(submission.step, submission.attempt).unwrap();
                attempt.handed.last_intent = Some(now);
                attempt.handed.free_intents += u32::from(submission.after.is_empty());
                // Lost on the way; or handed over twice, as when an answer was lost.
                let copies = u32::from(!chances.one_in(5)) + u32::from(chances.one_in(9));
                for _ in 0..copies {
                    self.submit(&submission);
                }
            }
        }
    }

    fn submit(&mut self, submission: &Submission) {
        let id = JobId(self.next_id.to_string());
        self.next_id += 1;
        let place =
            |(step, number): &(StepIndex, AttemptNumber)| (step.as_usize(), number.0 as usize - 1);
        let state = if submission.after.is_empty() { JobState::Held } else { JobState::Waiting };
        let (step, attempt) = place(&(submission.step, submission.attempt));
        let after = submission.after.iter().map(place).collect();
        self.jobs.push(Job { id, step, attempt, after, state, runs: false });
    }

    /// Lets go what the decision and this tick's submissions left held, unless killed before.
    fn release(&mut self, decided: &ClusterDecision, chances: &mut Chances) {
        if self.wish == Wish::Stop || chances.one_in(6) {
            return;
        }
        let closing: Vec<usize> =
            decided.decision.close.iter().map(|(step, ..)| step.as_usize()).collect();
        for job in self.jobs.iter_mut().filter(|job| !closing.contains(&job.step)) {
            if job.state == JobState::Held {
                job.state = JobState::Waiting;
                let released = &mut self.attempts[job.step][job.attempt].handed.released;
                released.push((job.id.clone(), None));
            }
        }
    }

    /// The cluster goes on by itself: jobs start, runners claim, steps end, nodes fail.
    fn live_on(&mut self, chances: &mut Chances) {
        let now = self.time();
        for position in 0..self.jobs.len() {
            if chances.one_in(15) && self.jobs[position].state.is_live() {
                // Forgotten by the scheduler; a runner that lives goes on.
                self.jobs[position].state = JobState::Ended(JobEnd::Unknown);
                continue;
            }
            self.move_job(position, now, chances);
        }
        // What is over is shown for a while only.
        let forgets = chances.one_in(2) || chances.is_over();
        self.jobs.retain(|job| job.runs || job.state.is_live() || !forgets);
    }

    fn move_job(&mut self, position: usize, now: Timestamp, chances: &mut Chances) {
        let (step, attempt) = (self.jobs[position].step, self.jobs[position].attempt);
        let id = self.jobs[position].id.clone();
        let success = |a: &Attempt| a.exit.is_some_and(|e| e.outcome.status == StepStatus::Success);
        if self.jobs[position].runs {
            let known = &mut self.attempts[step][attempt];
            known.alive += 1;
            let (is_stopped, is_fenced) = (known.stop_asked, known.fenced.is_some());
            if chances.one_in(20) {
                // Its node dies without a word.
                self.jobs[position].runs = false;
                self.jobs[position].state = JobState::Ended(JobEnd::NodeFailure);
            } else if is_stopped || is_fenced || !chances.one_in(3) {
                let outcome = match (is_stopped, is_fenced, chances.one_in(4)) {
                    (true, ..) => {
                        Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy)
                    }
                    (_, true, _) => Outcome::without_exit(StepStatus::Lost, StepReason::Lost),
                    (.., true) => Outcome::without_exit(StepStatus::Failed, StepReason::ExitCode),
                    (.., false) => Outcome::SUCCESS,
                };
                known.exit.get_or_insert(Exit { outcome, at: now });
                self.jobs[position].runs = false;
                self.jobs[position].state = JobState::Ended(JobEnd::Completed);
            }
            return;
        }
        if self.jobs[position].state != JobState::Waiting {
            return;
        }
        let after = self.jobs[position].after.clone();
        let parents = || after.iter().map(|(step, attempt)| &self.attempts[*step][*attempt]);
        if parents().any(|parent| parent.exit.is_some() && !success(parent)) {
            self.jobs[position].state = JobState::Ended(JobEnd::NeverSatisfied);
        } else if parents().all(success) {
            let known = &mut self.attempts[step][attempt];
            let is_mine = known.claim.is_none() && known.exit.is_none();
            if is_mine {
                known.claim = Some(Claimant::Job(id));
                known.starts += 1;
                self.jobs[position].state = JobState::Running(Duration::ZERO);
                self.jobs[position].runs = true;
            } else {
                self.jobs[position].state = JobState::Ended(JobEnd::Exited(1));
            }
        }
    }

    fn attempt(&mut self, step: StepIndex, number: AttemptNumber) -> Option<&mut Attempt> {
        self.attempts[step.as_usize()].get_mut((number.0 as usize).checked_sub(1)?)
    }

    fn cancel_jobs(&mut self, step: StepIndex, number: AttemptNumber) {
        let of = (step.as_usize(), number.0 as usize - 1);
        let ids: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|job| (job.step, job.attempt) == of && job.state.is_live())
            .map(|job| job.id.clone())
            .collect();
        let now = self.time();
        for id in ids {
            self.attempts[of.0][of.1].handed.cancelled.push((id.clone(), now));
            self.end_job(&id, JobEnd::Cancelled);
        }
    }

    /// Ends a job that does not run; one that runs is told by its runner.
    fn end_job(&mut self, id: &JobId, end: JobEnd) {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == *id && !job.runs) {
            job.state = JobState::Ended(end);
        }
    }

    fn is_over(&self) -> bool {
        let last_ended =
            |attempts: &Vec<Attempt>| attempts.last().is_some_and(|a| a.exit.is_some());
        self.attempts.iter().all(last_ended) && self.jobs.iter().all(|job| !job.state.is_live())
    }
}

impl Attempt {
    fn new(cause: AttemptCause) -> Self {
        Self {
            cause,
            handed: Handed::default(),
            claim: None,
            exit: None,
            terminated: None,
            stop_asked: false,
            fenced: None,
            alive: 0,
            starts: 0,
        }
    }
}

impl Job {
    fn seen(&self) -> SeenJob {
        let name = format!("nia-7-abcdefghij-s{}-a{}", self.step, self.attempt + 1);
        SeenJob {
            id: self.id.clone(),
            name: name.parse::<JobName>().unwrap(),
            element: None,
            state: self.state.clone(),
            words: String::new(),
            node: None,
        }
    }
}

fn shapes() -> impl Strategy<Value = Vec<Vec<u32>>> {
    proptest::collection::vec(proptest::collection::btree_set(0..6_u32, 0..3), 1..6).prop_map(
        |rows| {
            let earlier = |(position, row): (usize, std::collections::BTreeSet<u32>)| {
                let position = u32::try_from(position).unwrap();
                row.into_iter().filter(|parent| *parent < position).collect()
            };
            rows.into_iter().enumerate().map(earlier).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_lost_an_attempt_starts_once_and_every_run_ends(
        shape in shapes(),
        max in 0..3_u32,
        rolls in proptest::collection::vec(any::<u8>(), 0..400),
        cancel_at in proptest::option::of(0..30_usize),
    ) {
        let mut world = World::new(&shape, max);
        let mut chances = Chances { rolls: rolls.into_iter() };
        let mut calm = 0;
        let mut tick = 0;
        while calm < CALM_TICKS && !(chances.is_over() && world.is_over()) {
            if cancel_at == Some(tick) {
                world.wish = Wish::Stop;
            }
            world.launch(&mut chances);
            world.live_on(&mut chances);
            let starts: BTreeMap<(usize, usize), u32> = world
                .attempts
                .iter()
                .enumerate()
                .flat_map(|(step, all)| all.iter().enumerate().map(move |(n, a)| ((step, n), a.starts)))
                .collect();
            prop_assert!(starts.values().all(|count| *count <= 1), "{starts:?}");
            world.now += TICK;
            tick += 1;
            calm += usize::from(chances.is_over());
        }
        let ends: Vec<Vec<_>> = world
            .attempts
            .iter()
            .map(|all| all.iter().map(|a| (a.claim.clone(), a.exit)).collect())
            .collect();
        prop_assert!(world.is_over(), "not over after {tick} ticks: {ends:?}");
    }
}
