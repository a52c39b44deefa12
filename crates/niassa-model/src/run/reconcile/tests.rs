//! The decision on single situations, and a simulated engine that must always come to an end.

use proptest::prelude::*;

use super::*;
use crate::plan::RetryPolicy;
use crate::step::StepName;

fn step(after: &[u32], max: u32) -> PlannedStep {
    PlannedStep {
        name: StepName::try_from("s".to_owned()).unwrap(),
        element: None,
        after: after.iter().map(|index| StepIndex(*index)).collect(),
        command: "true".into(),
        resources: Resources::default(),
        outputs: Vec::new(),
        retry: RetryPolicy { max, ..RetryPolicy::NEVER },
    }
}

fn plan(steps: Vec<PlannedStep>) -> Plan {
    Plan {
        format: 1,
        workflow: "w".into(),
        version: "1".into(),
        inputs: Vec::new(),
        output_folder: None,
        steps,
    }
}

fn evidence(plan: &Plan, attempts: Vec<Vec<AttemptEvidence>>) -> RunEvidence<'_> {
    RunEvidence { plan, attempts, wish: Wish::GoOn, retries: Vec::new() }
}

fn waiting() -> AttemptEvidence {
    AttemptEvidence {
        cause: AttemptCause::First,
        claim: StartClaim::None,
        ended: None,
        queue: QueueEvidence::Waiting,
    }
}

fn over(status: StepStatus, reason: StepReason) -> AttemptEvidence {
    let ended = Some(Outcome::without_exit(status, reason));
    AttemptEvidence { claim: StartClaim::Taken, queue: QueueEvidence::Absent, ended, ..waiting() }
}

fn failed() -> AttemptEvidence {
    over(StepStatus::Failed, StepReason::ExitCode)
}

fn skipped() -> AttemptEvidence {
    over(StepStatus::Skipped, StepReason::ParentFailed)
}

fn succeeded() -> AttemptEvidence {
    AttemptEvidence { ended: Some(Outcome::SUCCESS), ..failed() }
}

/// A step, its attempt, and what it waits for.
type Submitted = (u32, u32, Vec<(u32, u32)>);

fn submitted(decision: &Decision) -> Vec<Submitted> {
    let row = |s: &Submission| {
        (s.step.0, s.attempt.0, s.after.iter().map(|(step, number)| (step.0, number.0)).collect())
    };
    decision.submit.iter().map(row).collect()
}

#[test]
fn everything_is_handed_over_with_its_dependencies() {
    let plan = plan(vec![step(&[], 0), step(&[0], 0), step(&[0, 1], 0)]);
    let decision = decide(&evidence(&plan, vec![]));
    let expected = vec![(0, 1, vec![]), (1, 1, vec![(0, 1)]), (2, 1, vec![(0, 1), (1, 1)])];
    assert_eq!(submitted(&decision), expected);
}

#[test]
fn what_the_engine_has_is_left_alone_and_the_rest_is_handed_over_again() {
    let plan = plan(vec![step(&[], 0), step(&[0], 0), step(&[1], 0)]);
    let absent = AttemptEvidence { queue: QueueEvidence::Absent, ..waiting() };
    let decision = decide(&evidence(&plan, vec![vec![succeeded()], vec![waiting()], vec![absent]]));
    assert_eq!(submitted(&decision), vec![(2, 1, vec![(1, 1)])]);
    assert_eq!(decision.submit[0].existence, Existence::Made);
}

#[test]
fn a_retry_repeats_what_failed_and_what_is_behind_it() {
    let plan = plan(vec![step(&[], 0), step(&[0], 0), step(&[1], 0)]);
    let attempts = vec![vec![succeeded()], vec![failed()], vec![skipped()]];
    let mut run = evidence(&plan, attempts);
    assert!(decide(&run).is_nothing(), "a failure without a policy stays");
    run.retries = vec!["r1".into()];
    let decision = decide(&run);
    assert_eq!(submitted(&decision), vec![(1, 2, vec![]), (2, 2, vec![(1, 2)])]);
    assert_eq!(decision.answered, ["r1"]);
    let cause = AttemptCause::Retry("r1".into());
    assert!(decision.submit.iter().all(|s| s.cause == cause));
    // Killed after the attempts were made and before they were recorded: no second ones.
    let made = AttemptEvidence { cause, queue: QueueEvidence::Absent, ..waiting() };
    run.attempts[1].push(made.clone());
    run.attempts[2].push(made);
    assert_eq!(submitted(&decide(&run)), vec![(1, 2, vec![]), (2, 2, vec![(1, 2)])]);
}

#[test]
fn a_policy_repeats_the_step_and_what_waited_for_it() {
    let plan = plan(vec![step(&[], 1), step(&[0], 0)]);
    let decision = decide(&evidence(&plan, vec![vec![failed()], vec![skipped()]]));
    assert_eq!(submitted(&decision), vec![(0, 2, vec![]), (1, 2, vec![(0, 2)])]);
    // The dependent may not be closed yet: it is closed here, and follows all the same.
    let decision = decide(&evidence(&plan, vec![vec![failed()], vec![waiting()]]));
    assert_eq!(submitted(&decision), vec![(0, 2, vec![]), (1, 2, vec![(0, 2)])]);
    assert_eq!(decision.close.len(), 1);
}

#[test]
fn a_cancel_closes_what_waits_and_stops_what_runs() {
    let plan = plan(vec![step(&[], 3), step(&[], 3), step(&[], 3), step(&[0], 0)]);
    let running = AttemptEvidence { claim: StartClaim::Taken, ..waiting() };
    let mut run = evidence(&plan, vec![vec![failed()], vec![running], vec![waiting()], vec![]]);
    run.wish = Wish::Stop;
    run.retries = vec!["r".into()];
    let decision = decide(&run);
    assert!(decision.submit.is_empty() && decision.answered.is_empty());
    assert_eq!(decision.stop, vec![(StepIndex(1), AttemptNumber(1))]);
    assert_eq!(decision.close.iter().map(|(s, ..)| s.0).collect::<Vec<_>>(), vec![2, 3]);
}

#[test]
fn nothing_behind_a_final_failure_is_handed_over() {
    let plan = plan(vec![step(&[], 0), step(&[0], 5)]);
    let absent = AttemptEvidence { queue: QueueEvidence::Absent, ..waiting() };
    let decision = decide(&evidence(&plan, vec![vec![failed()], vec![absent]]));
    assert!(decision.submit.is_empty());
    assert_eq!(decision.close, vec![(StepIndex(1), AttemptNumber(1), SKIPPED)]);
}

/// A plan of some steps, each behind some of the earlier ones.
fn any_plan() -> impl Strategy<Value = Plan> {
    proptest::collection::vec((any::<u16>(), 0_u32..3), 1..9).prop_map(|steps| {
        let make = |(position, (mask, max)): (usize, (u16, u32))| {
            let after: Vec<u32> = (0..position)
                .filter(|bit| mask >> bit & 1 == 1)
                .map(|bit| u32::try_from(bit).unwrap())
                .collect();
            step(&after, max)
        };
        plan(steps.into_iter().enumerate().map(make).collect())
    })
}

/// One engine for the simulation: it starts what it may, and ends it as the dice say.
struct Simulation<'plan> {
    run: RunEvidence<'plan>,
    after: Vec<Vec<(StepIndex, AttemptNumber)>>,
    starts: Vec<Vec<u32>>,
}

impl Simulation<'_> {
    fn apply(&mut self, decision: &Decision) {
        for (step, attempt, outcome) in &decision.close {
            let attempts = &mut self.run.attempts[step.as_usize()];
            if attempts.is_empty() {
                attempts.push(waiting());
            }
            let closed = &mut attempts[attempt.0 as usize - 1];
            if closed.claim == StartClaim::None && closed.ended.is_none() {
                closed.ended = Some(*outcome);
                closed.queue = QueueEvidence::Absent;
            }
        }
        for submission in &decision.submit {
            let attempts = &mut self.run.attempts[submission.step.as_usize()];
            if attempts.len() < submission.attempt.0 as usize {
                attempts.push(AttemptEvidence { cause: submission.cause.clone(), ..waiting() });
                self.starts[submission.step.as_usize()].push(0);
            }
            attempts.last_mut().unwrap().queue = QueueEvidence::Waiting;
            self.after[submission.step.as_usize()].clone_from(&submission.after);
        }
    }

    fn engine(&mut self, dice: u8) {
        for index in 0..self.run.attempts.len() {
            let Some(last) = self.run.attempts[index].last() else { continue };
            if last.ended.is_some() || last.queue != QueueEvidence::Waiting {
                continue;
            }
            let outcome_of = |(step, number): &(StepIndex, AttemptNumber)| {
                self.run.attempts[step.as_usize()][number.0 as usize - 1].ended
            };
            let parents: Vec<Option<Outcome>> = self.after[index].iter().map(outcome_of).collect();
            let position = self.run.attempts[index].len() - 1;
            if parents.iter().flatten().any(|o| o.status != StepStatus::Success) {
                self.run.attempts[index][position] =
                    AttemptEvidence { cause: last.cause.clone(), ..skipped() };
            } else if parents.iter().all(Option::is_some) {
                self.starts[index][position] += 1;
                let cause = last.cause.clone();
                let end = if (dice >> (index % 8)) & 1 == 1 { succeeded() } else { failed() };
                self.run.attempts[index][position] = AttemptEvidence { cause, ..end };
            }
        }
    }
}

proptest! {
    /// Whatever fails, the walk comes to rest, no attempt starts twice, policies bound the
    /// attempts, and a step without success has a failed step at or before it.
    #[test]
    fn the_decision_comes_to_rest(plan in any_plan(), dice in proptest::collection::vec(any::<u8>(), 40)) {
        let steps = plan.steps.len();
        let mut simulation = Simulation {
            run: evidence(&plan, vec![Vec::new(); steps]),
            after: vec![Vec::new(); steps],
            starts: vec![Vec::new(); steps],
        };
        let mut rested = false;
        for dice in dice {
            let decision = decide(&simulation.run);
            simulation.apply(&decision);
            let before = simulation.run.attempts.clone();
            simulation.engine(dice);
            if decision.is_nothing() && before == simulation.run.attempts {
                rested = true;
                break;
            }
        }
        prop_assert!(rested, "never came to rest");
        for (index, step) in plan.steps.iter().enumerate() {
            let attempts = &simulation.run.attempts[index];
            prop_assert!(simulation.starts[index].iter().all(|starts| *starts <= 1));
            let tried = attempts.iter().filter(|a| a.ended.unwrap().reason != Some(StepReason::ParentFailed));
            prop_assert!(tried.count() <= step.retry.max as usize + 1);
            if attempts.last().unwrap().ended.unwrap().status == StepStatus::Skipped {
                let parent_without_success = step.after.iter().any(|p| {
                    simulation.run.attempts[p.as_usize()].last().unwrap().ended.unwrap().status != StepStatus::Success
                });
                prop_assert!(parent_without_success, "step {index} was skipped for nothing");
            }
        }
    }
}
