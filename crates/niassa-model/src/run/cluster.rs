//! What to do with a run on a cluster: the decision of every run, made from what one look means for each
//! attempt, and cut to what can be handed over now.

use crate::plan::Plan;
use crate::run::reconcile::{
    AttemptCause, AttemptEvidence, Decision, RunEvidence, Submission, Wish, decide,
};
use crate::run::sighting::{AttemptOrder, LookAt, Meaning, Remark, Sighting, meaning};
use crate::step::{AttemptNumber, StepIndex};

/// A run as its directory, its cluster and the service show it.
#[derive(Debug, Clone)]
pub struct ClusterRun<'run> {
    /// The plan, as stored in the run directory.
    pub plan: &'run Plan,
    /// Why each attempt of each step exists, and what is known of it.
    pub attempts: Vec<Vec<(AttemptCause, Sighting<'run>)>>,
    /// What people want of the run.
    pub wish: Wish,
    /// Retry requests that no launcher has answered, oldest first.
    pub retries: Vec<String>,
}

/// What to do with a run on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterDecision {
    /// What follows from plan, ends and wishes. What it hands over may have to wait for its turn:
    /// [`next_wave`].
    pub decision: Decision,
    /// What to do about single attempts.
    pub orders: Vec<(StepIndex, AttemptNumber, AttemptOrder)>,
    /// What people should know.
    pub remarks: Vec<(StepIndex, Remark)>,
}

/// Decides what to do with a run on a cluster.
pub fn decide_cluster(run: &ClusterRun<'_>, look: &LookAt<'_>) -> ClusterDecision {
    let mut decided = ClusterDecision::default();
    let mut attempts = Vec::with_capacity(run.attempts.len());
    for (position, of_step) in run.attempts.iter().enumerate() {
        let step = StepIndex(u32::try_from(position).unwrap_or(u32::MAX));
        let mut evidence = Vec::with_capacity(of_step.len());
        for (before, (cause, sighting)) in of_step.iter().enumerate() {
            let Meaning { claim, ended, queue, orders, remark } = meaning(sighting, look);
            let number = AttemptNumber(u32::try_from(before + 1).unwrap_or(u32::MAX));
            let orders = orders.into_iter().filter(|order| fits(order, run.wish));
            decided.orders.extend(orders.map(|order| (step, number, order)));
            decided.remarks.extend(remark.map(|remark| (step, remark)));
            evidence.push(AttemptEvidence { cause: cause.clone(), claim, ended, queue });
        }
        attempts.push(evidence);
    }
    let (wish, retries) = (run.wish, run.retries.clone());
    decided.decision = decide(&RunEvidence { plan: run.plan, attempts, wish, retries });
    decided.drop_repeated_stops(run, look);
    decided
}

/// Nothing is let go under a cancel.
fn fits(order: &AttemptOrder, wish: Wish) -> bool {
    match order {
        AttemptOrder::Release(_) => wish == Wish::GoOn,
        AttemptOrder::Cancel(_)
        | AttemptOrder::Close(..)
        | AttemptOrder::Conclude(..)
        | AttemptOrder::NoteOver
        | AttemptOrder::Fence(_)
        | AttemptOrder::Read => true,
    }
}

impl ClusterDecision {
    /// A step that was told to stop has heard it where the queue shows its job no more; else its job is
    /// cancelled again, in time.
    fn drop_repeated_stops(&mut self, run: &ClusterRun<'_>, look: &LookAt<'_>) {
        self.decision.stop.retain(|(step, number)| {
            let known = run
                .attempts
                .get(step.as_usize())
                .and_then(|attempts| attempts.get((number.0 as usize).saturating_sub(1)));
            known.is_none_or(|(_, sighting)| {
                !sighting.stop_asked
                    || sighting.jobs.iter().any(|job| {
                        job.state.is_live() && sighting.is_to_be_cancelled(&job.id, look)
                    })
            })
        });
    }

    /// Tells whether the holder of a claim has something to do now, given what is due.
    pub fn needs_claim(&self, due: usize) -> bool {
        due > 0
            || !self.orders.is_empty()
            || !self.decision.close.is_empty()
            || !self.decision.stop.is_empty()
            || !self.decision.answered.is_empty()
    }
}

/// Whether a step before can be named to the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentJob {
    /// Its job was seen in the last look and lives, or was acknowledged since.
    Seen,
    /// It was not: whoever waits for it is handed over later.
    NotSeen,
}

/// Returns what can be handed over now, by position: submissions all of whose parents have a job that
/// was seen or acknowledged, at most `room`, and none with more than `parents` of them.
pub fn next_wave(
    submissions: &[Submission],
    room: usize,
    parents: usize,
    job_of: impl Fn(StepIndex, AttemptNumber) -> ParentJob,
) -> Vec<usize> {
    let due = submissions.iter().enumerate().filter(|(_, submission)| {
        let seen =
            |(step, number): &(StepIndex, AttemptNumber)| job_of(*step, *number) == ParentJob::Seen;
        submission.after.len() <= parents && submission.after.iter().all(seen)
    });
    due.map(|(position, _)| position).take(room).collect()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod simulation;
