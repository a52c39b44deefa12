//! What lists and reports look like in a terminal of 80 columns.

use niassa_api::runs::StepCounts;
use niassa_model::run::RunStatus;
use niassa_model::step::StepStatus;

use super::*;
use crate::ui::run_view::tests::{EIGHTY, a_run, a_step, at};

#[test]
fn the_last_runs_fit_into_a_terminal() {
    let mut waiting = a_run(RunStatus::Submitted, StepCounts::default());
    waiting.note = Some("waiting for a launcher on server2.lab.net, last seen 12:03".to_owned());
    let done =
        a_run(RunStatus::Completed, StepCounts { total: 6, success: 6, ..StepCounts::default() });
    let text = of_runs(&[waiting, done], at(100)).render(Format::Table, EIGHTY);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_report_shows_what_was_asked_and_what_was_used() {
    let report = RunReport {
        row: ReportRow {
            workflow: "VariantCalling 1.0.0".to_owned(),
            workflow_run_swid: "7".to_owned(),
            workflow_run_status: "failed".to_owned(),
            workflow_run_host: "server2.lab.net".to_owned(),
            output_file_paths: "/data/out/7/left.vcf.gz,/data/out/7/right.vcf.gz,/data/out/7/x.bam"
                .to_owned(),
            ..ReportRow::default()
        },
        run: a_run(RunStatus::Failed, StepCounts::default()),
        steps: vec![
            a_step(0, "index", StepStatus::Success, &[(1, Some(2))]),
            a_step(1, "align", StepStatus::Failed, &[(2, Some(3)), (4, Some(9))]),
        ],
    };
    let text = of_run(&report, Format::Table, EIGHTY);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
    let json: Value = serde_json::from_str(&of_run(&report, Format::Json, EIGHTY)).unwrap();
    assert_eq!(json["workflow_run_swid"], "7");
    assert_eq!(json["steps"][1]["label"], "align");
}
