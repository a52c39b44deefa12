//! What is due now, and what a cancel lets through.

use super::*;
use crate::resources::Resources;
use crate::run::reconcile::Existence;

fn submission(step: u32, after: &[u32]) -> Submission {
    Submission {
        step: StepIndex(step),
        attempt: AttemptNumber::FIRST,
        cause: AttemptCause::First,
        existence: Existence::Made,
        resources: Resources::default(),
        backoff_seconds: 0,
        after: after.iter().map(|parent| (StepIndex(*parent), AttemptNumber::FIRST)).collect(),
    }
}

#[test]
fn a_wave_is_what_has_seen_parents_and_room() {
    let all = [submission(0, &[]), submission(1, &[0]), submission(2, &[0, 1]), submission(3, &[])];
    let seen = |steps: &'static [u32]| {
        move |step: StepIndex, _| match steps.contains(&step.0) {
            true => ParentJob::Seen,
            false => ParentJob::NotSeen,
        }
    };
    assert_eq!(next_wave(&all, 10, 1_000, seen(&[])), [0, 3]);
    assert_eq!(next_wave(&all, 1, 1_000, seen(&[])), [0]);
    assert_eq!(next_wave(&all[1..], 10, 1_000, seen(&[0])), [0, 2]);
    assert_eq!(next_wave(&all[1..], 10, 1_000, seen(&[0, 1])), [0, 1, 2]);
    assert_eq!(next_wave(&all[1..], 10, 1, seen(&[0, 1])), [0, 2], "too many parents to name");
    assert_eq!(next_wave(&all, 0, 1_000, seen(&[])), Vec::<usize>::new());
}
