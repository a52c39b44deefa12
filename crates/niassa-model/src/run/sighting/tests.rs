//! Every row of the table of `meaning`, one by one.

use std::time::Duration;

use super::*;
use crate::job::JobName;

const NOW: i64 = 1_000_000_000_000;
const MINUTE: i64 = 60_000_000;

fn ago(micros: i64) -> Timestamp {
    Timestamp::from_micros(NOW - micros)
}

fn look() -> LookAt<'static> {
    LookAt {
        scheduler: SchedulerLook::Whole(Some("monday")),
        now: ago(0),
        waits: ClusterWaits::USUAL,
    }
}

fn silent() -> LookAt<'static> {
    LookAt { scheduler: SchedulerLook::Silent, ..look() }
}

fn job(id: &str, state: JobState) -> SeenJob {
    SeenJob {
        id: JobId(id.into()),
        name: "nia-7-abcdefghij-s0-a1".parse::<JobName>().unwrap(),
        element: None,
        state,
        words: "words".into(),
        node: None,
    }
}

fn handed(micros_ago: i64, free_intents: u32) -> Handed {
    Handed { last_intent: Some(ago(micros_ago)), free_intents, ..Handed::default() }
}

fn claimed(id: &str) -> Sighting<'static> {
    let claim = Some(Claimant::Job(JobId(id.into())));
    Sighting { claim, handed: handed(60 * MINUTE, 1), ..Sighting::default() }
}

fn over_since(mut sighting: Sighting<'_>, micros_ago: i64) -> Sighting<'_> {
    sighting.handed.over_since = Some(ago(micros_ago));
    sighting
}

fn orders(sighting: &Sighting<'_>) -> Vec<AttemptOrder> {
    meaning(sighting, &look()).orders
}

fn reason_of(orders: &[AttemptOrder]) -> Option<(StepStatus, StepReason)> {
    match orders {
        [AttemptOrder::Close(outcome, _) | AttemptOrder::Conclude(outcome, _)] => {
            Some((outcome.status, outcome.reason?))
        }
        _ => None,
    }
}

#[test]
fn what_was_never_handed_over_is_absent_even_while_the_scheduler_is_silent() {
    for look in [look(), silent()] {
        let meaning = meaning(&Sighting::default(), &look);
        assert_eq!((meaning.queue, meaning.orders.len()), (QueueEvidence::Absent, 0));
    }
}

#[test]
fn a_job_that_is_not_seen_is_in_doubt_then_handed_over_again_then_closed() {
    let of = |handed| Sighting { handed, ..Sighting::default() };
    let queue = |sighting: &Sighting<'_>, look: LookAt<'_>| meaning(sighting, &look).queue;
    let young = of(handed(MINUTE / 6, 1));
    assert_eq!(queue(&young, look()), QueueEvidence::InDoubt);
    let old = of(handed(MINUTE, 1));
    assert_eq!(queue(&old, silent()), QueueEvidence::InDoubt, "silence is no evidence");
    assert_eq!(queue(&old, look()), QueueEvidence::Absent);
    let twice = of(handed(MINUTE, 2));
    let closed = Some((StepStatus::Failed, StepReason::CouldNotStart));
    assert_eq!(reason_of(&orders(&twice)), closed);
    assert_eq!(orders(&of(handed(MINUTE / 6, 2))), []);
    let refused = of(Handed { refused: Some("no such queue".into()), ..handed(0, 2) });
    let meaning = meaning(&refused, &look());
    let [AttemptOrder::Close(_, words)] = &meaning.orders[..] else { panic!("{meaning:?}") };
    assert!(words.contains("no such queue"), "{words}");
}

#[test]
fn a_held_job_is_let_go_once_per_life_of_the_scheduler() {
    let held = job("5", JobState::Held);
    let mut sighting =
        Sighting { jobs: vec![&held], handed: handed(MINUTE, 1), ..Sighting::default() };
    let release = vec![AttemptOrder::Release(JobId("5".into()))];
    assert_eq!(orders(&sighting), release);
    sighting.handed.released = vec![(JobId("5".into()), Some("monday".into()))];
    let meaning_now = meaning(&sighting, &look());
    assert_eq!(meaning_now.orders, []);
    assert_eq!(meaning_now.remark, Some(Remark::HeldBySomebody(JobId("5".into()))));
    sighting.handed.released = vec![(JobId("5".into()), Some("sunday".into()))];
    assert_eq!(orders(&sighting), release);
}

#[test]
fn a_job_that_never_starts_is_taken_away() {
    let with = |job: &SeenJob, free_intents| {
        let handed = handed(60 * MINUTE, free_intents);
        orders(&Sighting { jobs: vec![job], handed, ..Sighting::default() })
    };
    let cancel = vec![AttemptOrder::Cancel(JobId("5".into()))];
    assert_eq!(with(&job("5", JobState::NeverSatisfied), 1), cancel);
    assert_eq!(with(&job("5", JobState::Stuck), 1), cancel);
    let could_not_start = Some((StepStatus::Failed, StepReason::CouldNotStart));
    assert_eq!(reason_of(&with(&job("5", JobState::Stuck), 2)), could_not_start);
    let running = |seconds| job("5", JobState::Running(Duration::from_secs(seconds)));
    assert_eq!(with(&running(599), 1), []);
    assert_eq!(reason_of(&with(&running(600), 1)), could_not_start);
    assert_eq!(with(&job("5", JobState::Waiting), 1), []);
}

#[test]
fn a_waiting_job_that_a_person_cancelled_is_not_started_again_and_ours_is() {
    let cancelled = job("5", JobState::Ended(JobEnd::Cancelled));
    let mut sighting =
        Sighting { jobs: vec![&cancelled], handed: handed(0, 1), ..Sighting::default() };
    assert_eq!(reason_of(&orders(&sighting)), Some((StepStatus::Failed, StepReason::CancelledBy)));
    sighting.handed.cancelled = vec![(JobId("5".into()), ago(MINUTE))];
    assert_eq!(meaning(&sighting, &look()).queue, QueueEvidence::Absent);
    let on_a_node = SeenJob { node: Some("n1".into()), ..cancelled.clone() };
    let sighting = Sighting { jobs: vec![&on_a_node], handed: handed(0, 1), ..Sighting::default() };
    assert_eq!(meaning(&sighting, &look()).queue, QueueEvidence::Absent, "slurm did it itself");
}

#[test]
fn what_a_job_claimed_runs_as_long_as_nothing_says_otherwise() {
    let running = job("5", JobState::Running(Duration::from_secs(1)));
    let with = Sighting { jobs: vec![&running], ..claimed("5") };
    let expected = Meaning::open(StartClaim::Taken, QueueEvidence::Running);
    assert_eq!(meaning(&with, &look()), expected);
    assert_eq!(meaning(&claimed("5"), &silent()), expected);
    assert_eq!(orders(&claimed("5")), [AttemptOrder::NoteOver]);
}

#[test]
fn ends_that_the_scheduler_names_are_told_apart_after_a_grace() {
    let failed = |reason| Some((StepStatus::Failed, reason));
    for (end, expected) in [
        (JobEnd::TimeLimit, failed(StepReason::TimeLimit)),
        (JobEnd::OutOfMemory, failed(StepReason::OutOfMemory)),
        (JobEnd::Preempted, failed(StepReason::Preempted)),
        (JobEnd::Cancelled, failed(StepReason::CancelledBy)),
        (JobEnd::Signalled(9), failed(StepReason::Signal)),
    ] {
        let ended = job("5", JobState::Ended(end));
        let seen = Sighting { jobs: vec![&ended], ..claimed("5") };
        assert_eq!(orders(&seen), [AttemptOrder::NoteOver], "{end:?}");
        assert_eq!(orders(&over_since(seen.clone(), MINUTE)), [], "{end:?}");
        let late = over_since(seen.clone(), 5 * MINUTE);
        assert_eq!(reason_of(&orders(&late)), expected, "{end:?}");
        // A runner that said it was asked to end leaves nothing to wait for.
        let asked = Sighting { terminated: Some(15), ..over_since(seen, 0) };
        assert_eq!(reason_of(&orders(&asked)), expected, "{end:?}");
        let accounted = Sighting { accounted: Some(end), ..over_since(claimed("5"), 5 * MINUTE) };
        assert_eq!(reason_of(&orders(&accounted)), expected, "{end:?}");
    }
    let only_asked = Sighting { terminated: Some(15), ..over_since(claimed("5"), MINUTE) };
    assert_eq!(orders(&only_asked), []);
    let late = Sighting { terminated: Some(15), ..over_since(claimed("5"), 5 * MINUTE) };
    assert_eq!(reason_of(&orders(&late)), failed(StepReason::Signal));
}

#[test]
fn a_job_that_was_put_back_by_force_is_taken_away_and_counts_as_preempted() {
    let waiting = job("5", JobState::Waiting);
    let back = Sighting { jobs: vec![&waiting], ..claimed("5") };
    assert_eq!(orders(&back), [AttemptOrder::Cancel(JobId("5".into()))]);
    let cancelled = job("5", JobState::Ended(JobEnd::Cancelled));
    let mut gone = Sighting { jobs: vec![&cancelled], ..over_since(claimed("5"), MINUTE) };
    gone.handed.cancelled = vec![(JobId("5".into()), ago(MINUTE))];
    assert_eq!(orders(&gone), [AttemptOrder::Fence(StepReason::Preempted)]);
    gone.terminated = Some(15);
    assert_eq!(reason_of(&orders(&gone)), Some((StepStatus::Failed, StepReason::Preempted)));
}

#[test]
fn the_end_of_a_job_that_we_stopped_is_a_cancel() {
    let ended = job("5", JobState::Ended(JobEnd::Cancelled));
    let stopped = Sighting { jobs: vec![&ended], stop_asked: true, ..claimed("5") };
    assert_eq!(
        reason_of(&orders(&over_since(stopped, 5 * MINUTE))),
        Some((StepStatus::Cancelled, StepReason::CancelledBy))
    );
}

#[test]
fn what_is_gone_is_fenced_and_lost_only_after_long_silence() {
    let node_failed = job("5", JobState::Ended(JobEnd::NodeFailure));
    let gone = Sighting { jobs: vec![&node_failed], ..claimed("5") };
    assert_eq!(orders(&over_since(gone, MINUTE)), [AttemptOrder::Fence(StepReason::NodeFailure)]);
    assert_eq!(orders(&over_since(claimed("5"), MINUTE)), [AttemptOrder::Fence(StepReason::Lost)]);
    let fenced = |readings: &[(i64, &str)]| {
        let readings = readings.iter().map(|(at, value)| (ago(*at), (*value).to_owned()));
        let fenced = Fenced { reason: StepReason::NodeFailure, readings: readings.collect() };
        Sighting { fenced: Some(fenced), ..over_since(claimed("5"), 30 * MINUTE) }
    };
    assert_eq!(orders(&fenced(&[])), [AttemptOrder::Read]);
    assert_eq!(orders(&fenced(&[(MINUTE, "a")])), []);
    assert_eq!(orders(&fenced(&[(3 * MINUTE, "a")])), [AttemptOrder::Read]);
    let moved = [(20 * MINUTE, "a"), (15 * MINUTE, "b"), (10 * MINUTE, "c"), (0, "c")];
    assert_eq!(orders(&fenced(&moved)), [], "two readings agree, and one more is needed");
    let long = [(12 * MINUTE, "a"), (6 * MINUTE, "a"), (0, "a")];
    let lost = Some((StepStatus::Lost, StepReason::NodeFailure));
    assert_eq!(reason_of(&orders(&fenced(&long))), lost);
}

#[test]
fn a_job_that_lingers_after_the_end_is_cancelled() {
    let running = job("5", JobState::Running(Duration::from_secs(1)));
    let at = |micros| Exit { outcome: Outcome::SUCCESS, at: ago(micros) };
    let ended = |micros| Sighting { exit: Some(at(micros)), jobs: vec![&running], ..claimed("5") };
    assert_eq!(orders(&ended(MINUTE / 2)), []);
    assert_eq!(orders(&ended(2 * MINUTE)), [AttemptOrder::Cancel(JobId("5".into()))]);
    let mut closed = Sighting { claim: Some(Claimant::Closed(CANCELLED)), ..ended(0) };
    assert_eq!(orders(&closed), [AttemptOrder::Cancel(JobId("5".into()))]);
    closed.handed.cancelled = vec![(JobId("5".into()), ago(MINUTE / 6))];
    assert_eq!(orders(&closed), [], "a scheduler takes its time");
    closed.handed.cancelled = vec![(JobId("5".into()), ago(MINUTE))];
    assert_eq!(orders(&closed), [AttemptOrder::Cancel(JobId("5".into()))]);
}

#[test]
fn a_closing_that_was_interrupted_is_finished() {
    let closed = Sighting { claim: Some(Claimant::Closed(CANCELLED)), ..Sighting::default() };
    let meaning = meaning(&closed, &silent());
    assert_eq!(meaning.ended, Some(CANCELLED));
    assert_eq!(reason_of(&meaning.orders), Some((StepStatus::Cancelled, StepReason::CancelledBy)));
}
