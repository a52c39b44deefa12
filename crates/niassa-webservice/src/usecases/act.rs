//! Records what the holders of claims did.

use niassa_api::claims::{self, ActionAnswers, RecordActions, RunAction, StepRecord};
use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_metadb::actions::{Action, Done, EngineId, NewAttempt, NewStep, Verdict, Word};
use niassa_metadb::claims::Held;
use niassa_model::account::LaunchHosts;
use niassa_model::limits::{FACTS_PER_CALL, PLAN_STEPS};

use super::claim::check_holder;
use crate::app::App;
use crate::error::Failed;

/// Most actions of one call.
const ACTIONS_PER_CALL: usize = 10_000;

/// Records the actions of one call.
pub(crate) async fn actions(
    app: &App,
    access: &Access,
    hosts: &LaunchHosts,
    request: RecordActions,
) -> Result<ActionAnswers, Failed> {
    check_holder(&request.holder)?;
    check_size(&request.actions)?;
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

fn check_size(actions: &[RunAction]) -> Result<(), Failed> {
    let too_large = |detail: String| Err(Failed::new(ProblemCode::TooLarge, detail));
    if actions.len() > ACTIONS_PER_CALL {
        return too_large(format!(
            "{} actions; one call takes {ACTIONS_PER_CALL}",
            actions.len()
        ));
    }
    for action in actions {
        match &action.done {
            claims::Done::Steps(steps) if steps.len() > FACTS_PER_CALL => {
                return too_large(format!(
                    "{} steps; one action takes {FACTS_PER_CALL}",
                    steps.len()
                ));
            }
            claims::Done::Planned(plan) if plan.steps as usize > PLAN_STEPS => {
                return too_large(format!("{} steps; a plan has {PLAN_STEPS}", plan.steps));
            }
            claims::Done::Placed(_)
            | claims::Done::Planned(_)
            | claims::Done::Steps(_)
            | claims::Done::Launched(_)
            | claims::Done::Attempts(_)
            | claims::Done::Verdicts(_)
            | claims::Done::CouldNotPlan(_)
            | claims::Done::Note(_) => {}
        }
    }
    Ok(())
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
            let id = |id: claims::EngineId| EngineId {
                step: id.step,
                attempt: id.attempt,
                id: id.id,
            };
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
            Done::CouldNotPlan { reason: why.reason, detail: why.detail }
        }
        claims::Done::Note(note) => Done::Note(note),
    }
}

fn step(step: StepRecord) -> NewStep {
    NewStep {
        index: step.index,
        name: step.name,
        element: step.element,
        after: step.after,
        resources: step.resources,
        retry: step.retry,
    }
}
