//! What one call of actions may hold: so much that a launcher is never in the way of itself, and so
//! little that the others do not wait for it.

use niassa_api::claims::{Done, Placed, RunAction};
use niassa_api::error::ProblemCode;
use niassa_model::limits::{FACTS_PER_CALL, PLAN_STEPS};

use crate::error::Failed;
use crate::usecases::findings::Findings;

/// Most actions of one call.
const ACTIONS: usize = 10_000;
/// Most steps of one call, over all its actions: what launchers send at once.
const STEPS: usize = 4 * FACTS_PER_CALL;
/// Most attempts, verdicts and ids of one call, all together.
const OTHERS: usize = 10_000;
/// Hexadecimal digits of a SHA-256.
const SHA256_DIGITS: usize = 64;

/// Refuses a call that holds too much, or texts that are not what they should be.
pub(super) fn check(actions: &[RunAction]) -> Result<(), Failed> {
    check_size(actions)?;
    let mut findings = Findings::default();
    for action in actions {
        check_texts(&action.done, &mut findings);
    }
    findings.settle()
}

fn check_size(actions: &[RunAction]) -> Result<(), Failed> {
    at_most(ACTIONS, actions.len(), "actions of one call")?;
    let (mut steps, mut others) = (0, 0);
    for action in actions {
        match &action.done {
            Done::Steps(recorded) => {
                at_most(FACTS_PER_CALL, recorded.len(), "steps of one action")?;
                steps += recorded.len();
            }
            Done::Planned(plan) => at_most(PLAN_STEPS, plan.steps as usize, "steps of a plan")?,
            Done::Launched(launched) => others += launched.ids.len(),
            Done::Attempts(new) => others += new.attempts.len() + new.answered.len(),
            Done::Verdicts(verdicts) => others += verdicts.len(),
            Done::Placed(_) | Done::CouldNotPlan(_) | Done::Note(_) => {}
        }
    }
    at_most(STEPS, steps, "steps of one call")?;
    at_most(OTHERS, others, "attempts, verdicts and ids of one call")
}

fn at_most(most: usize, number: usize, what: &str) -> Result<(), Failed> {
    if number > most {
        let detail = format!("{number} {what}; there are at most {most}");
        return Err(Failed::new(ProblemCode::TooLarge, detail));
    }
    Ok(())
}

fn check_texts(done: &Done, findings: &mut Findings) {
    match done {
        Done::Placed(Placed { place, directory, launched_on }) => {
            findings.path("the work directory's id", &place.work_dir_id);
            findings.path("the OS user", &place.os_user);
            findings.path("the cluster", &place.cluster);
            findings.path("the directory", directory);
            findings.path("the machine", launched_on);
        }
        Done::Planned(plan) => {
            let sha256 = plan.sha256.as_bytes();
            if sha256.len() != SHA256_DIGITS || !sha256.iter().all(u8::is_ascii_hexdigit) {
                findings
                    .add(format!("the plan's SHA-256 is not {SHA256_DIGITS} hexadecimal digits"));
            }
        }
        Done::Steps(steps) => {
            for step in steps {
                findings.path("a step's name", &step.name);
            }
        }
        Done::Launched(launched) => {
            for id in &launched.ids {
                findings.path("an engine's id", &id.id);
            }
        }
        Done::Attempts(new) => {
            for id in &new.answered {
                findings.path("a retry request's id", id);
            }
        }
        Done::Verdicts(_) | Done::CouldNotPlan(_) | Done::Note(_) => {}
    }
}
