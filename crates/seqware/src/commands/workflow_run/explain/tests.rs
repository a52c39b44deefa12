//! What an explanation looks like in a terminal of 80 columns.

use niassa_api::facts::LogTail;
use niassa_api::runs::StepCounts;
use niassa_model::place::{EngineKind, Place};
use niassa_model::step::{AttemptNumber, StepIndex};

use super::*;
use crate::ui::run_view::tests::{EIGHTY, a_run, a_step, at};

fn failed() -> Evidence {
    let counts =
        StepCounts { total: 6, success: 1, failed: 1, skipped: 4, ..StepCounts::default() };
    let mut run = a_run(RunStatus::Failed, counts);
    run.place = Some(Place {
        work_dir_id: "x".repeat(20),
        os_user: "niassa-bob".to_owned(),
        engine: EngineKind::Local,
        cluster: "server2".to_owned(),
    });
    let tail = "\u{1b}[31mloading\u{1b}[0m\n[E::bwa_idx_load_from_disk] fail to locate the index files in the directory of the reference genome\n";
    let log = StepLog {
        index: StepIndex(1),
        label: "align".to_owned(),
        attempt: AttemptNumber(2),
        status: StepStatus::Failed,
        machine: Some("server2".to_owned()),
        stdout: None,
        stderr: Some(LogTail {
            path: "/runs/7-aaaaaaaaaa/steps/0/1-align/attempt-2/stderr".to_owned(),
            size: 107,
            tail: tail.to_owned(),
        }),
    };
    let entry = |sequence, from, to, event: &str, detail: Option<&str>| RunLogEntry {
        sequence,
        run: run.swid,
        at: at(sequence),
        event: event.to_owned(),
        from,
        to,
        account: "bob@lab.net".to_owned(),
        detail: detail.map(str::to_owned),
    };
    let entries = vec![
        entry(1, None, Some(RunStatus::Submitted), "scheduled", None),
        entry(2, Some(RunStatus::Submitted), Some(RunStatus::Pending), "launched", None),
        entry(
            3,
            Some(RunStatus::Pending),
            Some(RunStatus::Pending),
            "note",
            Some("1 of 6 steps handed over"),
        ),
        entry(
            9,
            Some(RunStatus::Running),
            Some(RunStatus::Failed),
            "failed",
            Some("step align: exit code 1"),
        ),
    ];
    let mut troubled = vec![a_step(1, "align", StepStatus::Failed, &[(2, Some(3)), (4, Some(9))])];
    let said = "slurmstepd: error: Detected 1 oom_kill event\n\u{1b}[31mState=OUT_OF_MEMORY";
    troubled[0].attempts[1].message = Some(said.to_owned());
    Evidence { run, troubled, logs: vec![log], entries }
}

#[test]
fn a_failed_run_says_what_its_step_said() {
    let text = explanation(&failed(), at(100), EIGHTY);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains('\u{1b}'), "a step cannot write escape codes to the terminal");
    // Hours are those of the machine's zone.
    let hour = words::moment(at(0))[..13].to_owned();
    insta::assert_snapshot!(text.replace(&hour, "1970-01-01 00"));
}

#[test]
fn every_status_is_explained_and_has_a_next_command() {
    for status in RunStatus::ALL {
        let run = a_run(status, StepCounts::default());
        assert!(!why(&run).is_empty());
        assert!(!next_commands(&run).is_empty(), "{status}");
    }
}
