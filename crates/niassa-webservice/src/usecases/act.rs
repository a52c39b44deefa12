//! Records what the holders of claims did.

mod check;

use niassa_api::claims::{self, ActionAnswers, RecordActions, RunAction, StepRecord};
use niassa_metadb::Access;
use niassa_metadb::actions::{Action, Done, EngineId, NewAttempt, NewStep, Verdict, Word};
use niassa_metadb::claims::Held;
use niassa_model::account::LaunchHosts;

use super::claim::check_holder;
use super::shortened::{NOTE_BYTES, shortened};
use crate::app::App;
use crate::error::Failed;

/// Records the actions of one call.
pub(crate) async fn actions(
    app: &App,
    access: &Access,
    hosts: &LaunchHosts,
    request: RecordActions,
) -> Result<ActionAnswers, Failed> {
    check_holder(&request.holder)?;
    check::check(&request.actions)?;
    let actions: Vec<Action> = request.actions.into_iter().map(action).collect();
    let answers = app.metadb.record_actions(access, hosts, &request.holder, &actions).await?;
    let answer = |answer: niassa_metadb::actions::ActionAnswer| claims::ActionAnswer {
        word: match answer.word {
            Word::Go => claims::Word::Go,
            Word::Cancel => claims::Word::Cancel,
            Word::Stale => claims::Word::Stale,
        },
        accessions: answer.accessions,
    };
    Ok(ActionAnswers { answers: answers.into_iter().map(answer).collect() })
}

fn action(action: RunAction) -> Action {
    Action { held: Held { swid: action.swid, epoch: action.epoch }, done: done(action.done) }
}

fn done(done: claims::Done) -> Done {
    match done {
        claims::Done::Placed(placed) => Done::Placed {
            place: placed.place,
            directory: placed.directory,
            launched_on: placed.launched_on,
        },
        claims::Done::Planned(plan) => Done::Planned { sha256: plan.sha256, steps: plan.steps },
        claims::Done::Steps(steps) => Done::Steps(steps.into_iter().map(step).collect()),
        claims::Done::Launched(launched) => {
            let id =
                |id: claims::EngineId| EngineId { step: id.step, attempt: id.attempt, id: id.id };
            Done::Launched(launched.ids.into_iter().map(id).collect())
        }
        claims::Done::Attempts(new) => {
            let attempt = |new: claims::NewAttempt| NewAttempt {
                step: new.step,
                attempt: new.attempt,
                resources: new.resources,
            };
            let attempts = new.attempts.into_iter().map(attempt).collect();
            Done::Attempts { answered: new.answered, attempts }
        }
        claims::Done::Verdicts(verdicts) => {
            let verdict = |verdict: claims::Verdict| Verdict {
                step: verdict.step,
                status: verdict.status,
                reason: verdict.reason,
            };
            Done::Verdicts(verdicts.into_iter().map(verdict).collect())
        }
        claims::Done::CouldNotPlan(why) => {
            Done::CouldNotPlan { reason: why.reason, detail: shortened(why.detail, NOTE_BYTES) }
        }
        claims::Done::Note(note) => Done::Note(shortened(note, NOTE_BYTES)),
    }
}

pub(super) fn step(step: StepRecord) -> NewStep {
    NewStep {
        index: step.index,
        name: step.name,
        element: step.element,
        after: step.after,
        resources: step.resources,
        retry: step.retry,
    }
}
