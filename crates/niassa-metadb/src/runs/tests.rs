//! Lists of runs on both databases: every run once, and only those that may be seen.

use std::collections::BTreeSet;

use niassa_model::run::{Mark, RunStatus};

use super::*;
use crate::access::Sees;
use crate::claims::Wish;
use crate::grants::{LaunchGranted, NewLaunchGrant};
use crate::idempotency::Once;
use crate::metadata::studies::NewStudy;
use crate::steps::StepFilter;
use crate::testing::launches::{Launches, account, new_run, place};
use crate::testing::on_both;

async fn list(site: &Launches, filter: &RunFilter) -> Vec<Accession> {
    let runs = site.metadb.runs(&site.bob, filter, 500).await.unwrap();
    runs.iter().map(|run| run.swid).collect()
}

/// Waits until the database's clock has gone on: SQLite's counts milliseconds.
async fn another_moment(metadb: &MetaDb) {
    let before = metadb.now().await.unwrap();
    while metadb.now().await.unwrap() == before {}
}

pub(crate) async fn study(metadb: &MetaDb, owner: &Access) -> Accession {
    let study = NewStudy {
        title: "Phages".to_owned(),
        description: String::new(),
        accession: None,
        center_name: None,
        center_project_name: None,
        study_type: None,
    };
    let Once::Done(study) = metadb.create_study(owner, &study, None).await.unwrap() else {
        panic!("a study")
    };
    study
}

async fn grant(metadb: &MetaDb, owner: &Access, to: &str, host: &str) {
    let new = NewLaunchGrant {
        owner: owner.email.parse().unwrap(),
        grantee: to.parse().unwrap(),
        host: host.parse().unwrap(),
        seconds: None,
    };
    let done = metadb.grant_launch(owner, &new, None).await.unwrap();
    assert!(matches!(done, Once::Done(LaunchGranted::Granted(_))));
}

/// Filters of which each takes another way.
fn filters(workflow: Accession) -> Vec<RunFilter> {
    let any = RunFilter::default();
    let with = |status| Some(BTreeSet::from([status]));
    let host = |host: &str| RunFilter { host: Some(host.to_owned()), ..RunFilter::default() };
    let of = |email: &str| RunFilter { account: Some(email.parse().unwrap()), ..any.clone() };
    vec![
        any.clone(),
        host("here"),
        host("granted"),
        host("nowhere"),
        of("bob@lab.net"),
        of("nobody@lab.net"),
        RunFilter { statuses: with(RunStatus::Pending), ..any.clone() },
        RunFilter { statuses: with(RunStatus::Failed), ..any.clone() },
        RunFilter { statuses: with(RunStatus::Submitted), ..host("here") },
        RunFilter { statuses: with(RunStatus::Submitted), ..of("bob@lab.net") },
        RunFilter { workflow: Some(workflow), ..any.clone() },
        RunFilter { workflow_name: Some("Two".to_owned()), ..host("granted") },
        RunFilter { words: vec!["here".to_owned()], ..any.clone() },
        RunFilter { from: Some(0), ..host("here") },
        RunFilter { to: Some(0), ..any.clone() },
        RunFilter { marks: marks(&["urgent"]), ..any.clone() },
        RunFilter { marks: marks(&["checked", "urgent"]), ..any.clone() },
        RunFilter { marks: marks(&["nobody"]), ..any.clone() },
        RunFilter { marks: marks(&["checked"]), ..host("here") },
    ]
}

/// What the filters above mean.
fn fits(filter: &RunFilter, run: &Run) -> bool {
    let account = filter.account.as_ref();
    filter.host.as_ref().is_none_or(|host| host == run.host.as_str())
        && filter.statuses.as_ref().is_none_or(|all| all.contains(&run.status))
        && account.is_none_or(|email| email.as_str() == run.account)
        && filter.words.iter().all(|word| run.host.as_str() == word)
        && filter.marks.iter().all(|mark| run.marks.iter().any(|given| given.mark == *mark))
        && filter.to.is_none()
}

fn marks(words: &[&str]) -> Vec<Mark> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}

/// Looks through a few at a time, as far back as it goes.
async fn in_parts(
    metadb: &MetaDb,
    access: &Access,
    filter: &RunFilter,
    looked: u32,
    limit: u32,
) -> Vec<Accession> {
    let (mut filter, mut seen) = (filter.clone(), Vec::new());
    for _ in 0..100 {
        let found = metadb.newest_runs(access, &filter, limit, looked).await.unwrap();
        seen.extend(found.runs.iter().map(|run| run.swid));
        let is_full = found.runs.len() == limit as usize;
        let last = found.runs.last().filter(|_| is_full).map(|run| run.swid.get());
        match last.or(found.behind.map(|behind| behind + 1)) {
            Some(before) => filter.before = Some(before),
            None => return seen,
        }
    }
    panic!("it does not end")
}

on_both! {
    /// Walking pages sees each run once, newest first, also while new ones arrive.
    fn pages_show_each_run_once(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let mut scheduled = Vec::new();
        for _ in 0..11 {
            scheduled.push(site.schedule("here").await.swid);
        }
        scheduled.reverse();
        for size in [1, 3, 10, 11, 12] {
            let mut filter = RunFilter::default();
            let mut seen = Vec::new();
            loop {
                let page = metadb.runs(&site.bob, &filter, size).await.unwrap();
                let Some(last) = page.last() else { break };
                filter.before = Some(last.swid.get());
                seen.extend(page.iter().map(|run| run.swid));
                site.schedule("new").await;
            }
            seen.retain(|run| scheduled.contains(run));
            assert_eq!(seen, scheduled, "pages of {size}");
        }
    }

    /// Each condition by itself and joined, whichever statement it chooses.
    fn conditions_are_joined(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let first = site.schedule("here").await.swid;
        another_moment(&metadb).await;
        let second = site.schedule("a 'b' \"c\"").await.swid;
        another_moment(&metadb).await;
        let launched = site.schedule("there").await.swid;
        let claim = site.claim_one("me", "there").await;
        site.launch("me", &claim).await;

        let any = RunFilter::default();
        assert_eq!(list(&site, &any).await, [launched, second, first]);
        let labelled = RunFilter { host: Some("a 'b' \"c\"".to_owned()), ..any.clone() };
        assert_eq!(list(&site, &labelled).await, [second]);
        let with = |statuses: &[RunStatus]| RunFilter {
            statuses: Some(statuses.iter().copied().collect()),
            ..any.clone()
        };
        assert_eq!(list(&site, &with(&[RunStatus::Submitted])).await, [second, first]);
        assert_eq!(list(&site, &with(&[RunStatus::Pending, RunStatus::Failed])).await, [launched]);
        assert_eq!(list(&site, &with(&[])).await, []);
        let named = RunFilter { accessions: Some(vec![first, launched]), ..any.clone() };
        assert_eq!(list(&site, &named).await, [launched, first]);
        let named = RunFilter { statuses: Some(BTreeSet::from([RunStatus::Pending])), ..named };
        assert_eq!(list(&site, &named).await, [launched]);
        let placed = RunFilter { place_key: Some(place().key()), ..any.clone() };
        assert_eq!(list(&site, &placed).await, [launched]);
        let of_workflow = RunFilter { workflow: Some(site.workflow), ..any.clone() };
        assert_eq!(list(&site, &of_workflow).await.len(), 3);
        let of_other = RunFilter { workflow: Some(first), ..any.clone() };
        assert_eq!(list(&site, &of_other).await, []);
        let at = metadb.run(&site.bob, second).await.unwrap().unwrap().created_at.as_micros();
        let from = RunFilter { from: Some(at), to: Some(at + 1), ..any.clone() };
        assert_eq!(list(&site, &from).await, [second]);
        let own = RunFilter { whose: Whose::Own, ..any.clone() };
        assert_eq!(list(&site, &own).await, [launched, second, first]);
        let root = Access { account: niassa_model::account::AccountId(0), sees: Sees::Everything, ..site.bob.clone() };
        assert_eq!(metadb.runs(&root, &any, 9).await.unwrap().len(), 3, "it sees everybody's");
        assert_eq!(metadb.runs(&root, &own, 9).await.unwrap(), [], "and has none of its own");
        let active = RunFilter { statuses: Some(BTreeSet::from([RunStatus::Submitted])), ..own };
        assert_eq!(metadb.runs(&root, &active, 9).await.unwrap(), []);
        assert_eq!(list(&site, &active).await, [second, first]);
        let named = |name: &str| RunFilter { workflow_name: Some(name.to_owned()), ..any.clone() };
        assert_eq!(list(&site, &named("Two")).await.len(), 3);
        assert_eq!(list(&site, &named("two")).await, []);
        let words = |words: &[&str]| RunFilter {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            ..any.clone()
        };
        assert_eq!(list(&site, &words(&["TWO", "/runs/1"])).await, [launched]);
        assert_eq!(list(&site, &words(&["two", "%"])).await, []);
        assert_eq!(list(&site, &words(&["_wo"])).await, []);
        let of = |email: &str| RunFilter { account: Some(email.parse().unwrap()), ..any.clone() };
        assert_eq!(list(&site, &of("bob@lab.net")).await.len(), 3);
        assert_eq!(list(&site, &of("eve@lab.net")).await, []);
        let before = RunFilter { to: Some(at), ..any };
        assert_eq!(list(&site, &before).await, [first]);
    }

    /// Whatever is asked for, by whomever: all ways lead to the same runs, walked whole or in parts.
    fn every_way_finds_the_same(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let (eve, dan) = (account(&metadb, "eve@lab.net").await, account(&metadb, "dan@lab.net").await);
        let study = study(&metadb, &site.bob).await;
        metadb.add_study_reader(&site.bob, study, &"eve@lab.net".parse().unwrap()).await.unwrap();
        grant(&metadb, &site.bob, "eve@lab.net", "granted").await;
        for number in 0..12 {
            match number % 4 {
                0 => site.schedule_as(&eve, "granted").await,
                1 => site.schedule("granted").await,
                2 => site.schedule_with("here", |run| run.parents = vec![study]).await,
                _ => site.schedule("here").await,
            };
        }
        let claim = site.claim_one("me", "here").await;
        site.launch("me", &claim).await;
        let root = Access { sees: Sees::Everything, ..dan.clone() };
        let all = metadb.runs(&root, &RunFilter::default(), 500).await.unwrap();
        assert_eq!(all.len(), 12);
        for (word, every) in [("urgent", 3), ("checked", 2)] {
            let some: Vec<_> = all.iter().step_by(every).map(|run| run.swid).collect();
            let change = MarkChange { add: marks(&[word]).into_iter().collect(), ..Default::default() };
            metadb.mark_runs(&root, &some, &change).await.unwrap();
        }
        for (access, sees) in [(&root, 12), (&site.bob, 9), (&eve, 9), (&dan, 0)] {
            let seen = metadb.runs(access, &RunFilter::default(), 500).await.unwrap();
            assert_eq!(seen.len(), sees, "{}", access.email);
            for filter in filters(site.workflow) {
                let fits = |run: &&Run| fits(&filter, run);
                let expected: Vec<_> = seen.iter().filter(fits).map(|run| run.swid).collect();
                let whole = metadb.runs(access, &filter, 500).await.unwrap();
                let whole: Vec<_> = whole.iter().map(|run| run.swid).collect();
                assert_eq!(whole, expected, "{} {filter:?}", access.email);
                for (looked, limit) in [(2, 500), (3, 2), (100, 1)] {
                    let parts = in_parts(&metadb, access, &filter, looked, limit).await;
                    assert_eq!(parts, expected, "{} {looked} {limit} {filter:?}", access.email);
                }
            }
        }
    }

    /// A launched run tells where it is and how its steps stand.
    fn a_launched_run_shows_its_place(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let run = site.schedule("here").await.swid;
        let fresh = metadb.run(&site.bob, run).await.unwrap().unwrap();
        assert_eq!((fresh.place, fresh.wish, fresh.needs_action), (None, Wish::Launch, false));
        assert_eq!((fresh.workflow, fresh.workflow_name.as_str()), (site.workflow, "Two"));
        let claim = site.claim_one("me", "here").await;
        site.launch("me", &claim).await;
        let launched = metadb.run(&site.bob, run).await.unwrap().unwrap();
        assert_eq!(launched.place, Some(place()));
        assert_eq!(launched.directory.as_deref(), Some("/runs/1"));
        assert_eq!((launched.steps.total, launched.steps.pending), (2, 2));
        metadb.cancel_runs(&site.bob, &[run]).await.unwrap();
        let cancelled = metadb.run(&site.bob, run).await.unwrap().unwrap();
        assert_eq!((cancelled.wish, cancelled.status), (Wish::Cancel, RunStatus::SubmittedCancel));
    }

    /// What may not be seen is not there, for every way to look.
    fn what_may_not_be_seen_is_not_there(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let alice = account(&metadb, "alice@lab.net").await;
        let run = site.schedule("here").await.swid;
        let narrowed = |host: &str| Access {
            hosts: Some(vec![host.parse().unwrap()]),
            ..site.bob.clone()
        };
        let steps = StepFilter::default();
        for access in [&alice, &narrowed("there")] {
            assert!(!metadb.sees_run(access, run).await.unwrap());
            assert_eq!(metadb.run(access, run).await.unwrap(), None);
            assert_eq!(metadb.runs(access, &RunFilter::default(), 5).await.unwrap(), []);
            assert_eq!(metadb.asked_of_run(access, run).await.unwrap(), None);
            assert_eq!(metadb.values_of_run(access, run).await.unwrap(), None);
            assert_eq!(metadb.log_of_run(access, run, 0, 5).await.unwrap(), None);
            assert_eq!(metadb.log_after(access, 0, 5).await.unwrap(), []);
            assert_eq!(metadb.steps_of_run(access, run, steps, 5).await.unwrap(), None);
            assert_eq!(metadb.streams_of_run(access, run, steps, 5).await.unwrap(), None);
        }
        assert!(metadb.sees_run(&narrowed("here"), run).await.unwrap());
        let unknown = Accession::try_from(4_711).unwrap();
        assert_eq!(metadb.run(&site.bob, unknown).await.unwrap(), None);
    }

    /// A reader who always asks for what came after the last number misses nothing, although many
    /// write at once.
    fn the_log_is_seen_whole_while_it_grows(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        let schedulers: Vec<_> =
            (0..4).map(|_| crate::schedule::Scheduler::start(&metadb)).collect();
        let mut writers = Vec::new();
        for number in 0..40 {
            let run = new_run(site.workflow, "here");
            let (scheduler, bob) = (schedulers[number % 4].clone(), site.bob.clone());
            writers.push(tokio::spawn(async move {
                scheduler.schedule(&bob, run, None).await.unwrap();
            }));
        }
        let (mut after, mut seen) = (0, BTreeSet::new());
        while seen.len() < 40 {
            for entry in metadb.log_after(&site.bob, after, 7).await.unwrap() {
                assert!(entry.sequence > after);
                after = entry.sequence;
                assert!(seen.insert(entry.run));
            }
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(metadb.newest_entry().await.unwrap(), after);
    }
}
