//! One run that cannot be read, among others.

use std::collections::HashSet;
use std::fs;

use niassa_model::run::RunTag;
use niassa_model::step::{AttemptNumber, Outcome, StepIndex, StepReason, StepStatus};
use serde_json::json;

use super::evidence::OpenRun;
use super::*;
use crate::engine::local::archive;
use crate::engine::local::journal::Record;
use crate::run_dir::plan_of_one_step;

const TAG: &str = "aaaaaaaaaa";

/// A run that was handed over long ago.
fn run(work_dir: &Path, swid: u32) -> Prepared {
    let claim = json!({
        "swid": swid, "tag": TAG, "epoch": 2, "until": 0, "status": "running", "desire": "launch",
        "workflow": { "swid": 9, "name": "W", "version": "1", "bundle_sha256": "" },
        "values": {}, "options": {}, "account": "bob@lab.net",
    });
    let claim: Claim = serde_json::from_value(claim).unwrap();
    let (dir, plan) = (RunDir::of(work_dir, claim.swid, &claim.tag), plan_of_one_step());
    dir.make().unwrap();
    dir.make_step_folders(1).unwrap();
    dir.make_step(StepIndex(0), &plan.steps[0], None).unwrap();
    let run = OpenRun { swid: claim.swid, tag: claim.tag.clone(), trace: None, dir, plan };
    Prepared { claim, run, plan_sha256: String::new(), directory: Linked::Before }
}

/// Lets a directory tell that the run's attempt has ended, long after the journals.
fn end(run: &OpenRun) {
    let closed = Record::Closed {
        key: run.key(StepIndex(0), AttemptNumber::FIRST),
        outcome: Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy),
        message: None,
        at: Timestamp::from_micros(5),
    };
    archive::keep(&run.dir, &[closed]).unwrap();
}

#[test]
fn a_run_whose_ends_cannot_be_read_is_refused_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let home = LocalHome::open(folder.path()).unwrap();
    let runs = [1, 2, 3].map(|swid| run(folder.path(), swid));
    end(&runs[0].run);
    let unreadable = runs[1].run.dir.ended();
    fs::create_dir(&unreadable).unwrap();

    let (ready, refused) = decide_each(runs.into(), folder.path(), &home).unwrap();
    let ordered: Vec<(i64, usize)> =
        ready.iter().map(|run| (run.claim.swid.get(), run.decision.submit.len())).collect();
    assert_eq!(ordered, [(1, 0), (3, 1)], "what has ended is not ordered again");
    let [(claim, NotPrepared::NotNow(why))] = &refused[..] else { panic!("one is refused") };
    assert_eq!(claim.swid.get(), 2);
    assert!(why.contains(unreadable.to_str().unwrap()), "{why}");
}

#[test]
fn a_comparison_knows_which_runs_it_could_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let home = LocalHome::open(folder.path()).unwrap();
    let runs = [1, 2].map(|swid| run(folder.path(), swid).run);
    end(&runs[0]);
    fs::create_dir(runs[1].dir.ended()).unwrap();
    let wanted: HashSet<(Accession, RunTag)> =
        runs.iter().map(|run| (run.swid, run.tag.clone())).collect();
    let snapshot = Snapshot::to_compare(&home, &wanted).unwrap();
    assert_eq!(snapshot.unread().keys().collect::<Vec<_>>(), [&runs[1].swid]);
    assert_eq!(snapshot.news(|_| true).len(), 1);
}
