//! Runs that are taken in again, on both databases.

use niassa_model::account::LaunchHosts;
use niassa_model::plan::RetryPolicy;
use niassa_model::step::{Outcome, StepIndex, StepStatus};

use super::*;
use crate::actions::Done;
use crate::facts::Fact;
use crate::testing::launches::{Launches, launched, place};
use crate::testing::on_both;

const SUCCESS: Outcome =
    Outcome { status: StepStatus::Success, reason: None, exit_code: Some(0), signal: None };

fn forgotten(swid: i64, tag: &str, accessions: &[i64]) -> ForgottenRun {
    let steps = launched(&RetryPolicy::NEVER).into_iter().find_map(|done| match done {
        Done::Steps(steps) => Some(steps),
        _ => None,
    });
    let number = |swid: i64| swid.to_string().parse().unwrap();
    ForgottenRun {
        swid: number(swid),
        tag: tag.parse().unwrap(),
        account: "bob@lab.net".to_owned(),
        workflow: "Two".to_owned(),
        version: "1".to_owned(),
        bundle_sha256: "a".repeat(64),
        host: "here".parse().unwrap(),
        parents: vec![number(999)],
        values: "{}".to_owned(),
        sources: "{}".to_owned(),
        place: place(),
        directory: format!("/runs/{swid}-{tag}"),
        launched_on: "server2".to_owned(),
        epoch: 3,
        plan_sha256: "b".repeat(64),
        steps: steps.unwrap(),
        accessions: accessions.iter().map(|swid| number(*swid)).collect(),
    }
}

async fn recovered(site: &Launches, run: &ForgottenRun) -> (Accession, Access) {
    match site.metadb.recover_run(&site.bob, run).await.unwrap() {
        Recovery::There(swid, access) => (swid, access),
        other => panic!("{other:?}"),
    }
}

on_both! {
    /// Accessions that are free are kept and never dealt out again; others are drawn anew.
    fn a_run_keeps_what_it_had_where_it_can(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let taken = site.schedule("here").await;
        let run = forgotten(50, "abcdefghij", &[51, 52]);
        let (kept, access) = recovered(&site, &run).await;
        assert_eq!(kept, run.swid);
        assert_eq!(recovered(&site, &run).await.0, kept, "once");
        let facts: Vec<Fact> = [0, 1].map(|step| Fact {
            run: kept,
            tag: run.tag.clone(),
            step: StepIndex(step),
            attempt: niassa_model::step::AttemptNumber::FIRST,
            outcome: SUCCESS,
            message: None,
            started_at: None,
            ended_at: None,
            machine: None,
            cpu_micros: None,
            peak_memory_bytes: None,
            logs: Vec::new(),
            outputs: Vec::new(),
        }).to_vec();
        site.metadb.record_facts(&access, &LaunchHosts::Any, &facts, &[]).await.unwrap();
        assert_eq!(site.status(kept).await, RunStatus::Completed);
        let next = site.schedule("here").await;
        assert!(next.swid.get() > 52, "{}", next.swid);
        let again = forgotten(taken.swid.get(), "klmnopqrst", &[51, 60]);
        let (moved, _) = recovered(&site, &again).await;
        assert!(moved.get() > next.swid.get(), "{moved}");
        assert_eq!(site.status(moved).await, RunStatus::Pending);
        let far = forgotten(i64::MAX, "uvwxyz2345", &[]);
        assert!(recovered(&site, &far).await.0.get() < 1_000);
        let found = site.metadb.soundness().await.unwrap();
        assert!(found.iter().all(|rule| rule.broken_by.is_empty()), "{found:?}");
    }

    /// What the MetaDB cannot know of is refused, and tags are told to those who see everything.
    fn what_has_no_account_or_workflow_is_refused(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let nobody = ForgottenRun {
            account: "no@lab.net".to_owned(),
            ..forgotten(50, "abcdefghij", &[])
        };
        let refused = site.metadb.recover_run(&site.bob, &nobody).await.unwrap();
        assert_eq!(refused, Recovery::NoAccount);
        let other = ForgottenRun { version: "2".to_owned(), ..forgotten(50, "abcdefghij", &[]) };
        let refused = site.metadb.recover_run(&site.bob, &other).await.unwrap();
        assert_eq!(refused, Recovery::NoWorkflow);
        let run = forgotten(50, "abcdefghij", &[]);
        recovered(&site, &run).await;
        let tags = [run.tag.clone(), "zzzzzzzzzz".parse().unwrap()];
        assert_eq!(site.metadb.runs_of_tags(&site.bob, &tags).await.unwrap(), []);
        let admin = Access { sees: crate::access::Sees::Everything, ..site.bob.clone() };
        let known = site.metadb.runs_of_tags(&admin, &tags).await.unwrap();
        assert_eq!(known.iter().map(|run| run.swid.get()).collect::<Vec<_>>(), [50]);
    }
}
