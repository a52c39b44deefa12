//! Recording what was prepared, and handing to the engine what the service agrees to.

use std::path::Path;

use niassa_api::claims::{
    ActionAnswer, Claim, ClaimState, Desire, Done, HeldClaims, Launched, Placed, Planned,
    RecordActions, RunAction, StepRecord, Word,
};
use niassa_api::client::ClientError;
use niassa_model::accession::Accession;
use niassa_model::limits::FACTS_PER_CALL;
use niassa_model::place::Place;
use niassa_model::plan::{Plan, PlannedStep};
use niassa_model::run::RunStatus;
use niassa_model::run::reconcile::Decision;
use niassa_model::time::Timestamp;

use super::evidence::{OpenRun, index_of, new_attempts, orders};
use super::{Listener, PipelineError, Reconciler, action, blocking, held};
use crate::engine::local::{LocalHome, Order, client};
use crate::place::machine;

/// Steps that one call records at most, over all runs of a batch.
const STEPS_PER_CALL: usize = 4 * FACTS_PER_CALL;

/// A run, as far as the service has to hear of it before anything is handed over.
pub(super) struct HandOver<'run> {
    pub(super) claim: &'run Claim,
    pub(super) run: &'run OpenRun,
    pub(super) plan_sha256: &'run str,
    pub(super) decision: &'run Decision,
    pub(super) accessions: &'run [Accession],
}

/// A run whose orders are known and wait for the service's word.
pub(super) struct Ready {
    pub(super) claim: Claim,
    pub(super) run: OpenRun,
    pub(super) plan_sha256: String,
    pub(super) decision: Decision,
    /// The processing accession of each step; empty until the service has told them.
    pub(super) accessions: Vec<Accession>,
}

impl Reconciler {
    /// Records what was prepared; what the service agrees to goes to the supervisor.
    pub(super) async fn hand_over(
        &self,
        mut ready: Vec<Ready>,
        on: Listener<'_>,
    ) -> Result<Vec<Accession>, PipelineError> {
        let mut words = vec![Word::Go; ready.len()];
        let mut actions = Vec::new();
        let mut unrecorded = Vec::new();
        for (position, run) in ready.iter().enumerate() {
            let done = run.records(&self.place);
            if done.is_empty() && !run.decision.is_nothing() {
                unrecorded.push(position);
            }
            actions.extend(done.into_iter().map(|done| (position, action(&run.claim, done))));
        }
        for (position, answer) in self.record(actions).await? {
            words[position] = stricter(words[position], answer.word);
            ready[position].accessions.extend(answer.accessions);
        }
        crate::failpoint::reach("launcher.agreed");
        let claims: Vec<&Claim> = unrecorded.iter().map(|at| &ready[*at].claim).collect();
        let stale = self.stale(&claims).await?;
        for (position, is_stale) in unrecorded.into_iter().zip(stale) {
            if is_stale {
                words[position] = Word::Stale;
            }
        }
        let stale = ready.iter().zip(&words).filter(|(_, word)| **word == Word::Stale);
        self.tell_withdrawn(stale.map(|(run, _)| run.claim.swid).collect(), on).await;
        let may_act = |run: &Ready, word: Word| match run.claim.desire {
            // Closing and stopping is what a cancelled run is claimed for.
            Desire::Cancel => word != Word::Stale,
            Desire::Launch | Desire::Retry => word == Word::Go,
        };
        let ready: Vec<Ready> = ready
            .into_iter()
            .zip(words)
            .filter_map(|(run, word)| may_act(&run, word).then_some(run))
            .collect();
        for run in &ready {
            tell(&run.claim);
        }
        let handed_over = ready.iter().map(|run| run.claim.swid).collect();
        let (home, executable) = (self.home.clone(), self.settings.executable.clone());
        let now = self.clock.now();
        blocking(move || deliver(&home, &executable, &ready, now)).await??;
        Ok(handed_over)
    }

    /// Records actions in as few calls as their size allows, and pairs the answers with their runs.
    pub(super) async fn record(
        &self,
        actions: Vec<(usize, RunAction)>,
    ) -> Result<Vec<(usize, ActionAnswer)>, ClientError> {
        let mut answers = Vec::with_capacity(actions.len());
        for call in into_calls(actions) {
            let (positions, actions): (Vec<usize>, Vec<RunAction>) = call.into_iter().unzip();
            let request = RecordActions { holder: self.holder.clone(), actions };
            let answered = self.client.record_actions(&request).await?;
            answers.extend(positions.into_iter().zip(answered.answers));
        }
        Ok(answers)
    }

    /// Runs with nothing to record still need to be ours: closing and stopping is fenced, too. Tells for
    /// each claim whether it counts no more.
    pub(super) async fn stale(&self, claims: &[&Claim]) -> Result<Vec<bool>, ClientError> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let runs = claims.iter().map(|claim| held(claim)).collect();
        let request = HeldClaims { holder: self.holder.clone(), runs };
        let states = self.client.renew_claims(&request).await?.states;
        Ok(states.into_iter().map(|state| state == ClaimState::Stale).collect())
    }
}

impl HandOver<'_> {
    /// What the service has to know of a run before anything of it is handed over.
    pub(super) fn records(&self, place: &Place) -> Vec<Done> {
        let mut records = Vec::new();
        if self.claim.place.is_none() {
            records.push(Done::Placed(Placed {
                place: place.clone(),
                directory: self.run.dir.path().display().to_string(),
                launched_on: machine(),
            }));
        }
        if self.claim.plan_sha256.is_none() {
            let steps = u32::try_from(self.run.plan.steps.len()).unwrap_or(u32::MAX);
            records.push(Done::Planned(Planned { sha256: self.plan_sha256.to_owned(), steps }));
        }
        if self.accessions.is_empty() {
            let steps = step_records(&self.run.plan);
            records.extend(steps.chunks(FACTS_PER_CALL).map(|steps| Done::Steps(steps.to_vec())));
        }
        records.extend(new_attempts(self.decision).into_iter().map(Done::Attempts));
        records
    }
}

impl Ready {
    /// What the service has to know of a run before its orders are delivered. Its word on the launch is
    /// the permission.
    fn records(&self, place: &Place) -> Vec<Done> {
        let hand_over = HandOver {
            claim: &self.claim,
            run: &self.run,
            plan_sha256: &self.plan_sha256,
            decision: &self.decision,
            accessions: &self.accessions,
        };
        let mut records = hand_over.records(place);
        let submitted =
            matches!(self.claim.status, RunStatus::Submitted | RunStatus::SubmittedRetry);
        if submitted || !self.decision.submit.is_empty() {
            records.push(Done::Launched(Launched::default()));
        }
        records
    }
}

/// Splits actions into calls of a bounded number of steps, in order.
fn into_calls(actions: Vec<(usize, RunAction)>) -> Vec<Vec<(usize, RunAction)>> {
    let mut calls: Vec<Vec<(usize, RunAction)>> = Vec::new();
    let mut room = 0;
    for (position, action) in actions {
        let size = match &action.done {
            Done::Steps(steps) => steps.len(),
            Done::Attempts(attempts) => attempts.attempts.len(),
            Done::Launched(launched) => launched.ids.len().max(1),
            Done::Placed(_)
            | Done::Planned(_)
            | Done::Verdicts(_)
            | Done::CouldNotPlan(_)
            | Done::Note(_) => 1,
        };
        if calls.is_empty() || size > room {
            calls.push(Vec::new());
            room = STEPS_PER_CALL;
        }
        room = room.saturating_sub(size);
        if let Some(call) = calls.last_mut() {
            call.push((position, action));
        }
    }
    calls
}

/// Tells the launcher's log that a run is handed over, under the id that the service's log has.
pub(super) fn tell(claim: &Claim) {
    let (run, trace) = (claim.swid.get(), claim.trace.as_deref());
    tracing::info!(run, account = claim.account, trace, "a run is handed to its engine");
}

/// Writes one inbox file for the whole batch and sees that a supervisor reads it.
fn deliver(
    home: &LocalHome,
    executable: &Path,
    ready: &[Ready],
    now: Timestamp,
) -> Result<(), PipelineError> {
    let mut all: Vec<Order> = Vec::new();
    for run in ready {
        run.run.dir.store_accessions(&run.accessions)?;
        all.extend(orders(&run.run, &run.decision, &run.accessions, now));
    }
    if !all.is_empty() {
        crate::failpoint::reach("launcher.kept");
        client::deliver(home, &all)?;
        crate::failpoint::reach("launcher.delivered");
        client::ensure_supervisor(home, executable)?;
    }
    Ok(())
}

pub(crate) fn step_records(plan: &Plan) -> Vec<StepRecord> {
    let record = |(position, step): (usize, &PlannedStep)| StepRecord {
        index: index_of(position),
        name: step.name.to_string(),
        element: step.element,
        after: step.after.clone(),
        resources: step.resources,
        retry: step.retry.clone(),
    };
    plan.steps.iter().enumerate().map(record).collect()
}

/// Returns the word that allows less.
pub(super) fn stricter(one: Word, other: Word) -> Word {
    match (one, other) {
        (Word::Stale, _) | (_, Word::Stale) => Word::Stale,
        (Word::Cancel, _) | (_, Word::Cancel) => Word::Cancel,
        (Word::Go, Word::Go) => Word::Go,
    }
}

#[cfg(test)]
mod tests {
    use niassa_api::claims::EngineId;
    use niassa_model::step::{AttemptNumber, StepIndex};

    use super::*;

    #[test]
    fn no_call_names_more_than_the_service_takes() {
        let id = EngineId { step: StepIndex(0), attempt: AttemptNumber::FIRST, id: "1".into() };
        let launched = |_| Done::Launched(Launched { ids: vec![id.clone(); FACTS_PER_CALL] });
        let action = |done| RunAction { swid: 7.try_into().unwrap(), epoch: 1, done };
        let actions: Vec<_> = (0..50).map(launched).map(action).enumerate().collect();
        let calls = into_calls(actions);
        let ids = |call: &Vec<(usize, RunAction)>| call.len() * FACTS_PER_CALL;
        assert!(calls.iter().all(|call| ids(call) <= STEPS_PER_CALL));
        assert_eq!(calls.iter().map(Vec::len).sum::<usize>(), 50);
    }
}
