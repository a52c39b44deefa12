//! Putting elements of a `foreach` together into job arrays.

use niassa_model::limits::ARRAY_FROM;
use niassa_model::plan::Plan;
use niassa_model::resources::Resources;
use niassa_model::run::reconcile::Submission;
use niassa_model::step::{AttemptNumber, StepIndex};

/// Submissions that become one job: one attempt, or the elements of an array.
pub(super) type Group<'wave> = Vec<&'wave Submission>;

/// What elements of one array have in common.
#[derive(PartialEq)]
struct Shared<'wave> {
    name: &'wave str,
    resources: Resources,
    backoff_seconds: u64,
    after: &'wave [(StepIndex, AttemptNumber)],
}

/// Groups a wave: elements of one step with the same needs become arrays of at most `limit` elements,
/// everything else stays alone. The order of the first elements is kept.
pub(super) fn grouped<'wave>(
    plan: &'wave Plan,
    wave: &[&'wave Submission],
    limit: u32,
) -> Vec<Group<'wave>> {
    let limit = (limit as usize).max(1);
    let mut groups: Vec<(Option<Shared<'_>>, Group<'wave>)> = Vec::new();
    for submission in wave {
        let step = &plan.steps[submission.step.as_usize()];
        let shared = step.element.map(|_| Shared {
            name: step.name.as_str(),
            resources: submission.resources,
            backoff_seconds: submission.backoff_seconds,
            after: &submission.after,
        });
        // Elements of a step stand together in a plan: only the last group can be theirs.
        match groups.last_mut() {
            Some((of_last, group))
                if shared.is_some() && *of_last == shared && group.len() < limit =>
            {
                group.push(submission);
            }
            _ => groups.push((shared, vec![submission])),
        }
    }
    let groups = groups.into_iter().flat_map(|(_, group)| match group.len() >= ARRAY_FROM {
        true => vec![group],
        false => group.into_iter().map(|single| vec![single]).collect(),
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use niassa_model::plan::{PlannedStep, RetryPolicy};
    use niassa_model::run::reconcile::{AttemptCause, Existence};
    use niassa_model::step::StepName;

    use super::*;

    fn step(name: &str, element: Option<u32>) -> PlannedStep {
        PlannedStep {
            name: StepName::try_from(name.to_owned()).unwrap(),
            element,
            after: Vec::new(),
            command: String::new(),
            resources: Resources::default(),
            outputs: Vec::new(),
            retry: RetryPolicy::NEVER,
        }
    }

    fn submission(step: usize, threads: u32) -> Submission {
        Submission {
            step: StepIndex(u32::try_from(step).unwrap()),
            attempt: AttemptNumber::FIRST,
            cause: AttemptCause::First,
            existence: Existence::Made,
            resources: Resources { threads, ..Resources::default() },
            backoff_seconds: 0,
            after: Vec::new(),
        }
    }

    fn sizes(steps: Vec<PlannedStep>, threads: impl Fn(usize) -> u32, limit: u32) -> Vec<usize> {
        let submissions: Vec<Submission> =
            (0..steps.len()).map(|position| submission(position, threads(position))).collect();
        let plan = Plan {
            format: 1,
            workflow: "w".into(),
            version: "1".into(),
            inputs: Vec::new(),
            output_folder: None,
            steps,
        };
        let wave: Vec<&Submission> = submissions.iter().collect();
        grouped(&plan, &wave, limit).iter().map(Vec::len).collect()
    }

    #[test]
    fn only_wide_steps_with_the_same_needs_become_arrays() {
        let wide = |name: &str, count: u32| -> Vec<PlannedStep> {
            (0..count).map(|element| step(name, Some(element))).collect()
        };
        assert_eq!(sizes(wide("a", 5), |_| 1, 1_000), [5]);
        assert_eq!(sizes(wide("a", 3), |_| 1, 1_000), [1, 1, 1]);
        assert_eq!(sizes(wide("a", 9), |_| 1, 4), [4, 4, 1]);
        assert_eq!(sizes(wide("a", 5), |_| 1, 1), [1, 1, 1, 1, 1]);
        let two = [wide("a", 4), wide("b", 4)].concat();
        assert_eq!(sizes(two, |_| 1, 1_000), [4, 4]);
        let grown = |position| if position < 4 { 1 } else { 2 };
        assert_eq!(sizes(wide("a", 8), grown, 1_000), [4, 4]);
        assert_eq!(sizes((0..6).map(|_| step("a", None)).collect(), |_| 1, 1_000), [1; 6]);
    }
}
