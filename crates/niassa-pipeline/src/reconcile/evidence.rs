//! From evidence to a decision, and from a decision to orders, on the local engine.
//!
//! Evidence is gathered for a whole batch of runs at once: one pass over the supervisor's inbox and its
//! journals, and then what the runs' own directories keep of ended attempts.

use std::collections::{HashMap, HashSet};

use niassa_api::claims::{Desire, NewAttempt, NewAttempts};
use niassa_model::accession::Accession;
use niassa_model::limits::FACTS_PER_CALL;
use niassa_model::plan::Plan;
use niassa_model::run::RunTag;
use niassa_model::run::reconcile::{
    AttemptCause, AttemptEvidence, Decision, Existence, QueueEvidence, RunEvidence, StartClaim,
    Submission, Wish, decide,
};
use niassa_model::step::{AttemptKey, AttemptNumber, StepIndex};
use niassa_model::time::Timestamp;

use super::prepare::NotPrepared;
use crate::engine::local::journal::Evidence;
use crate::engine::local::{
    LocalError, LocalHome, Order, Provisioning, Start, archive, inbox, journal,
};
use crate::place::Linked;
use crate::run_dir::{RunDir, RunDirError};

/// A run whose directory and plan are at hand.
#[derive(Debug, Clone)]
pub(crate) struct OpenRun {
    pub(crate) swid: Accession,
    pub(crate) tag: RunTag,
    /// The id under which logs find it.
    pub(crate) trace: Option<String>,
    pub(crate) dir: RunDir,
    pub(crate) plan: Plan,
}

/// What the engine knows, in one look, of the attempts of a batch of runs.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    journal: HashMap<AttemptKey, Evidence>,
    waiting: HashSet<AttemptKey>,
    /// Runs of which it cannot be told now what has ended, with the reason.
    unread: HashMap<Accession, String>,
}

impl Snapshot {
    /// Looks at everything.
    pub(crate) fn take(
        home: &LocalHome,
        wanted: &HashSet<(Accession, RunTag)>,
    ) -> Result<Self, LocalError> {
        let mut snapshot = Self::without_archives(home, wanted)?;
        snapshot.add_archives(home, wanted.iter());
        Ok(snapshot)
    }

    /// Looks at everything of runs that have no open attempt, and for open ones of the others: these need
    /// no archive, which may be long.
    pub(crate) fn to_compare(
        home: &LocalHome,
        wanted: &HashSet<(Accession, RunTag)>,
    ) -> Result<Self, LocalError> {
        let mut snapshot = Self::without_archives(home, wanted)?;
        let open = snapshot.runs_with_open_attempts();
        let idle = wanted.iter().filter(|(run, _)| !open.contains(run));
        snapshot.add_archives(home, idle);
        Ok(snapshot)
    }

    fn add_archives<'runs>(
        &mut self,
        home: &LocalHome,
        runs: impl Iterator<Item = &'runs (Accession, RunTag)>,
    ) {
        let unread = archive::add(home, runs, &mut self.journal).into_iter();
        self.unread = unread.map(|unread| (unread.run, crate::chain(&unread.error))).collect();
    }

    /// The inbox first: an order that leaves it in between is found in the journal, not nowhere. In the
    /// same way an end that leaves the journals is found in the directory of its run.
    fn without_archives(
        home: &LocalHome,
        wanted: &HashSet<(Accession, RunTag)>,
    ) -> Result<Self, LocalError> {
        if wanted.is_empty() {
            return Ok(Self::default());
        }
        let of_these = |key: &AttemptKey| wanted.contains(&(key.run, key.tag.clone()));
        let waiting = inbox::pending(home)?.into_iter().filter(of_these).collect();
        let journal = journal::scan(home, of_these)?;
        Ok(Self { journal, waiting, unread: HashMap::new() })
    }

    /// Returns the runs of which it cannot be told now what has ended, with the reason.
    pub(crate) fn unread(&self) -> &HashMap<Accession, String> {
        &self.unread
    }

    /// Returns the runs of which an attempt waits or runs.
    pub(crate) fn runs_with_open_attempts(&self) -> HashSet<Accession> {
        let running = self.journal.iter().filter(|(_, evidence)| evidence.outcome().is_none());
        self.waiting.iter().chain(running.map(|(key, _)| key)).map(|key| key.run).collect()
    }

    /// Returns everything that is known of some attempts, as news to record.
    pub(crate) fn news(
        self,
        of_these: impl Fn(&AttemptKey) -> bool,
    ) -> Vec<(AttemptKey, Evidence)> {
        self.journal.into_iter().filter(|(key, _)| of_these(key)).collect()
    }

    /// Tells whether the engine has an order to start an attempt: in its inbox, or taken up.
    fn waits(&self, key: &AttemptKey, known: Option<&Evidence>) -> bool {
        self.waiting.contains(key) || known.is_some_and(Evidence::is_ordered)
    }

    fn attempt(&self, key: &AttemptKey, cause: AttemptCause) -> AttemptEvidence {
        let known = self.journal.get(key);
        let ended = known.and_then(Evidence::outcome);
        let claim = match known {
            Some(evidence) if evidence.is_granted() => StartClaim::Taken,
            Some(_) | None => StartClaim::None,
        };
        let queue = match (ended, claim) {
            (None, StartClaim::Taken) => QueueEvidence::Running,
            (None, StartClaim::None) if self.waits(key, known) => QueueEvidence::Waiting,
            (Some(_), _) | (None, StartClaim::None) => QueueEvidence::Absent,
        };
        AttemptEvidence { cause, claim, ended, queue }
    }
}

/// Decides what to do with a run. Nothing is decided where it is not known what has ended: an attempt
/// that seemed absent would be ordered again.
pub(super) fn decide_run(
    run: &OpenRun,
    directory: Linked,
    snapshot: &Snapshot,
    desire: Desire,
    retries: &[String],
) -> Result<Decision, NotPrepared> {
    if let Some(why) = snapshot.unread.get(&run.swid) {
        return Err(NotPrepared::NotNow(format!("what has ended of it is not known: {why}")));
    }
    let mut attempts = Vec::with_capacity(run.plan.steps.len());
    for (position, step) in run.plan.steps.iter().enumerate() {
        let index = index_of(position);
        let causes = match directory {
            // What was made now has the first attempts and nothing else.
            Linked::Now => vec![AttemptCause::First],
            Linked::Before => run.dir.attempts(index, step)?,
        };
        let mut number = AttemptNumber::FIRST;
        let evidence = causes.into_iter().map(|cause| {
            let evidence = snapshot.attempt(&run.key(index, number), cause);
            number = number.next();
            evidence
        });
        attempts.push(evidence.collect());
    }
    let wish = match desire {
        Desire::Cancel => Wish::Stop,
        Desire::Launch | Desire::Retry => Wish::GoOn,
    };
    let evidence = RunEvidence { plan: &run.plan, attempts, wish, retries: retries.to_vec() };
    Ok(decide(&evidence))
}

/// Makes the attempts that a decision asks for.
pub(crate) fn make_attempts(run: &OpenRun, decision: &Decision) -> Result<(), RunDirError> {
    for submission in &decision.submit {
        if submission.existence == Existence::New {
            let step = &run.plan.steps[submission.step.as_usize()];
            run.dir.make_attempt(submission.step, step, submission.attempt, &submission.cause)?;
        }
    }
    Ok(())
}

/// Returns what the service has to know before the orders are delivered: attempts after the first,
/// in records of a bounded size. Each names the requests it answers, as the cause of its attempts.
pub(crate) fn new_attempts(decision: &Decision) -> Vec<NewAttempts> {
    let later =
        decision.submit.iter().filter(|submission| submission.attempt != AttemptNumber::FIRST);
    let attempts: Vec<NewAttempt> = later
        .map(|submission| NewAttempt {
            step: submission.step,
            attempt: submission.attempt,
            resources: submission.resources,
        })
        .collect();
    let record = |attempts: &[NewAttempt]| NewAttempts {
        answered: decision.answered.clone(),
        attempts: attempts.to_vec(),
    };
    if attempts.is_empty() && !decision.answered.is_empty() {
        return vec![record(&[])];
    }
    attempts.chunks(FACTS_PER_CALL).map(record).collect()
}

/// Returns the supervisor's orders for a decision. `accessions` are those of the steps, in order.
pub(crate) fn orders(
    run: &OpenRun,
    decision: &Decision,
    accessions: &[Accession],
    now: Timestamp,
) -> Vec<Order> {
    let mut orders = Vec::new();
    for (step, attempt, outcome) in &decision.close {
        orders.push(Order::Close { key: run.key(*step, *attempt), outcome: *outcome });
    }
    for (step, attempt) in &decision.stop {
        orders.push(Order::Stop { key: run.key(*step, *attempt) });
    }
    for submission in &decision.submit {
        orders.push(start(run, submission, accessions, now));
    }
    orders
}

fn start(
    run: &OpenRun,
    submission: &Submission,
    accessions: &[Accession],
    now: Timestamp,
) -> Order {
    let step = &run.plan.steps[submission.step.as_usize()];
    let key = run.key(submission.step, submission.attempt);
    let wait = i64::try_from(submission.backoff_seconds).unwrap_or(i64::MAX);
    Order::Start(Start {
        attempt_dir: run.dir.attempt(&key, step),
        key,
        resources: submission.resources,
        after: submission.after.iter().map(|(step, number)| run.key(*step, *number)).collect(),
        processing: accessions.get(submission.step.as_usize()).copied(),
        trace: run.trace.clone(),
        provisioning: if step.outputs.is_empty() {
            Provisioning::Nothing
        } else {
            Provisioning::Outputs
        },
        not_before: (wait > 0).then(|| {
            Timestamp::from_micros(now.as_micros().saturating_add(wait.saturating_mul(1_000_000)))
        }),
    })
}

impl OpenRun {
    /// Returns the key of an attempt of this run.
    pub(crate) fn key(&self, step: StepIndex, attempt: AttemptNumber) -> AttemptKey {
        AttemptKey { run: self.swid, tag: self.tag.clone(), step, attempt }
    }
}

pub(crate) fn index_of(position: usize) -> StepIndex {
    StepIndex(u32::try_from(position).unwrap_or(u32::MAX))
}
