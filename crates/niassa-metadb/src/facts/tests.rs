//! Facts on both databases: they rise, they move steps and runs, and a million repetitions of one
//! change nothing.

use niassa_model::account::LaunchHosts;
use niassa_model::file::OutputFile;
use niassa_model::plan::RetryPolicy;
use niassa_model::resources::Resources;
use niassa_model::run::RunStatus;
use niassa_model::step::{AttemptNumber, Outcome, StepIndex, StepStatus};

use super::{Fact, FactRefused, NoteRefused, RunNote, Stream, StreamEnd};
use crate::MetaDb;
use crate::actions::{Done, NewAttempt, Word};
use crate::claims::{ClaimRequest, ClaimedRun, Wish};
use crate::desires::WishRefused;
use crate::steps::StepFilter;
use crate::testing::launches::{
    CANCELLED, FAILED, Launches, RUNNING, SKIPPED, account, act, closed, fact, launch, launched,
};
use crate::testing::on_both;

/// A run that was launched and is held by nobody.
async fn launched_run(site: &Launches) -> ClaimedRun {
    site.schedule("here").await;
    let run = site.claim_one("a", "here").await;
    assert_eq!(site.launch("a", &run).await, [Word::Go; 4]);
    site.release("a", &run).await;
    run
}

/// The numbers that lists show are those of the steps themselves.
async fn check_numbers(site: &Launches, run: &ClaimedRun) {
    let row = site.metadb.run(&site.bob, run.swid).await.unwrap().unwrap();
    let all = StepFilter { status: None, after: None };
    let steps = site.metadb.steps_of_run(&site.bob, run.swid, all, 500).await;
    let steps = steps.unwrap().expect("its steps");
    let count =
        |status| u32::try_from(steps.iter().filter(|s| s.status == status).count()).unwrap();
    assert_eq!(row.steps.pending, count(StepStatus::Pending));
    assert_eq!(row.steps.running, count(StepStatus::Running));
    assert_eq!(row.steps.success, count(StepStatus::Success));
    assert_eq!(row.steps.failed, count(StepStatus::Failed));
    assert_eq!(row.steps.skipped, count(StepStatus::Skipped));
    assert_eq!(row.steps.cancelled, count(StepStatus::Cancelled));
}

on_both! {
    /// From pending to completed, with what facts carry.
    fn a_run_completes(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = launched_run(&site).await;
        assert_eq!(site.status(run.swid).await, RunStatus::Pending);
        site.facts(&[fact(&run, 0, 1, RUNNING)]).await;
        assert_eq!(site.status(run.swid).await, RunStatus::Running);
        check_numbers(&site, &run).await;
        let output = OutputFile {
            path: "/runs/1/work/a.txt".to_owned(),
            meta_type: "text/plain".to_owned(),
            size: 5,
            sha256: "c".repeat(64),
            md5: "d".repeat(32),
        };
        let log = StreamEnd {
            stream: Stream::Stdout,
            path: "/runs/1/stdout".to_owned(),
            size: 3,
            tail: "a\0b".to_owned(),
        };
        let first = Fact {
            logs: vec![log],
            outputs: vec![output],
            ..fact(&run, 0, 1, Outcome::SUCCESS)
        };
        let second = fact(&run, 1, 1, Outcome::SUCCESS);
        // The end may be told before the beginning, and everything may be told again.
        let all = [second.clone(), fact(&run, 1, 1, RUNNING), first.clone(), first, second];
        for _ in 0..3 {
            let taken = site.facts(&all).await;
            assert_eq!(taken.refused, []);
            assert_eq!(taken.runs[0].status, RunStatus::Completed);
            assert!(!taken.runs[0].needs_action);
        }
        check_numbers(&site, &run).await;
        let provenance = site.metadb.provenance_of_runs(&site.bob, &[run.swid]).await.unwrap();
        assert_eq!(provenance[&run.swid].output_files.len(), 1);
        let log = site.metadb.log_of_run(&site.bob, run.swid, 0, 100).await.unwrap().unwrap();
        let events: Vec<_> = log.iter().map(|entry| entry.event.as_str()).collect();
        assert_eq!(events, ["scheduled", "launched", "started", "succeeded"]);
    }

    /// A failure is final once everything is, and a retry repeats what did not succeed.
    fn a_run_fails_and_is_tried_again(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = launched_run(&site).await;
        site.facts(&[fact(&run, 0, 1, FAILED)]).await;
        let row = site.metadb.run(&site.bob, run.swid).await.unwrap().unwrap();
        assert_eq!(row.status, RunStatus::Running, "the step behind is not final");
        assert!(row.note.unwrap().contains("step0 failed: exit code"));
        site.facts(&[closed(&run, 1, 1, SKIPPED)]).await;
        assert_eq!(site.status(run.swid).await, RunStatus::Failed);
        check_numbers(&site, &run).await;

        let asked = site.metadb.retry_runs(&site.bob, "r1", &[run.swid]).await.unwrap();
        assert_eq!(asked[0].refused, None);
        let again = site.metadb.retry_runs(&site.bob, "r1", &[run.swid]).await.unwrap();
        assert_eq!(again[0].refused, None, "the same request is the same retry");
        let other = site.metadb.retry_runs(&site.bob, "r2", &[run.swid]).await.unwrap();
        assert_eq!(other[0].refused, Some(WishRefused::NotOver(RunStatus::SubmittedRetry)));
        // A late word about the old attempt cannot fail the retry.
        site.facts(&[fact(&run, 0, 1, FAILED)]).await;
        assert_eq!(site.status(run.swid).await, RunStatus::SubmittedRetry);

        let claimed = site.claim_one("b", "here").await;
        assert_eq!((claimed.wish, claimed.retries.clone()), (Wish::Retry, vec!["r1".to_owned()]));
        let attempt = |step| NewAttempt {
            step: StepIndex(step),
            attempt: AttemptNumber(2),
            resources: Resources::default(),
        };
        let done = Done::Attempts {
            answered: vec!["r1".to_owned()],
            attempts: vec![attempt(0), attempt(1)],
        };
        let done = vec![done.clone(), done, Done::Launched(Vec::new())];
        assert_eq!(site.act("b", &claimed, done).await, [Word::Go; 3]);
        assert_eq!(site.status(run.swid).await, RunStatus::Pending);
        check_numbers(&site, &run).await;
        site.facts(&[fact(&run, 0, 2, Outcome::SUCCESS), fact(&run, 1, 2, Outcome::SUCCESS)]).await;
        assert_eq!(site.status(run.swid).await, RunStatus::Completed);
        check_numbers(&site, &run).await;
    }

    /// A step whose policy allows more keeps its run active, and calls for somebody.
    fn a_policy_calls_for_another_attempt(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        site.schedule("here").await;
        let run = site.claim_one("a", "here").await;
        let policy = RetryPolicy { max: 1, ..RetryPolicy::NEVER };
        site.act("a", &run, launched(&policy)).await;
        site.release("a", &run).await;
        let taken = site.facts(&[fact(&run, 0, 1, FAILED), closed(&run, 1, 1, SKIPPED)]).await;
        assert_eq!((taken.runs[0].status, taken.runs[0].needs_action), (RunStatus::Running, true));
        let claimed = site.claim(&act("b")).await.claims.remove(0);
        let attempt = |step| NewAttempt {
            step: StepIndex(step),
            attempt: AttemptNumber(2),
            resources: Resources::default(),
        };
        let done = Done::Attempts { answered: vec![], attempts: vec![attempt(0), attempt(1)] };
        site.act("b", &claimed, vec![done]).await;
        let taken = site.facts(&[fact(&run, 0, 2, FAILED), closed(&run, 1, 2, SKIPPED)]).await;
        assert_eq!((taken.runs[0].status, taken.runs[0].needs_action), (RunStatus::Failed, false));
    }

    /// What cannot be about this run is refused, and refuses nothing else.
    fn strange_facts_are_refused_one_by_one(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = launched_run(&site).await;
        let alice = account(&site.metadb, "alice@lab.net").await;
        let good = fact(&run, 0, 1, RUNNING);
        let nobody = site.metadb.record_facts(&alice, &LaunchHosts::Any, std::slice::from_ref(&good), &[]).await;
        assert_eq!(nobody.unwrap().refused, [(0, FactRefused::NoSuchRun)]);
        let hosts = LaunchHosts::Only(vec!["elsewhere".parse().unwrap()]);
        let nobody = site.metadb.record_facts(&site.bob, &hosts, std::slice::from_ref(&good), &[]).await;
        assert_eq!(nobody.unwrap().refused, [(0, FactRefused::NoSuchRun)]);
        let facts = [
            Fact { tag: "aaaaaaaaaa".parse().unwrap(), ..good.clone() },
            Fact { step: StepIndex(9), ..good.clone() },
            Fact { attempt: AttemptNumber(0), ..good.clone() },
            good,
        ];
        let taken = site.facts(&facts).await;
        let why: Vec<_> = taken.refused.iter().map(|(at, why)| (*at, *why)).collect();
        assert_eq!(
            why,
            [
                (0, FactRefused::AnotherRun),
                (1, FactRefused::NoSuchStep),
                (2, FactRefused::NoSuchAttempt)
            ]
        );
        assert_eq!(taken.runs[0].status, RunStatus::Running);
    }

    /// A cancel is a wish until the engine has nothing left.
    fn a_cancel_is_confirmed_by_facts(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = launched_run(&site).await;
        site.facts(&[fact(&run, 0, 1, RUNNING)]).await;
        for _ in 0..2 {
            let asked = site.metadb.cancel_runs(&site.bob, &[run.swid]).await.unwrap();
            assert_eq!(asked[0].status, Some(RunStatus::SubmittedCancel));
            assert_eq!(asked[0].refused, None);
        }
        let claimed = site.claim(&act("b")).await.claims.remove(0);
        assert_eq!(site.act("b", &claimed, vec![Done::Note("x".into())]).await, [Word::Cancel]);
        site.facts(&[closed(&run, 1, 1, CANCELLED)]).await;
        assert_eq!(site.status(run.swid).await, RunStatus::SubmittedCancel);
        site.facts(&[fact(&run, 0, 1, CANCELLED)]).await;
        assert_eq!(site.status(run.swid).await, RunStatus::Cancelled);
        let late = site.metadb.cancel_runs(&site.bob, &[run.swid]).await.unwrap();
        assert_eq!(late[0].refused, Some(WishRefused::Over(RunStatus::Cancelled)));
    }

    /// What no launcher has recorded is cancelled at once, or when its claim ends.
    fn a_cancel_before_the_launch_needs_nobody(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let never = site.schedule("here").await;
        let asked = site.metadb.cancel_runs(&site.bob, &[never.swid]).await.unwrap();
        assert_eq!(asked[0].status, Some(RunStatus::Cancelled));

        site.schedule("here").await;
        let held = site.claim_one("a", "here").await;
        let asked = site.metadb.cancel_runs(&site.bob, &[held.swid]).await.unwrap();
        assert_eq!(asked[0].status, Some(RunStatus::SubmittedCancel), "its holder may be at it");
        site.release("a", &held).await;
        assert_eq!(site.status(held.swid).await, RunStatus::Cancelled);

        site.schedule("here").await;
        let short = ClaimRequest { lease: std::time::Duration::ZERO, ..launch("a", "here") };
        let lapsed = site.claim(&short).await.claims.remove(0);
        let asked = site.metadb.cancel_runs(&site.bob, &[lapsed.swid]).await.unwrap();
        assert_eq!(asked[0].status, Some(RunStatus::Cancelled), "nobody holds it any more");
        assert_eq!(site.launch("a", &lapsed).await, [Word::Stale; 4]);
    }

    /// A cancel takes the place of a retry that nobody has acted on.
    fn a_retry_can_be_cancelled(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = launched_run(&site).await;
        site.facts(&[fact(&run, 0, 1, FAILED), closed(&run, 1, 1, SKIPPED)]).await;
        site.metadb.retry_runs(&site.bob, "r1", &[run.swid]).await.unwrap();
        let asked = site.metadb.cancel_runs(&site.bob, &[run.swid]).await.unwrap();
        assert_eq!(asked[0].status, Some(RunStatus::Failed), "nothing of it was stopped");
        assert_eq!(site.claim(&launch("b", "here")).await.claims, []);
    }

    /// Wishes about what is not there, or not one's own, are refused one by one.
    fn wishes_are_taken_one_by_one(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let alice = account(&site.metadb, "alice@lab.net").await;
        let run = site.schedule("here").await;
        let asked = site.metadb.cancel_runs(&alice, &[run.swid]).await.unwrap();
        assert_eq!((asked[0].status, asked[0].refused), (None, Some(WishRefused::NoSuchRun)));
        let strange = 4_711.try_into().unwrap();
        let asked = site.metadb.cancel_runs(&site.bob, &[strange, run.swid]).await.unwrap();
        assert_eq!(asked[0].refused, Some(WishRefused::NoSuchRun));
        assert_eq!(asked[1].status, Some(RunStatus::Cancelled));
    }

    /// A run that cannot be planned fails alone, says why, and can be tried again.
    fn a_run_that_cannot_be_planned_fails(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        site.schedule("here").await;
        let run = site.claim_one("a", "here").await;
        let done = Done::CouldNotPlan {
            reason: niassa_model::step::StepReason::ProvisionIn,
            detail: "reads: /a cannot be read".to_owned(),
        };
        assert_eq!(site.act("a", &run, vec![done]).await, [Word::Go]);
        site.release("a", &run).await;
        let row = site.metadb.run(&site.bob, run.swid).await.unwrap().unwrap();
        assert_eq!(row.status, RunStatus::Failed);
        assert_eq!(row.note.as_deref(), Some("reads: /a cannot be read"));
        site.metadb.retry_runs(&site.bob, "r1", &[run.swid]).await.unwrap();
        let claimed = site.claim_one("b", "here").await;
        let answered = Done::Attempts { answered: vec!["r1".to_owned()], attempts: Vec::new() };
        let mut done = launched(&RetryPolicy::NEVER);
        done.insert(3, answered);
        assert_eq!(site.act("b", &claimed, done).await, [Word::Go; 5]);
        assert_eq!(site.status(run.swid).await, RunStatus::Pending);
    }

    /// A note needs no claim; what it repeats leaves no second entry; a wrong tag is refused.
    fn notes_stand_beside_the_status(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = launched_run(&site).await;
        let note = |text: &str| RunNote {
            run: run.swid,
            tag: run.tag.clone(),
            note: text.to_owned(),
        };
        let hosts = LaunchHosts::Any;
        let record = async |facts: &[Fact], notes: &[RunNote]| {
            site.metadb.record_facts(&site.bob, &hosts, facts, notes).await.unwrap()
        };
        let noted = async || site.metadb.run(&site.bob, run.swid).await.unwrap().unwrap().note;
        for _ in 0..3 {
            let taken = record(&[], &[note("first"), note("in the queue")]).await;
            assert_eq!((taken.runs[0].status, taken.refused_notes), (RunStatus::Pending, vec![]));
        }
        assert_eq!(noted().await.as_deref(), Some("in the queue"));
        // A note outlives what the steps say of a run that goes on.
        let failed = [fact(&run, 0, 1, FAILED)];
        for _ in 0..3 {
            record(&failed, &[note("in the queue")]).await;
            assert_eq!(noted().await.as_deref(), Some("in the queue"));
        }
        let log = site.metadb.log_of_run(&site.bob, run.swid, 0, 100).await.unwrap().unwrap();
        assert_eq!(log.iter().filter(|entry| entry.event == "note").count(), 1);

        let strange = RunNote { tag: "aaaaaaaaaa".parse().unwrap(), ..note("x") };
        let unknown = RunNote { run: 4_711.try_into().unwrap(), ..note("x") };
        let taken = record(&[], &[strange, note(""), unknown]).await;
        let why = [(0, NoteRefused::AnotherRun), (2, NoteRefused::NoSuchRun)];
        assert_eq!(taken.refused_notes, why);
        assert_eq!(noted().await, None, "an empty note removes");
        let elsewhere = LaunchHosts::Only(vec!["elsewhere".parse().unwrap()]);
        let taken = site.metadb.record_facts(&site.bob, &elsewhere, &[], &[note("x")]).await;
        assert_eq!(taken.unwrap().refused_notes, [(0, NoteRefused::NoSuchRun)]);

        // A run that ends with the same call has its last word.
        let taken = record(&[closed(&run, 1, 1, SKIPPED)], &[note("in the queue")]).await;
        assert_eq!(taken.runs[0].status, RunStatus::Failed);
        assert!(noted().await.unwrap().contains("step0 failed"));
        let taken = record(&[], &[note("late")]).await;
        assert_eq!(taken.refused_notes, [(0, NoteRefused::Over(RunStatus::Failed))]);
    }

    /// What was said first of an attempt's end stays with it.
    fn what_was_said_of_an_end_is_kept(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = launched_run(&site).await;
        let said = |text: &str| Fact {
            message: Some(text.to_owned()),
            ..fact(&run, 0, 1, FAILED)
        };
        site.facts(&[fact(&run, 0, 1, FAILED)]).await;
        site.facts(&[said("State=OUT_OF_MEMORY\0"), said("second")]).await;
        site.facts(&[said("third")]).await;
        let steps =
            site.metadb.steps_of_run(&site.bob, run.swid, StepFilter::default(), 9).await;
        let message = steps.unwrap().unwrap()[0].attempts[0].message.clone();
        assert_eq!(message.as_deref(), Some("State=OUT_OF_MEMORY\u{fffd}"));
    }
}
