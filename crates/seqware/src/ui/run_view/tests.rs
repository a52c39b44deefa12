//! What a run looks like in a terminal of 80 columns.

use niassa_api::claims::Desire;
use niassa_api::facts::Need;
use niassa_api::runs::{Attempt, StepCounts};
use niassa_model::accession::Accession;
use niassa_model::run::RunTag;
use niassa_model::step::{AttemptNumber, StepIndex, StepReason};

use super::*;

/// A terminal of 80 columns without colours.
pub const EIGHTY: Look = Look { width: Some(80), color: false, unicode: true, live: true };

/// Makes a point in time.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// Makes a run that was accepted at second 0.
pub fn a_run(status: RunStatus, steps: StepCounts) -> Run {
    Run {
        swid: Accession::try_from(7).unwrap(),
        tag: RunTag::from_random([0; 10]),
        status,
        priority: 0,
        note: None,
        workflow: Accession::try_from(1).unwrap(),
        workflow_name: "VariantCalling".to_owned(),
        workflow_version: "1.0.0".to_owned(),
        host: "server2.lab.net".parse().unwrap(),
        engine: None,
        place: None,
        directory: Some("/home/niassa-bob/niassa-runs/7-aaaaaaaaaa".to_owned()),
        launched_on: Some("server2".to_owned()),
        account: "bob@lab.net".to_owned(),
        desire: Desire::Launch,
        need: Need::Nothing,
        marks: Vec::new(),
        steps,
        created_at: at(0),
        updated_at: at(42),
        seen_at: Some(at(41)),
        rescheduled_from: None,
    }
}

/// Makes a step with one attempt per pair of times.
pub fn a_step(index: u32, label: &str, status: StepStatus, times: &[(i64, Option<i64>)]) -> Step {
    let attempts = times.iter().zip(1..).map(|((start, end), number)| Attempt {
        number: AttemptNumber(number),
        status,
        reason: None,
        exit_code: (status == StepStatus::Failed).then_some(1),
        signal: None,
        message: None,
        engine_id: None,
        machine: Some("server2".to_owned()),
        started_at: Some(at(*start)),
        ended_at: end.map(at),
        cpu_micros: end.map(|_| 1_900_000),
        peak_memory_bytes: end.map(|_| 300 << 20),
    });
    Step {
        index: StepIndex(index),
        swid: Accession::try_from(100 + i64::from(index)).unwrap(),
        label: label.to_owned(),
        after: Vec::new(),
        status,
        reason: (status == StepStatus::Failed).then_some(StepReason::ExitCode),
        threads: 2,
        memory_bytes: Some(4 << 30),
        seconds: Some(7_200),
        attempts: attempts.collect(),
    }
}

#[test]
fn a_running_run_shows_its_steps() {
    let counts = StepCounts {
        total: 4,
        success: 1,
        running: 1,
        failed: 1,
        pending: 1,
        ..StepCounts::default()
    };
    let mut run = a_run(RunStatus::Running, counts);
    run.note = Some("step call[0] failed, 1 still running".to_owned());
    let steps = [
        a_step(0, "index", StepStatus::Success, &[(1, Some(2))]),
        a_step(1, "align", StepStatus::Running, &[(2, Some(3)), (4, None)]),
        a_step(2, "call[0]", StepStatus::Failed, &[(5, Some(9))]),
        a_step(3, "call[1]", StepStatus::Pending, &[]),
    ];
    let text = block(&run, &steps, at(75), EIGHTY);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let mut run =
        a_run(RunStatus::Failed, StepCounts { total: 400, lost: 400, ..StepCounts::default() });
    run.workflow_name = "N".repeat(200);
    run.note = Some("ü".repeat(300));
    let steps: Vec<Step> = (0..30)
        .map(|i| a_step(i, &"s".repeat(70), StepStatus::Failed, &[(0, Some(9_999))]))
        .collect();
    for unicode in [true, false] {
        let look = Look { unicode, ..EIGHTY };
        let text = block(&run, &steps, at(75), look);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("and 386 other steps"), "{text}");
    }
}

#[test]
fn the_end_is_told_in_one_line() {
    let done =
        a_run(RunStatus::Completed, StepCounts { total: 3, success: 3, ..StepCounts::default() });
    assert_eq!(outcome(&done, EIGHTY), "run 7 ✔ completed after 42s, 3 of 3 steps done");
    let ascii = Look { unicode: false, ..EIGHTY };
    let cancelled = a_run(RunStatus::Cancelled, StepCounts::default());
    assert_eq!(outcome(&cancelled, ascii), "run 7 / cancelled after 42s");
}

#[test]
fn a_step_without_success_is_told_in_one_line() {
    let failed = a_step(2, "call[0]", StepStatus::Failed, &[(5, Some(9)), (10, Some(11))]);
    assert_eq!(trouble(&failed, EIGHTY), "  step call[0]  ✘ failed  exit code 1  attempt 2");
    let long = a_step(2, &"s".repeat(50), StepStatus::Failed, &[(5, Some(9)), (10, Some(11))]);
    assert!(trouble(&long, EIGHTY).chars().count() <= 80);
}

#[test]
fn a_long_name_keeps_the_number_of_its_element() {
    assert_eq!(short("align-with-a-very-long-name[17]", 20), "align-with-a-v..[17]");
    assert_eq!(short("align-with-a-very-long-name", 20), "align-with-a-very-..");
    assert_eq!(short("align[17]", 20), "align[17]");
}

#[test]
fn sentences_are_wrapped_behind_their_indent() {
    let brush = Brush { look: Look { width: Some(30), ..EIGHTY } };
    assert_eq!(brush.wrap("one two three four five", 10), "one two three four\n          five");
    let pipe = Brush { look: Look { width: None, ..EIGHTY } };
    assert_eq!(pipe.wrap("one two three four five", 10), "one two three four five");
    assert_eq!(brush.wrap(&"x".repeat(99), 10), "x".repeat(99), "a path stays whole");
}
