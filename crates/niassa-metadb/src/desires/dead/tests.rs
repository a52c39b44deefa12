//! The end of runs whose place is gone, on both databases.

use niassa_model::account::LaunchHosts;
use niassa_model::resources::Resources;
use niassa_model::run::RunStatus;
use niassa_model::step::{AttemptNumber, Outcome, StepIndex, StepReason, StepStatus};

use crate::MetaDb;
use crate::access::Sees;
use crate::actions::{Done, NewAttempt, Word};
use crate::claims::{ClaimState, ClaimedRun, Held};
use crate::desires::WishRefused;
use crate::facts::{Fact, Stream, StreamEnd};
use crate::schedule::NewRun;
use crate::steps::{Step, StepFilter};
use crate::testing::launches::{
    CANCELLED, FAILED, LEASE, Launches, RUNNING, SKIPPED, account, act, closed, fact, launch,
};
use crate::testing::on_both;

/// A run that was launched, still held by `a`, with its first step running.
async fn running(site: &Launches) -> ClaimedRun {
    site.schedule("gone").await;
    let run = site.claim_one("a", "gone").await;
    assert_eq!(site.launch("a", &run).await, [Word::Go; 4]);
    site.facts(&[fact(&run, 0, 1, RUNNING)]).await;
    run
}

async fn steps(site: &Launches, run: &ClaimedRun) -> Vec<Step> {
    let steps = site.metadb.steps_of_run(&site.bob, run.swid, StepFilter::default(), 500).await;
    steps.unwrap().expect("its steps")
}

fn standing(steps: &[Step]) -> Vec<(StepStatus, Option<StepReason>)> {
    steps.iter().map(|step| (step.status, step.reason)).collect()
}

const ENDED: [(StepStatus, Option<StepReason>); 2] = [
    (StepStatus::Lost, Some(StepReason::Lost)),
    (StepStatus::Cancelled, Some(StepReason::CancelledBy)),
];

on_both! {
    /// The run ends at once; whoever held it is stale; the log says who said so.
    fn a_run_whose_place_is_gone_ends_without_a_launcher(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = running(&site).await;
        let ended = site.metadb.end_dead_runs(&site.bob, &[run.swid]).await.unwrap();
        assert_eq!((ended[0].status, ended[0].refused), (Some(RunStatus::Cancelled), None));
        assert_eq!(standing(&steps(&site, &run).await), ENDED);
        let row = site.metadb.run(&site.bob, run.swid).await.unwrap().unwrap();
        assert_eq!((row.steps.lost, row.steps.cancelled), (1, 1));
        assert_eq!((row.steps.running, row.steps.pending, row.needs_action), (0, 0, false));

        let held = [Held { swid: run.swid, epoch: run.epoch }];
        let renewed = site.metadb.renew_claims(&site.bob, &LaunchHosts::Any, "a", &held, LEASE).await;
        assert_eq!(renewed.unwrap(), [ClaimState::Stale]);
        assert_eq!(site.act("a", &run, vec![Done::Note("x".into())]).await, [Word::Stale]);
        assert_eq!(site.claim(&act("b")).await.claims, []);

        // The work goes on elsewhere, as a run of its own.
        let from = |new: &mut NewRun| new.rescheduled_from = Some(run.swid);
        let moved = site.schedule_with("elsewhere", from).await;
        let claimed = site.claim_one("c", "elsewhere").await;
        assert_eq!((claimed.swid, claimed.place), (moved.swid, None));
        let row = site.metadb.run(&site.bob, moved.swid).await.unwrap().unwrap();
        assert_eq!(row.rescheduled_from, Some(run.swid));

        let log = site.metadb.log_of_run(&site.bob, run.swid, 0, 100).await.unwrap().unwrap();
        let last = log.last().unwrap();
        assert_eq!((last.event.as_str(), last.to), ("cancelled", Some(RunStatus::Cancelled)));
        let evidence = "bob@lab.net said that its place on server2 is gone for good";
        assert_eq!(last.detail.as_deref(), Some(evidence));
    }

    /// What comes in late is kept, and changes no status.
    fn late_facts_are_details(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = running(&site).await;
        site.metadb.end_dead_runs(&site.bob, &[run.swid]).await.unwrap();
        let before = site.metadb.run(&site.bob, run.swid).await.unwrap().unwrap();
        let log = StreamEnd {
            stream: Stream::Stderr,
            path: "/runs/1/stderr".to_owned(),
            size: 4,
            tail: "done".to_owned(),
        };
        let success = Outcome { exit_code: Some(0), ..Outcome::SUCCESS };
        let late = [
            fact(&run, 0, 1, RUNNING),
            Fact { logs: vec![log], ..fact(&run, 0, 1, success) },
            fact(&run, 1, 1, RUNNING),
            fact(&run, 1, 1, success),
        ];
        for _ in 0..2 {
            let taken = site.facts(&late).await;
            assert_eq!(taken.refused, []);
            assert_eq!(taken.runs[0].status, RunStatus::Cancelled);
            assert!(!taken.runs[0].needs_action);
        }
        let steps = steps(&site, &run).await;
        assert_eq!(standing(&steps), ENDED);
        let attempt = &steps[0].attempts[0];
        assert_eq!((attempt.status, attempt.exit_code), (StepStatus::Lost, Some(0)));
        let said = attempt.message.as_deref().unwrap();
        assert_eq!(said, "bob@lab.net said that its place is gone for good");
        assert_eq!(steps[1].attempts[0].status, StepStatus::Success, "kept as it was");
        let after = site.metadb.run(&site.bob, run.swid).await.unwrap().unwrap();
        assert_eq!(after.steps, before.steps);
        let streams =
            site.metadb.streams_of_run(&site.bob, run.swid, StepFilter::default(), 9).await;
        assert_eq!(streams.unwrap().unwrap()[0].stderr.as_ref().unwrap().tail, "done");
    }

    /// A retry that nobody will ever answer is ended too, with the attempts it had got.
    fn a_retry_at_a_place_that_is_gone_can_be_ended(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = running(&site).await;
        site.facts(&[fact(&run, 0, 1, FAILED), closed(&run, 1, 1, SKIPPED)]).await;
        site.release("a", &run).await;
        site.metadb.retry_runs(&site.bob, "r1", &[run.swid]).await.unwrap();
        let again = site.claim_one("b", "gone").await;
        let attempt = NewAttempt {
            step: StepIndex(0),
            attempt: AttemptNumber(2),
            resources: Resources::default(),
        };
        let done = Done::Attempts { answered: Vec::new(), attempts: vec![attempt] };
        site.act("b", &again, vec![done]).await;
        let ended = site.metadb.end_dead_runs(&site.bob, &[run.swid]).await.unwrap();
        assert_eq!(ended[0].status, Some(RunStatus::Cancelled));
        assert_eq!(site.claim(&launch("c", "gone")).await.waiting, 0);
        let steps = steps(&site, &run).await;
        assert_eq!(standing(&steps)[0], (StepStatus::Cancelled, Some(StepReason::CancelledBy)));
        assert_eq!(steps[0].attempts[1].status, StepStatus::Cancelled);
        site.facts(&[fact(&run, 0, 2, Outcome::SUCCESS), closed(&run, 1, 1, CANCELLED)]).await;
        assert_eq!(site.status(run.swid).await, RunStatus::Cancelled);
    }

    /// Only its owner and administrators say so, of a run that has a place and is not over.
    fn not_everybody_says_so_of_everything(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = running(&site).await;
        let alice = account(&site.metadb, "alice@lab.net").await;
        let asked = site.metadb.end_dead_runs(&alice, &[run.swid]).await.unwrap();
        assert_eq!(asked[0].refused, Some(WishRefused::NoSuchRun));
        assert_eq!(site.status(run.swid).await, RunStatus::Running);
        let waits = site.schedule("gone").await;
        let asked = site.metadb.end_dead_runs(&site.bob, &[waits.swid]).await.unwrap();
        assert_eq!(asked[0].refused, Some(WishRefused::NoPlace));
        let ann = crate::Access { sees: Sees::Everything, ..alice };
        let asked = site.metadb.end_dead_runs(&ann, &[run.swid]).await.unwrap();
        assert_eq!(asked[0].status, Some(RunStatus::Cancelled));
        let again = site.metadb.end_dead_runs(&ann, &[run.swid]).await.unwrap();
        assert_eq!(again[0].refused, Some(WishRefused::Over(RunStatus::Cancelled)));
    }
}
