//! What to do with a run: plan, evidence and desire in, actions out.
//!
//! Launch, retry, recovery and cancel are all this one decision. It is pure: the launcher gathers
//! the evidence and carries the actions out, under a claim. Absence of evidence leads to a
//! submission of the same attempt, under the same key, or to closing it; never to a verdict.

use crate::plan::{Plan, PlannedStep};
use crate::resources::Resources;
use crate::run::facts::{Cause, EndedAttempt, further_attempt};
use crate::step::{AttemptNumber, Outcome, StepIndex, StepReason, StepStatus};

/// A run as its directory, its engine and the service show it.
#[derive(Debug, Clone)]
pub struct RunEvidence<'plan> {
    /// The plan, as stored in the run directory.
    pub plan: &'plan Plan,
    /// The attempts of each step, first to last; at the step's index. Empty where none was made.
    pub attempts: Vec<Vec<AttemptEvidence>>,
    /// What people want of the run.
    pub wish: Wish,
    /// Retry requests that no launcher has answered, oldest first.
    pub retries: Vec<String>,
}

/// What people want of a run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// That it goes on to its end.
    GoOn,
    /// That it stops.
    Stop,
}

/// What is known of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEvidence {
    /// Why it exists.
    pub cause: AttemptCause,
    /// Whether its user code was given permission to start.
    pub claim: StartClaim,
    /// How it ended, once it has.
    pub ended: Option<Outcome>,
    /// Where the engine has it.
    pub queue: QueueEvidence,
}

/// Why an attempt exists: kept in its `attempt.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptCause {
    /// It is the first.
    First,
    /// The step's policy.
    Policy,
    /// A person's request, by its id.
    Retry(String),
}

/// Whether an attempt's user code was given permission to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartClaim {
    /// Not as far as anybody knows.
    None,
    /// Yes: it runs, ran, or may have run.
    Taken,
}

/// Where the engine has an attempt, in one complete look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueEvidence {
    /// Nowhere; it was never handed over, or is over.
    Absent,
    /// It may have it: a cluster's queue does not show it, or did not answer.
    InDoubt,
    /// Handed over, not started.
    Waiting,
    /// Started.
    Running,
}

/// What to do, in the order of the plan. Everything may be done twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Attempts to hand to the engine; the new ones have to be made first.
    pub submit: Vec<Submission>,
    /// Attempts that must never start, with what they then come to.
    pub close: Vec<(StepIndex, AttemptNumber, Outcome)>,
    /// Attempts whose processes must end.
    pub stop: Vec<(StepIndex, AttemptNumber)>,
    /// Retry requests that are answered once the new attempts are recorded.
    pub answered: Vec<String>,
}

/// An attempt to hand to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The step.
    pub step: StepIndex,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// Why it exists.
    pub cause: AttemptCause,
    /// Whether it has to be made first.
    pub existence: Existence,
    /// What it may use.
    pub resources: Resources,
    /// Seconds to wait before it starts.
    pub backoff_seconds: u64,
    /// The attempts that must have succeeded before; parents with success are left out.
    pub after: Vec<(StepIndex, AttemptNumber)>,
}

/// Whether an attempt is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// Its directory exists.
    Made,
    /// It is decided here.
    New,
}

impl Decision {
    /// Tells whether nothing is to be done.
    pub fn is_nothing(&self) -> bool {
        self.submit.is_empty()
            && self.close.is_empty()
            && self.stop.is_empty()
            && self.answered.is_empty()
    }
}

/// Decides what to do with a run.
pub fn decide(run: &RunEvidence<'_>) -> Decision {
    let steps = run.plan.steps.len();
    let mut walk =
        Walk { run, prospects: Vec::with_capacity(steps), decision: Decision::default() };
    for (position, step) in run.plan.steps.iter().enumerate() {
        let index = StepIndex(u32::try_from(position).unwrap_or(u32::MAX));
        let attempts = run.attempts.get(position).map_or(&[][..], Vec::as_slice);
        let prospect = match run.wish {
            Wish::Stop => walk.stop(index, attempts),
            Wish::GoOn => walk.go_on(index, step, attempts),
        };
        walk.prospects.push(prospect);
    }
    if run.wish == Wish::GoOn {
        walk.decision.answered.clone_from(&run.retries);
    }
    walk.decision
}

/// The state of one walk over the plan: what was decided of the steps before.
struct Walk<'run> {
    run: &'run RunEvidence<'run>,
    prospects: Vec<Prospect>,
    decision: Decision,
}

/// What a step comes to after the decision, for the steps behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Prospect {
    /// It has succeeded.
    Succeeded,
    /// This attempt was on its way before.
    Open(AttemptNumber),
    /// This attempt was decided here, for this reason.
    Renewed(AttemptNumber, AttemptCause),
    /// It is over without success.
    Over,
}

/// What the steps before a step come to, taken together.
enum Parents {
    /// One is over without success.
    Over,
    /// One is tried again, for this reason; none is over.
    Renewed(AttemptCause),
    /// They have succeeded or are on their way.
    Hopeful,
}

/// A further attempt that was decided.
struct Further {
    cause: AttemptCause,
    resources: Resources,
    backoff_seconds: u64,
}

const SKIPPED: Outcome = Outcome::without_exit(StepStatus::Skipped, StepReason::ParentFailed);
const CANCELLED: Outcome = Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy);

impl Walk<'_> {
    /// Under a cancel nothing is made or handed over: what waits is closed, what runs is stopped.
    fn stop(&mut self, index: StepIndex, attempts: &[AttemptEvidence]) -> Prospect {
        let last = number(attempts.len().max(1));
        match attempts.last() {
            Some(AttemptEvidence { ended: Some(_), .. }) => {}
            Some(AttemptEvidence { claim: StartClaim::Taken, .. }) => {
                self.decision.stop.push((index, last));
            }
            Some(AttemptEvidence { claim: StartClaim::None, .. }) | None => {
                self.decision.close.push((index, last, CANCELLED));
            }
        }
        Prospect::Over
    }

    fn go_on(
        &mut self,
        index: StepIndex,
        step: &PlannedStep,
        attempts: &[AttemptEvidence],
    ) -> Prospect {
        let current = number(attempts.len());
        let parents = self.parents(step);
        match (attempts.last().map(|last| (last, last.ended)), parents) {
            (Some((_, Some(outcome))), _) if outcome.status == StepStatus::Success => {
                Prospect::Succeeded
            }
            (Some((_, Some(_))), Parents::Over) => Prospect::Over,
            (Some((_, Some(outcome))), parents) => {
                match self.further(step, attempts, outcome, &parents) {
                    Some(further) => self.submit(index, step, current.next(), further),
                    None => Prospect::Over,
                }
            }
            (Some((last, None)), _) if last.claim == StartClaim::Taken => Prospect::Open(current),
            (_, Parents::Over) => {
                self.decision.close.push((index, current.max(AttemptNumber::FIRST), SKIPPED));
                Prospect::Over
            }
            (None, _) => self.submit(index, step, AttemptNumber::FIRST, Further::first(step)),
            (Some((last, None)), Parents::Renewed(cause))
                if last.queue == QueueEvidence::Waiting =>
            {
                // It waits for an attempt that failed; the engine will close it, if it has not yet.
                self.decision.close.push((index, current, SKIPPED));
                self.submit(index, step, current.next(), Further::because(cause, step))
            }
            (Some((last, None)), _) => match last.queue {
                QueueEvidence::InDoubt | QueueEvidence::Waiting | QueueEvidence::Running => {
                    Prospect::Open(current)
                }
                QueueEvidence::Absent => self.submit_again(index, step, attempts),
            },
        }
    }

    fn parents(&self, step: &PlannedStep) -> Parents {
        let mut together = Parents::Hopeful;
        for parent in &step.after {
            match &self.prospects[parent.as_usize()] {
                Prospect::Over => return Parents::Over,
                Prospect::Renewed(_, cause) => together = Parents::Renewed(cause.clone()),
                Prospect::Succeeded | Prospect::Open(_) => {}
            }
        }
        together
    }

    /// Whether a step that ended without success gets another attempt, and why.
    fn further(
        &self,
        step: &PlannedStep,
        attempts: &[AttemptEvidence],
        last: Outcome,
        parents: &Parents,
    ) -> Option<Further> {
        let made_for = |id: &String| {
            attempts.iter().any(|a| matches!(&a.cause, AttemptCause::Retry(known) if known == id))
        };
        if let Some(id) = self.run.retries.iter().rev().find(|id| !made_for(id)) {
            return Some(Further::because(AttemptCause::Retry(id.clone()), step));
        }
        if last.reason == Some(StepReason::ParentFailed) {
            // It was never tried; it follows its parents, for the reason they are tried again.
            return Some(match parents {
                Parents::Renewed(cause) => Further::because(cause.clone(), step),
                Parents::Hopeful | Parents::Over => Further::because(AttemptCause::Policy, step),
            });
        }
        let further = further_attempt(&step.retry, step.resources, &ended(attempts))?;
        Some(Further {
            cause: AttemptCause::Policy,
            resources: further.resources,
            backoff_seconds: further.backoff_seconds,
        })
    }

    /// Hands over an attempt that exists and that the engine does not have.
    fn submit_again(
        &mut self,
        index: StepIndex,
        step: &PlannedStep,
        attempts: &[AttemptEvidence],
    ) -> Prospect {
        let (last, before) = attempts.split_last().expect("called with the attempt to submit");
        let by_policy = further_attempt(&step.retry, step.resources, &ended(before));
        let resources = match last.cause {
            AttemptCause::Policy => by_policy.map_or(step.resources, |further| further.resources),
            AttemptCause::First | AttemptCause::Retry(_) => step.resources,
        };
        let after = self.attempts_before(step);
        self.decision.submit.push(Submission {
            step: index,
            attempt: number(attempts.len()),
            cause: last.cause.clone(),
            existence: Existence::Made,
            resources,
            backoff_seconds: 0,
            after,
        });
        Prospect::Open(number(attempts.len()))
    }

    fn submit(
        &mut self,
        index: StepIndex,
        step: &PlannedStep,
        attempt: AttemptNumber,
        further: Further,
    ) -> Prospect {
        let after = self.attempts_before(step);
        self.decision.submit.push(Submission {
            step: index,
            attempt,
            cause: further.cause.clone(),
            existence: Existence::New,
            resources: further.resources,
            backoff_seconds: further.backoff_seconds,
            after,
        });
        Prospect::Renewed(attempt, further.cause)
    }

    /// The attempts that must succeed before; parents with success are left out.
    fn attempts_before(&self, step: &PlannedStep) -> Vec<(StepIndex, AttemptNumber)> {
        let open = step.after.iter().filter_map(|parent| match self.prospects[parent.as_usize()] {
            Prospect::Open(number) | Prospect::Renewed(number, _) => Some((*parent, number)),
            Prospect::Succeeded | Prospect::Over => None,
        });
        open.collect()
    }
}

impl Further {
    fn first(step: &PlannedStep) -> Self {
        Self::because(AttemptCause::First, step)
    }

    /// With what the plan says; nobody but a policy grants more.
    fn because(cause: AttemptCause, step: &PlannedStep) -> Self {
        Self { cause, resources: step.resources, backoff_seconds: 0 }
    }
}

fn number(count: usize) -> AttemptNumber {
    AttemptNumber(u32::try_from(count).unwrap_or(u32::MAX))
}

fn ended(attempts: &[AttemptEvidence]) -> Vec<EndedAttempt> {
    let ended = attempts.iter().filter_map(|attempt| {
        attempt.ended.map(|outcome| EndedAttempt {
            cause: match attempt.cause {
                AttemptCause::First | AttemptCause::Policy => Cause::Ordinary,
                AttemptCause::Retry(_) => Cause::Request,
            },
            status: outcome.status,
            reason: outcome.reason,
        })
    });
    ended.collect()
}

#[cfg(test)]
mod tests;
