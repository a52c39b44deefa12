//! What the holders of claims did: fenced by holder and epoch, in order, many runs per call.

pub(crate) mod attempts;
pub(crate) mod steps;

use std::collections::BTreeMap;

use niassa_model::accession::Accession;
use niassa_model::account::LaunchHosts;
use niassa_model::place::Place;
use niassa_model::plan::RetryPolicy;
use niassa_model::resources::Resources;
use niassa_model::run::RunEvent;
use niassa_model::step::{AttemptNumber, StepIndex, StepReason, StepStatus};
use niassa_model::time::Timestamp;

use crate::claims::{Held, is_held};
use crate::desires::answer_all;
use crate::error::Result;
use crate::pool::{commit, now_in, retrying};
use crate::run_state::{self, Loading, RunState, StoredPlace, assess};
use crate::{Access, MetaDb};

/// One thing done to one run under a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The claim it was done under.
    pub held: Held,
    /// What was done.
    pub done: Done,
}

/// What can be done to a run under a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It has a place and a directory; the first one recorded stays.
    Placed {
        /// The place.
        place: Place,
        /// The run directory's absolute path.
        directory: String,
        /// The machine the launcher ran on.
        launched_on: String,
    },
    /// Its plan is stored in the run directory; the first one recorded stays.
    Planned {
        /// SHA-256 of `plan.json`.
        sha256: String,
        /// How many steps it has.
        steps: u32,
    },
    /// Steps of its plan; those that are recorded already keep their accession.
    Steps(Vec<NewStep>),
    /// Everything due was handed to the engine, with its ids where they differ from the keys.
    Launched(Vec<EngineId>),
    /// Attempts after the first, and the retry requests they answer.
    Attempts {
        /// The requests; none where a policy made the attempts.
        answered: Vec<String>,
        /// The attempts.
        attempts: Vec<NewAttempt>,
    },
    /// Verdicts on steps that were never handed over.
    Verdicts(Vec<Verdict>),
    /// It cannot be planned or prepared: it fails.
    CouldNotPlan {
        /// Why, as a word.
        reason: StepReason,
        /// What, where and why, for people.
        detail: String,
    },
    /// Something people should know; empty removes it.
    Note(String),
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStep {
    /// Its place in the plan.
    pub index: StepIndex,
    /// Its name in the manifest.
    pub name: String,
    /// Which element of a `foreach` it is.
    pub element: Option<u32>,
    /// What it waits for.
    pub after: Vec<StepIndex>,
    /// What it asks for.
    pub resources: Resources,
    /// When it is tried again without a person.
    pub retry: RetryPolicy,
}

/// The engine's id of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineId {
    /// The step.
    pub step: StepIndex,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// The id.
    pub id: String,
}

/// One further attempt of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewAttempt {
    /// The step.
    pub step: StepIndex,
    /// Its new attempt.
    pub attempt: AttemptNumber,
    /// What the attempt may use.
    pub resources: Resources,
}

/// What is decided of a step that was never handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The step.
    pub step: StepIndex,
    /// `skipped` or `cancelled`.
    pub status: StepStatus,
    /// Why.
    pub reason: StepReason,
}

/// What is said to one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionAnswer {
    /// Whether to go on.
    pub word: Word,
    /// For [`Done::Steps`]: the accession of each, in the order given.
    pub accessions: Vec<Accession>,
}

/// Whether the holder of a claim goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It does.
    Go,
    /// It was recorded, but somebody asked to cancel: nothing is released.
    Cancel,
    /// It was not recorded: the claim is not this holder's any more, or the run is over.
    Stale,
}

impl MetaDb {
    /// Records what the holder of claims did. Answers in the order given.
    pub async fn record_actions(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        holder: &str,
        actions: &[Action],
    ) -> Result<Vec<ActionAnswer>> {
        retrying(|| self.record_actions_once(access, hosts, holder, actions)).await
    }

    async fn record_actions_once(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        holder: &str,
        actions: &[Action],
    ) -> Result<Vec<ActionAnswer>> {
        const OPERATION: &str = "record actions";
        let dialect = self.dialect();
        let mut transaction = self.begin_by_keys(OPERATION).await?;
        let now = now_in(&mut transaction, OPERATION).await?;
        let named = actions.iter().map(|action| action.held.swid);
        let mut runs = run_state::load(
            &mut transaction,
            dialect,
            access,
            Loading::Launchable,
            named,
            OPERATION,
        )
        .await?;
        runs.retain(|run| run_state::is_of(run, hosts));
        let mut recorded = record(access, holder, &mut runs, actions, now);
        let swids = steps::write(&mut transaction, now, &runs, &recorded.steps, OPERATION).await?;
        attempts::write(&mut transaction, now, &mut runs, &recorded, OPERATION).await?;
        answer_all(&mut transaction, now, recorded.failed.iter().copied(), OPERATION).await?;
        assess(&mut transaction, &mut runs, &access.email, OPERATION).await?;
        run_state::store(&mut transaction, dialect, now, &runs, OPERATION).await?;
        commit(transaction, OPERATION).await?;
        for (position, swid, indexes) in &recorded.answers_with_steps {
            let known = indexes.iter().filter_map(|index| swids.get(&(*swid, *index)).copied());
            recorded.answers[*position].accessions = known.collect();
        }
        Ok(recorded.answers)
    }
}

/// What a call asks to be written, beside the rows of the runs.
#[derive(Default)]
pub(crate) struct Recorded<'action> {
    answers: Vec<ActionAnswer>,
    answers_with_steps: Vec<(usize, Accession, Vec<StepIndex>)>,
    pub(crate) steps: Vec<(Accession, &'action NewStep)>,
    pub(crate) ids: Vec<(Accession, &'action EngineId)>,
    pub(crate) attempts: Vec<(Accession, String, &'action NewAttempt)>,
    pub(crate) answered: Vec<(Accession, &'action str)>,
    pub(crate) verdicts: Vec<(Accession, &'action Verdict)>,
    failed: Vec<Accession>,
}

fn record<'action>(
    access: &Access,
    holder: &str,
    runs: &mut [RunState],
    actions: &'action [Action],
    now: i64,
) -> Recorded<'action> {
    let mut recorded = Recorded::default();
    let mut by_swid: BTreeMap<Accession, &mut RunState> =
        runs.iter_mut().map(|run| (run.swid, run)).collect();
    for action in actions {
        let run = by_swid.get_mut(&action.held.swid);
        let run = run.filter(|run| is_held(run, holder, action.held) && run.status.is_active());
        let run = run.filter(|run| fits_plan(run, &action.done));
        let Some(run) = run else {
            recorded.answers.push(ActionAnswer { word: Word::Stale, accessions: Vec::new() });
            continue;
        };
        let word = if run.cancel_requested.is_some() { Word::Cancel } else { Word::Go };
        run.seen_at = Some(Timestamp::from_micros(now));
        run.claim.offered_after = 0;
        // A run that only has a word about it is offered again at once, but behind the others.
        if !matches!(action.done, Done::Note(_)) {
            run.claim.without_record = 0;
        }
        recorded.take(access, run, &action.done);
        recorded.answers.push(ActionAnswer { word, accessions: Vec::new() });
    }
    recorded
}

impl<'action> Recorded<'action> {
    fn take(&mut self, access: &Access, run: &mut RunState, done: &'action Done) {
        match done {
            Done::Placed { place, directory, launched_on } => {
                run.place.get_or_insert_with(|| StoredPlace {
                    key: place.key(),
                    json: serde_json::json!(place).to_string(),
                    directory: directory.clone(),
                    launched_on: launched_on.clone(),
                });
            }
            Done::Planned { sha256, steps } => plan(run, sha256, *steps),
            Done::Steps(steps) => {
                let indexes = steps.iter().map(|step| step.index).collect();
                self.answers_with_steps.push((self.answers.len(), run.swid, indexes));
                self.steps.extend(steps.iter().map(|step| (run.swid, step)));
            }
            Done::Launched(ids) => {
                self.ids.extend(ids.iter().map(|id| (run.swid, id)));
                run.note = None;
                let detail = run.place.as_ref().map(|p| format!("from {}", p.launched_on));
                run.happened(RunEvent::Launched, &access.email, detail);
            }
            Done::Attempts { answered, attempts } => self.attempts(run, answered, attempts),
            Done::Verdicts(verdicts) => {
                self.verdicts.extend(verdicts.iter().map(|verdict| (run.swid, verdict)));
            }
            Done::CouldNotPlan { reason, detail } => self.fail(access, run, *reason, detail),
            Done::Note(note) if note.is_empty() => run.note = None,
            Done::Note(note) => run.noted(note, &access.email),
        }
    }

    fn attempts(
        &mut self,
        run: &mut RunState,
        answered: &'action [String],
        attempts: &'action [NewAttempt],
    ) {
        let cause = match answered.last() {
            Some(id) => format!("retry:{id}"),
            None => "policy".to_owned(),
        };
        self.attempts.extend(attempts.iter().map(|new| (run.swid, cause.clone(), new)));
        self.answered.extend(answered.iter().map(|id| (run.swid, id.as_str())));
    }

    /// A run that cannot be planned is over, whatever was asked of it meanwhile.
    fn fail(&mut self, access: &Access, run: &mut RunState, reason: StepReason, detail: &str) {
        run.failure = Some(detail.to_owned());
        run.note = Some(detail.to_owned());
        run.unanswered = 0;
        self.failed.push(run.swid);
        let evidence = format!("{reason}: {detail}");
        let event = match run.cancel_requested {
            Some(_) => RunEvent::Cancelled,
            None => RunEvent::Failed,
        };
        run.happened(event, &access.email, Some(evidence));
    }
}

/// Steps beyond the recorded plan are not steps of this run.
fn fits_plan(run: &RunState, done: &Done) -> bool {
    match done {
        Done::Steps(steps) => steps.iter().all(|step| i64::from(step.index.0) < run.steps.total),
        Done::Placed { .. }
        | Done::Planned { .. }
        | Done::Launched(_)
        | Done::Attempts { .. }
        | Done::Verdicts(_)
        | Done::CouldNotPlan { .. }
        | Done::Note(_) => true,
    }
}

/// Until its steps are recorded, a plan's steps count as not started.
fn plan(run: &mut RunState, sha256: &str, steps: u32) {
    if run.plan_sha256.is_none() {
        run.plan_sha256 = Some(sha256.to_owned());
        run.steps.total = i64::from(steps);
        run.steps.pending = i64::from(steps);
    }
}
