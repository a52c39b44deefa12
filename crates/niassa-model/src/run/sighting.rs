//! What one look at a cluster means for one attempt.
//!
//! Two files decide, the claim and the exit; the queue only hints. Positive words rule in this order:
//! exit, claim, accounting, queue. Absence is never evidence: it makes an attempt be handed over again
//! under the same key, or be closed after its job vanished twice, or, once it had started, be fenced and
//! waited for until it has long been silent.

use crate::job::{JobEnd, JobId, JobState, SeenJob};
use crate::limits::ClusterWaits;
use crate::run::reconcile::{QueueEvidence, StartClaim};
use crate::step::{Outcome, StepReason, StepStatus};
use crate::time::Timestamp;

/// Readings of `alive` that have to agree before a fenced attempt is lost.
const AGREEING_READINGS: usize = 3;

/// How often the job of an attempt whose steps before have succeeded may vanish before it claimed.
const VANISHINGS: u32 = 2;

/// Everything that is known of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sighting<'look> {
    /// Who has the claim file.
    pub claim: Option<Claimant>,
    /// What `exit.json` says.
    pub exit: Option<Exit>,
    /// Whether the scheduler asked the step runner to end, and it did, without knowing why.
    pub terminated: Option<i32>,
    /// Whether we asked the step to stop because a person cancelled the run.
    pub stop_asked: bool,
    /// Since when it is given up for lost, with what was read of `alive`.
    pub fenced: Option<Fenced>,
    /// The jobs under its key in this look.
    pub jobs: Vec<&'look SeenJob>,
    /// What the run's journal says.
    pub handed: Handed,
    /// How the claiming job ended, where the accounting knows.
    pub accounted: Option<JobEnd>,
}

/// Who has the claim file of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimant {
    /// A job: the attempt was started, or is about to be.
    Job(JobId),
    /// One of us, who closed the attempt: it will never start and comes to this.
    Closed(Outcome),
}

/// What an attempt came to, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The outcome.
    pub outcome: Outcome,
    /// When, by the clock of the machine it ran on.
    pub at: Timestamp,
}

/// An attempt that is given up for lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fenced {
    /// Why.
    pub reason: StepReason,
    /// What was read of `alive`, and when by the service's clock; oldest first.
    pub readings: Vec<(Timestamp, String)>,
}

/// What the journal of a run says of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handed {
    /// When it was last about to be handed over, by the service's clock.
    pub last_intent: Option<Timestamp>,
    /// How often it was, with every step before it already successful.
    pub free_intents: u32,
    /// Why the scheduler would not have it, the last time it was handed over.
    pub refused: Option<String>,
    /// What was said instead of a number of its job, the last time it was handed over.
    pub doubted: Option<String>,
    /// Jobs that we let go, and in which life of the scheduler.
    pub released: Vec<(JobId, Option<String>)>,
    /// Jobs that we cancelled, and when we did so last, by the service's clock.
    pub cancelled: Vec<(JobId, Timestamp)>,
    /// Since when its claiming job is known to be over, by the service's clock.
    pub over_since: Option<Timestamp>,
}

/// One look of a scheduler, as far as all attempts share it.
#[derive(Debug, Clone, Copy)]
pub struct LookAt<'look> {
    /// Whether the scheduler answered, and in which of its lives.
    pub scheduler: SchedulerLook<'look>,
    /// Now, by the service's clock.
    pub now: Timestamp,
    /// How long to wait for what.
    pub waits: ClusterWaits,
}

/// Whether a scheduler answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerLook<'look> {
    /// It showed all its jobs; it was started then, where it tells.
    Whole(Option<&'look str>),
    /// It did not: nothing follows from what is not seen.
    Silent,
}

/// What an attempt comes to, and what to do about it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// Whether its user code may have started.
    pub claim: StartClaim,
    /// How it ended, once it has.
    pub ended: Option<Outcome>,
    /// Where the cluster has it.
    pub queue: QueueEvidence,
    /// What to do about it, in this order.
    pub orders: Vec<AttemptOrder>,
    /// What people should know.
    pub remark: Option<Remark>,
}

/// Something to do about one attempt. Everything may be done twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOrder {
    /// Cancel a job of it.
    Cancel(JobId),
    /// Let a held job go, once the service has said that the run goes on.
    Release(JobId),
    /// Take the claim away from every job: it comes to this.
    Close(Outcome, String),
    /// Link `exit.json`: its job is over and this is what it came to.
    Conclude(Outcome, String),
    /// Write down that its claiming job is over: what follows waits from then on.
    NoteOver,
    /// Give it up for lost: tell it to stop, should it live, and cancel its job.
    Fence(StepReason),
    /// Read `alive` once more.
    Read,
}

/// Something about an attempt that people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Its job is held, not by us.
    HeldBySomebody(JobId),
    /// Its job is suspended.
    Suspended(JobId),
    /// Somebody put its job back into the queue after it had started.
    Requeued(JobId),
    /// Its node or its job is gone; nothing is known until it has long been silent.
    Silent(StepReason),
    /// Its job vanished, or was refused, and is handed over again.
    HandedOverAgain(String),
    /// What the scheduler says of a job that waits.
    Waits(String),
}

/// Says what a look means for one attempt.
pub fn meaning(sighting: &Sighting<'_>, look: &LookAt<'_>) -> Meaning {
    let mut meaning = meaning_of(sighting, look);
    meaning.orders.retain(|order| match order {
        AttemptOrder::Cancel(job) => sighting.is_to_be_cancelled(job, look),
        AttemptOrder::Release(_)
        | AttemptOrder::Close(..)
        | AttemptOrder::Conclude(..)
        | AttemptOrder::NoteOver
        | AttemptOrder::Fence(_)
        | AttemptOrder::Read => true,
    });
    meaning
}

fn meaning_of(sighting: &Sighting<'_>, look: &LookAt<'_>) -> Meaning {
    match (&sighting.exit, &sighting.claim) {
        (Some(exit), claim) => after_its_end(sighting, look, *exit, claim.as_ref()),
        (None, Some(Claimant::Closed(outcome))) => {
            // Whoever closed it was killed before it could say so.
            let mut meaning = Meaning::ended(*outcome);
            let words = "closed before it started".to_owned();
            meaning.orders.push(AttemptOrder::Conclude(*outcome, words));
            meaning
        }
        (None, Some(Claimant::Job(job))) => while_it_runs(sighting, look, job),
        (None, None) => before_it_starts(sighting, look),
    }
}

impl Meaning {
    fn ended(outcome: Outcome) -> Self {
        let claim = StartClaim::Taken;
        let queue = QueueEvidence::Absent;
        Self { claim, ended: Some(outcome), queue, orders: Vec::new(), remark: None }
    }

    fn open(claim: StartClaim, queue: QueueEvidence) -> Self {
        Self { claim, ended: None, queue, orders: Vec::new(), remark: None }
    }

    fn ordering(mut self, order: AttemptOrder) -> Self {
        self.orders.push(order);
        self
    }

    fn remarking(mut self, remark: Remark) -> Self {
        self.remark = Some(remark);
        self
    }
}

/// Over: what its jobs still do is without effect. They are cancelled when they linger.
fn after_its_end(
    sighting: &Sighting<'_>,
    look: &LookAt<'_>,
    exit: Exit,
    claim: Option<&Claimant>,
) -> Meaning {
    let was_closed = matches!(claim, Some(Claimant::Closed(_)));
    let lingers = passed(exit.at, look.waits.ghost, look.now);
    let mut meaning = Meaning::ended(exit.outcome);
    if was_closed || lingers {
        let ghosts = sighting.live().map(|job| AttemptOrder::Cancel(job.id.clone()));
        meaning.orders.extend(ghosts);
    }
    meaning
}

/// A job has the claim, and nothing says how it ended.
fn while_it_runs(sighting: &Sighting<'_>, look: &LookAt<'_>, job: &JobId) -> Meaning {
    let running = Meaning::open(StartClaim::Taken, QueueEvidence::Running);
    let seen = sighting.jobs.iter().find(|seen| seen.id == *job).map(|seen| &seen.state);
    if let Some(fenced) = &sighting.fenced {
        return while_fenced(running, fenced, look);
    }
    match (seen, look.scheduler) {
        (Some(JobState::Suspended), _) => running.remarking(Remark::Suspended(job.clone())),
        // Its first start has the claim: what was put back into the queue by force can do nothing.
        (Some(JobState::Held | JobState::Waiting | JobState::NeverSatisfied), _) => running
            .ordering(AttemptOrder::Cancel(job.clone()))
            .remarking(Remark::Requeued(job.clone())),
        (Some(JobState::Ended(end)), _) => {
            when_its_job_is_over(sighting, look, Some(*end), running)
        }
        (Some(_), _) | (None, SchedulerLook::Silent) => running,
        (None, SchedulerLook::Whole(_)) => when_its_job_is_over(sighting, look, None, running),
    }
}

/// The claiming job is over, as the scheduler says or because it shows it no more.
fn when_its_job_is_over(
    sighting: &Sighting<'_>,
    look: &LookAt<'_>,
    seen: Option<JobEnd>,
    running: Meaning,
) -> Meaning {
    let end = seen.filter(|end| *end != JobEnd::Unknown).or(sighting.accounted);
    let Some(since) = sighting.handed.over_since else {
        return running.ordering(AttemptOrder::NoteOver);
    };
    let waited = |wait| passed(since, wait, look.now);
    match verdict(sighting, end) {
        // The runner said itself that nothing is left of the command: only the reason is asked for.
        Verdict::Known(outcome, words) if sighting.terminated.is_some() => {
            running.ordering(AttemptOrder::Conclude(outcome, words))
        }
        Verdict::Known(outcome, words) | Verdict::OnlyTheSignal(outcome, words)
            if waited(look.waits.accounting_grace) =>
        {
            running.ordering(AttemptOrder::Conclude(outcome, words))
        }
        Verdict::Known(..) | Verdict::OnlyTheSignal(..) => running,
        Verdict::NotKnown(reason) if waited(look.waits.settle) => {
            running.ordering(AttemptOrder::Fence(reason)).remarking(Remark::Silent(reason))
        }
        Verdict::NotKnown(reason) => running.remarking(Remark::Silent(reason)),
    }
}

/// What can be said of a claimed attempt whose job is over.
enum Verdict {
    /// How it ended.
    Known(Outcome, String),
    /// Its runner was asked to end; by whom may still turn up.
    OnlyTheSignal(Outcome, String),
    /// Nothing: its machine may be gone, or may go on.
    NotKnown(StepReason),
}

fn verdict(sighting: &Sighting<'_>, end: Option<JobEnd>) -> Verdict {
    let by_us = |job: &JobId| sighting.was_cancelled_by_us(job);
    let failed = |reason, words: &str| {
        let outcome = Outcome::without_exit(StepStatus::Failed, reason);
        Verdict::Known(outcome, words.to_owned())
    };
    if sighting.stop_asked && end != Some(JobEnd::NodeFailure) && end.is_some() {
        return Verdict::Known(CANCELLED, "its job is over after the run was cancelled".to_owned());
    }
    if end == Some(JobEnd::Cancelled) && sighting.claiming_job().is_some_and(by_us) {
        return match sighting.terminated {
            Some(_) => {
                failed(StepReason::Preempted, "its job was put back into the queue by force")
            }
            None => Verdict::NotKnown(StepReason::Preempted),
        };
    }
    match end {
        Some(JobEnd::TimeLimit) => failed(StepReason::TimeLimit, "the scheduler's time limit"),
        Some(JobEnd::OutOfMemory) => {
            failed(StepReason::OutOfMemory, "the scheduler's memory limit")
        }
        Some(JobEnd::Preempted) => failed(StepReason::Preempted, "the scheduler preempted it"),
        Some(JobEnd::Cancelled | JobEnd::NeverSatisfied) => {
            failed(StepReason::CancelledBy, "somebody cancelled its job at the scheduler")
        }
        Some(JobEnd::Signalled(signal)) => Verdict::Known(signalled(signal), signal_words(signal)),
        Some(JobEnd::NodeFailure) => Verdict::NotKnown(StepReason::NodeFailure),
        Some(JobEnd::Completed | JobEnd::Exited(_) | JobEnd::CouldNotStart | JobEnd::Unknown)
        | None => match sighting.terminated {
            Some(signal) => Verdict::OnlyTheSignal(signalled(signal), signal_words(signal)),
            None => Verdict::NotKnown(StepReason::Lost),
        },
    }
}

fn signalled(signal: i32) -> Outcome {
    Outcome {
        signal: Some(signal),
        ..Outcome::without_exit(StepStatus::Failed, StepReason::Signal)
    }
}

fn signal_words(signal: i32) -> String {
    format!("its job was ended by signal {signal}")
}

/// Given up for lost: it is, once `alive` has kept one value for long.
fn while_fenced(running: Meaning, fenced: &Fenced, look: &LookAt<'_>) -> Meaning {
    let running = running.remarking(Remark::Silent(fenced.reason));
    let Some((last_at, last)) = fenced.readings.last() else {
        return running.ordering(AttemptOrder::Read);
    };
    let agreeing = fenced.readings.iter().rev().take_while(|(_, value)| value == last);
    let (count, first_at) = agreeing.fold((0, *last_at), |(count, _), (at, _)| (count + 1, *at));
    if count >= AGREEING_READINGS && passed(first_at, look.waits.silent, look.now) {
        let outcome = Outcome::without_exit(StepStatus::Lost, fenced.reason);
        let words = "its job is gone and it has long been silent; no result is known";
        return running.ordering(AttemptOrder::Conclude(outcome, words.to_owned()));
    }
    if passed(*last_at, look.waits.silent / 4, look.now) {
        return running.ordering(AttemptOrder::Read);
    }
    running
}

/// Nobody has the claim: its jobs, if any, wait, are about to claim, or are over.
fn before_it_starts(sighting: &Sighting<'_>, look: &LookAt<'_>) -> Meaning {
    let mut live = sighting.live().peekable();
    if live.peek().is_some() {
        return while_a_job_waits(live.collect(), sighting, look);
    }
    let Some(last_intent) = sighting.handed.last_intent else {
        return Meaning::open(StartClaim::None, QueueEvidence::Absent);
    };
    let doubt = Meaning::open(StartClaim::None, QueueEvidence::InDoubt);
    let SchedulerLook::Whole(_) = look.scheduler else { return doubt };
    // A person cancels what waits. A job that had a node already and began nothing was ended by the
    // scheduler itself, as when its number was another job's before a controller lost its memory.
    let by_somebody = sighting.jobs.iter().find(|job| {
        job.state == JobState::Ended(JobEnd::Cancelled)
            && job.node.is_none()
            && !sighting.was_cancelled_by_us(&job.id)
    });
    if let Some(job) = by_somebody {
        let words = format!("somebody cancelled its job {} at the scheduler", job.id);
        let outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CancelledBy);
        return doubt.ordering(AttemptOrder::Close(outcome, words));
    }
    let settled = passed(last_intent, look.waits.settle, look.now);
    let known_to_be_over = sighting.handed.refused.is_some() || !sighting.jobs.is_empty();
    if !settled && !known_to_be_over {
        return doubt;
    }
    let words = why_it_vanished(sighting);
    if sighting.handed.free_intents >= VANISHINGS {
        let outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CouldNotStart);
        return doubt.ordering(AttemptOrder::Close(outcome, words));
    }
    let again = Meaning::open(StartClaim::None, QueueEvidence::Absent);
    again.remarking(Remark::HandedOverAgain(words))
}

fn why_it_vanished(sighting: &Sighting<'_>) -> String {
    if let Some(words) = &sighting.handed.refused {
        return format!("the scheduler refused its job: {words}");
    }
    match (sighting.jobs.last(), &sighting.handed.doubted) {
        (Some(job), _) => format!("its job {} ended before the step began: {}", job.id, job.words),
        (None, Some(words)) => format!("the scheduler told no number of its job: {words}"),
        (None, None) => "the queue has no job of it, and the step has not begun".to_owned(),
    }
}

fn while_a_job_waits(live: Vec<&SeenJob>, sighting: &Sighting<'_>, look: &LookAt<'_>) -> Meaning {
    let runs = live.iter().any(|job| matches!(job.state, JobState::Running(_)));
    let queue = if runs { QueueEvidence::Running } else { QueueEvidence::Waiting };
    let mut meaning = Meaning::open(StartClaim::None, queue);
    for job in live {
        match &job.state {
            JobState::Held => {
                let released = sighting.handed.released.iter().rev().find(|(id, _)| *id == job.id);
                let scheduler = match look.scheduler {
                    SchedulerLook::Whole(started) => started,
                    SchedulerLook::Silent => None,
                };
                // A release that the scheduler forgot when it was restarted is said again.
                if released.is_some_and(|(_, before)| before.as_deref() == scheduler) {
                    meaning.remark = Some(Remark::HeldBySomebody(job.id.clone()));
                } else {
                    meaning.orders.push(AttemptOrder::Release(job.id.clone()));
                }
            }
            JobState::Stuck if sighting.handed.free_intents >= VANISHINGS => {
                let outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CouldNotStart);
                let words = format!("its job {} cannot start: {}", job.id, job.words);
                meaning.orders.push(AttemptOrder::Close(outcome, words));
            }
            JobState::Stuck | JobState::NeverSatisfied => {
                meaning.orders.push(AttemptOrder::Cancel(job.id.clone()));
            }
            JobState::Running(time) if *time >= look.waits.unclaimed => {
                let outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CouldNotStart);
                let words = format!(
                    "its job {} ran for {} s and never began the step",
                    job.id,
                    time.as_secs()
                );
                meaning.orders.push(AttemptOrder::Close(outcome, words));
            }
            JobState::Suspended => meaning.remark = Some(Remark::Suspended(job.id.clone())),
            JobState::Waiting => meaning.remark = Some(Remark::Waits(job.words.clone())),
            JobState::Running(_) | JobState::Ended(_) => {}
        }
    }
    meaning
}

impl<'look> Sighting<'look> {
    /// Tells whether a job still has to be cancelled: not where that was done a moment ago, as a
    /// scheduler takes its time.
    pub fn is_to_be_cancelled(&self, job: &JobId, look: &LookAt<'_>) -> bool {
        let lately = |at: Timestamp| !passed(at, look.waits.settle, look.now);
        !self.handed.cancelled.iter().any(|(id, at)| id == job && lately(*at))
    }

    fn was_cancelled_by_us(&self, job: &JobId) -> bool {
        self.handed.cancelled.iter().any(|(id, _)| id == job)
    }

    fn claiming_job(&self) -> Option<&JobId> {
        match &self.claim {
            Some(Claimant::Job(job)) => Some(job),
            Some(Claimant::Closed(_)) | None => None,
        }
    }

    fn live(&self) -> impl Iterator<Item = &'look SeenJob> + '_ {
        self.jobs.iter().copied().filter(|job| job.state.is_live())
    }
}

const CANCELLED: Outcome = Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy);

fn passed(since: Timestamp, wait: std::time::Duration, now: Timestamp) -> bool {
    u128::try_from(now.micros_since(since)).unwrap_or(0) >= wait.as_micros()
}

#[cfg(test)]
mod tests;
