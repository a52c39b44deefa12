//! What follows from facts: of an attempt for its step, and of the steps for their run.
//!
//! Facts of an attempt only rise, from pending to running to one final word; whatever comes later
//! or twice changes nothing. The service alone makes events of a run from them, here.

use std::collections::BTreeSet;

use crate::limits::LOST_ATTEMPTS;
use crate::plan::RetryPolicy;
use crate::resources::Resources;
use crate::run::RunEvent;
use crate::step::{StepIndex, StepReason, StepStatus};

/// What to do with a fact, given what is known of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// It says more than was known: status and details are taken.
    Raise,
    /// It repeats the status: details that were missing are filled in.
    Repeat,
    /// It says less, or something else after a final word: it is ignored.
    Ignore,
}

/// Compares a fact with what is known of the attempt; `None` when nothing is.
pub fn taking(known: Option<StepStatus>, fact: StepStatus) -> Taking {
    let Some(known) = known else { return Taking::Raise };
    if fact.rank() > known.rank() {
        Taking::Raise
    } else if fact == known {
        Taking::Repeat
    } else {
        Taking::Ignore
    }
}

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It is the step's first, or its policy made it.
    Ordinary,
    /// A person asked: what the policy allows is counted from here again.
    Request,
}

/// An attempt that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedAttempt {
    /// Why it was made.
    pub cause: Cause,
    /// How it ended.
    pub status: StepStatus,
    /// Why it ended so, unless it succeeded.
    pub reason: Option<StepReason>,
}

/// A further attempt that a step's policy allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FurtherAttempt {
    /// What it may use.
    pub resources: Resources,
    /// How long it waits before it starts, in seconds.
    pub backoff_seconds: u64,
}

/// Tells whether a step's policy allows a further attempt after these, oldest first, all ended.
///
/// Attempts whose user code never started behind a failed parent, and up to two that were lost to
/// machines, do not count against the policy; a policy of zero never makes one.
pub fn further_attempt(
    policy: &RetryPolicy,
    asked: Resources,
    attempts: &[EndedAttempt],
) -> Option<FurtherAttempt> {
    let last = attempts.last()?;
    let reason = last.reason?;
    if policy.is_never() || last.status == StepStatus::Success || !policy.covers(reason) {
        return None;
    }
    let since = attempts.iter().rposition(|a| a.cause == Cause::Request).unwrap_or(0);
    let counted = counted(&attempts[since..]);
    (counted <= policy.max).then(|| FurtherAttempt {
        resources: policy.resources_after(asked, counted),
        backoff_seconds: backoff(policy.backoff_seconds, counted),
    })
}

fn counted(attempts: &[EndedAttempt]) -> u32 {
    let mut lost = 0;
    let mut counted = 0;
    for attempt in attempts {
        match attempt.reason {
            Some(StepReason::ParentFailed | StepReason::Duplicate) => {}
            Some(StepReason::NodeFailure | StepReason::Preempted | StepReason::Lost)
                if lost < LOST_ATTEMPTS =>
            {
                lost += 1;
            }
            Some(_) | None => counted += 1,
        }
    }
    counted
}

/// Doubled before each attempt after the second, never more than a day.
fn backoff(first: u32, counted: u32) -> u64 {
    let doublings = counted.saturating_sub(1).min(20);
    (u64::from(first) << doublings).min(86_400)
}

/// How many steps of a run stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepTally {
    /// Steps of the plan; 0 before it is planned.
    pub total: u32,
    /// Not started.
    pub pending: u32,
    /// Running.
    pub running: u32,
    /// Ended with success.
    pub success: u32,
    /// Stopped, or never started, by a cancel.
    pub cancelled: u32,
}

impl StepTally {
    /// Tells whether every step of a planned run is final.
    pub fn is_final(&self) -> bool {
        self.total > 0 && self.pending == 0 && self.running == 0
    }
}

/// What people want of a run, and have not got yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenDesires {
    /// Whether a cancel was requested since the last retry.
    pub cancel: CancelDesire,
    /// Whether a retry request is not answered by attempts yet.
    pub retry: RetryDesire,
}

/// Whether somebody asked to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelDesire {
    /// Nobody did.
    None,
    /// Somebody did.
    Requested,
}

/// Whether a retry request waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDesire {
    /// None waits.
    None,
    /// One waits.
    Unanswered,
}

/// Whether a step without success may still get an attempt from its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Every failure is settled.
    Settled,
    /// Some step's policy allows a further attempt.
    FurtherAttempts,
}

/// A step without success, as far as its further attempts are concerned.
#[derive(Debug, Clone)]
pub struct UnsuccessfulStep<'step> {
    /// The step.
    pub index: StepIndex,
    /// What it waits for.
    pub after: &'step [StepIndex],
    /// When it is tried again without a person.
    pub policy: &'step RetryPolicy,
    /// What it asks for.
    pub asked: Resources,
    /// Its attempts, oldest first, all ended.
    pub attempts: &'step [EndedAttempt],
    /// Why it ended, from its last attempt or from a verdict.
    pub reason: Option<StepReason>,
}

/// Tells whether one of these steps may still get an attempt without a person: by its policy, or
/// because it was skipped and every step before it has a future again.
///
/// Takes the final steps without success, in the order of the plan.
pub fn outlook<'step>(steps: impl IntoIterator<Item = UnsuccessfulStep<'step>>) -> Outlook {
    let mut over = BTreeSet::new();
    for step in steps {
        if step.after.iter().any(|parent| over.contains(parent)) {
            over.insert(step.index);
            continue;
        }
        let follows_its_parents = step.reason == Some(StepReason::ParentFailed);
        if follows_its_parents || further_attempt(step.policy, step.asked, step.attempts).is_some()
        {
            return Outlook::FurtherAttempts;
        }
        over.insert(step.index);
    }
    Outlook::Settled
}

/// What is to be made of a run after facts were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assessment {
    /// The event that follows, beside `Started`.
    pub event: Option<RunEvent>,
    /// Whether the holder of a claim has something to do.
    pub work: Work,
}

/// Whether a run goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It does, or is over.
    None,
    /// Somebody has to claim it and act.
    Waiting,
}

/// Makes of steps and desires what a run comes to. A run that ended stays as it is: call this for
/// active runs only.
///
/// A run ends only when every step is final, no retry request is unanswered and no policy allows
/// another attempt; so an old failure cannot fail a retry.
pub fn assess(tally: StepTally, desires: OpenDesires, outlook: Outlook) -> Assessment {
    let waiting = Assessment { event: None, work: Work::Waiting };
    let over = |event| Assessment { event: Some(event), work: Work::None };
    if tally.is_final() && tally.success == tally.total {
        return over(RunEvent::Succeeded);
    }
    if desires.retry == RetryDesire::Unanswered {
        return waiting;
    }
    match (tally.is_final(), desires.cancel, outlook) {
        (true, CancelDesire::Requested, _) if tally.cancelled > 0 => over(RunEvent::Cancelled),
        (true, CancelDesire::Requested, _) | (true, _, Outlook::Settled) => over(RunEvent::Failed),
        (true, CancelDesire::None, Outlook::FurtherAttempts)
        | (false, CancelDesire::Requested, _)
        | (false, _, Outlook::FurtherAttempts) => waiting,
        (false, CancelDesire::None, Outlook::Settled) => {
            Assessment { event: None, work: Work::None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(reason: StepReason) -> EndedAttempt {
        EndedAttempt { cause: Cause::Ordinary, status: StepStatus::Failed, reason: Some(reason) }
    }

    fn policy(max: u32) -> RetryPolicy {
        RetryPolicy { max, memory_percent: 200, backoff_seconds: 10, ..RetryPolicy::NEVER }
    }

    #[test]
    fn facts_only_rise() {
        for known in StepStatus::ALL {
            for fact in StepStatus::ALL {
                let taking = taking(Some(known), fact);
                assert_eq!(taking == Taking::Raise, fact.rank() > known.rank());
                assert_eq!(taking == Taking::Repeat, fact == known);
                if known.is_final() {
                    assert_ne!(taking, Taking::Raise, "{known} then {fact}");
                }
            }
        }
        assert_eq!(taking(None, StepStatus::Pending), Taking::Raise);
    }

    #[test]
    fn a_policy_makes_as_many_attempts_as_it_says() {
        let asked = Resources { threads: 1, memory_bytes: Some(1_000), seconds: None };
        let mut attempts = Vec::new();
        for expected in [Some((2_000, 10)), Some((4_000, 20)), None] {
            attempts.push(ended(StepReason::OutOfMemory));
            let further = further_attempt(&policy(2), asked, &attempts);
            let got = further.map(|f| (f.resources.memory_bytes.unwrap(), f.backoff_seconds));
            assert_eq!(got, expected, "after {} attempts", attempts.len());
        }
        assert_eq!(further_attempt(&RetryPolicy::NEVER, asked, &attempts), None);
    }

    #[test]
    fn two_lost_attempts_are_free_and_no_more() {
        let asked = Resources::default();
        let mut attempts = Vec::new();
        let mut made = 0;
        loop {
            attempts.push(ended(StepReason::NodeFailure));
            if further_attempt(&policy(1), asked, &attempts).is_none() {
                break;
            }
            made += 1;
            assert!(made < 20, "attempts without end");
        }
        assert_eq!(made, 3);
    }

    #[test]
    fn a_request_counts_afresh_and_reasons_bound() {
        let asked = Resources::default();
        let mut attempts = vec![ended(StepReason::ExitCode), ended(StepReason::ExitCode)];
        assert_eq!(further_attempt(&policy(1), asked, &attempts), None);
        attempts.push(EndedAttempt { cause: Cause::Request, ..ended(StepReason::ExitCode) });
        assert!(further_attempt(&policy(1), asked, &attempts).is_some());
        let only_memory = RetryPolicy { on: vec![StepReason::OutOfMemory], ..policy(3) };
        assert_eq!(further_attempt(&only_memory, asked, &attempts), None);
    }

    #[test]
    fn a_skipped_step_is_settled_only_behind_a_settled_failure() {
        let (never, once) = (policy(0), policy(1));
        let failure = [ended(StepReason::ExitCode)];
        let failed = |policy| UnsuccessfulStep {
            index: StepIndex(0),
            after: &[],
            policy,
            asked: Resources::default(),
            attempts: &failure,
            reason: Some(StepReason::ExitCode),
        };
        let skipped = UnsuccessfulStep {
            index: StepIndex(1),
            after: &[StepIndex(0)],
            policy: &never,
            asked: Resources::default(),
            attempts: &[],
            reason: Some(StepReason::ParentFailed),
        };
        assert_eq!(outlook([failed(&never), skipped.clone()]), Outlook::Settled);
        assert_eq!(outlook([failed(&once), skipped.clone()]), Outlook::FurtherAttempts);
        assert_eq!(outlook([skipped]), Outlook::FurtherAttempts, "its parent has succeeded since");
    }

    #[test]
    fn a_run_ends_only_when_nothing_is_open() {
        let tally = |total, pending, running, success, cancelled| StepTally {
            total,
            pending,
            running,
            success,
            cancelled,
        };
        let desires = |cancel, retry| OpenDesires { cancel, retry };
        let nothing = desires(CancelDesire::None, RetryDesire::None);
        let cancel = desires(CancelDesire::Requested, RetryDesire::None);
        let retry = desires(CancelDesire::None, RetryDesire::Unanswered);
        let check = |tally, desires, outlook, event, work| {
            assert_eq!(assess(tally, desires, outlook), Assessment { event, work });
        };
        check(tally(0, 0, 0, 0, 0), nothing, Outlook::Settled, None, Work::None);
        check(tally(3, 1, 1, 1, 0), nothing, Outlook::Settled, None, Work::None);
        check(tally(3, 0, 0, 3, 0), retry, Outlook::Settled, Some(RunEvent::Succeeded), Work::None);
        check(
            tally(3, 0, 0, 3, 0),
            cancel,
            Outlook::Settled,
            Some(RunEvent::Succeeded),
            Work::None,
        );
        check(tally(3, 0, 0, 2, 0), nothing, Outlook::Settled, Some(RunEvent::Failed), Work::None);
        check(tally(3, 0, 0, 2, 0), retry, Outlook::Settled, None, Work::Waiting);
        check(tally(3, 0, 0, 2, 0), nothing, Outlook::FurtherAttempts, None, Work::Waiting);
        check(tally(3, 1, 0, 2, 0), cancel, Outlook::Settled, None, Work::Waiting);
        let cancelled = Some(RunEvent::Cancelled);
        check(tally(3, 0, 0, 2, 1), cancel, Outlook::FurtherAttempts, cancelled, Work::None);
        check(tally(3, 0, 0, 2, 0), cancel, Outlook::Settled, Some(RunEvent::Failed), Work::None);
    }
}
