//! Claims on both databases: one holder at a time, fenced, offered again, never withheld.

use std::collections::HashSet;
use std::time::Duration;

use niassa_model::account::LaunchHosts;
use niassa_model::place::EngineKind;
use niassa_model::run::RunStatus;

use sqlx::Row;

use super::{ClaimRequest, ClaimState, Held, Wish, candidates};
use crate::MetaDb;
use crate::actions::{Done, Word};
use crate::dialect::Dialect;
use crate::testing::launches::{Launches, account, act, launch, launched};
use crate::testing::on_both;

on_both! {
    /// Of two launchers at the same time each run is offered to one.
    fn a_run_is_held_by_one(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        for _ in 0..20 {
            site.schedule("here").await;
        }
        let small = |holder: &str| ClaimRequest { limit: 10, ..launch(holder, "here") };
        let (first, second) = (small("a"), small("b"));
        let (a, b) = tokio::join!(site.claim(&first), site.claim(&second));
        let all: HashSet<_> = a.claims.iter().chain(&b.claims).map(|run| run.swid).collect();
        assert_eq!((a.claims.len(), b.claims.len(), all.len()), (10, 10, 20));
        assert_eq!(site.claim(&launch("c", "here")).await.claims.len(), 0);
        assert_eq!(site.claim(&launch("c", "elsewhere")).await.waiting, 0);
    }

    /// Another account, another label, another engine, another place: nothing.
    fn only_runs_for_the_caller_are_offered(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let alice = account(&site.metadb, "alice@lab.net").await;
        let run = site.schedule("here").await;
        let nothing = site.metadb.claim_runs(&alice, &LaunchHosts::Any, &launch("a", "here")).await;
        assert_eq!(nothing.unwrap().claims, []);
        let hosts = LaunchHosts::Only(vec!["elsewhere".parse().unwrap()]);
        let nothing = site.metadb.claim_runs(&site.bob, &hosts, &launch("a", "here")).await;
        assert_eq!(nothing.unwrap().claims, []);
        let by_accession = ClaimRequest {
            host: None,
            accessions: Some(vec![run.swid]),
            ..launch("a", "here")
        };
        assert_eq!(site.claim(&by_accession).await.claims.len(), 1, "whatever its label");

        let slurm = site.schedule_with("here", |run| run.engine = Some(EngineKind::Slurm)).await;
        assert_eq!(site.claim(&launch("b", "here")).await.claims, []);
        let waits = site.metadb.run(&site.bob, slurm.swid).await.unwrap().unwrap();
        assert_eq!(waits.status, RunStatus::Submitted);
        assert!(waits.note.unwrap().contains("engine"), "people are told why");
    }

    /// Whoever lost a claim records nothing more; what was recorded stays.
    fn a_lapsed_claim_is_fenced(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        site.schedule("here").await;
        let short = ClaimRequest { lease: Duration::ZERO, ..launch("a", "here") };
        let run = site.claim(&short).await.claims.remove(0);
        // It is offered again only after a pause, as nothing was recorded.
        assert_eq!(site.claim(&launch("b", "here")).await.claims, []);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let again = site.claim_one("b", "here").await;
        assert_eq!(again.epoch, run.epoch + 1);
        assert_eq!(site.launch("a", &run).await, [Word::Stale; 4]);
        assert_eq!(site.launch("b", &run).await, [Word::Stale; 4], "an old epoch is not enough");
        assert_eq!(site.status(run.swid).await, RunStatus::Submitted);
        let held = [Held { swid: run.swid, epoch: again.epoch }];
        let renewed = site.metadb.renew_claims(&site.bob, &LaunchHosts::Any, "a", &held, Duration::from_secs(9)).await;
        assert_eq!(renewed.unwrap(), [ClaimState::Stale]);
        let renewed = site.metadb.renew_claims(&site.bob, &LaunchHosts::Any, "b", &held, Duration::from_secs(9)).await;
        assert_eq!(renewed.unwrap(), [ClaimState::Held]);
        site.release("b", &again).await;
        assert_eq!(site.launch("b", &again).await, [Word::Stale; 4], "it was given back");
    }

    /// What each claim asks and what is nearly never so must not be looked for among all that waits. A fresh
    /// server knows nothing of its tables yet and has to be led.
    fn what_is_rare_is_found_by_an_index(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        site.schedule("here").await;
        let explain = match site.metadb.dialect() {
            Dialect::Sqlite => concat!("explain query plan ", candidates::abandoned_cancels!()),
            Dialect::Postgres => concat!("explain ", candidates::abandoned_cancels!()),
        };
        let rows = sqlx::query(explain)
            .bind(site.bob.account.0)
            .bind(None::<String>)
            .bind(0_i64)
            .bind("here")
            .bind(site.bob.account.0)
            .fetch_all(site.metadb.reader())
            .await
            .unwrap();
        let plan = |row: &sqlx::any::AnyRow| {
            (0..row.len()).filter_map(|column| row.try_get::<String, _>(column).ok()).collect()
        };
        let plan: Vec<String> = rows.iter().flat_map(|row| -> Vec<String> { plan(row) }).collect();
        // SQLite looks by owner, place and status, which is as good.
        let is_led = |line: &String| line.contains("run_abandoned") || line.contains("status=?)");
        assert!(plan.iter().any(is_led), "{plan:?}");
    }

    /// A token for other labels renews and gives back nothing.
    fn a_claim_is_for_the_labels_of_its_token(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        site.schedule("here").await;
        let run = site.claim_one("a", "here").await;
        let held = [Held { swid: run.swid, epoch: run.epoch }];
        let hosts = LaunchHosts::Only(vec!["elsewhere".parse().unwrap()]);
        let released = site.metadb.release_claims(&site.bob, &hosts, "a", &held).await;
        assert_eq!(released.unwrap(), [ClaimState::Stale]);
        assert_eq!(site.launch("a", &run).await, [Word::Go; 4], "it is held as before");
    }

    /// Steps that the recorded plan has not are not recorded, and break no list.
    fn steps_beyond_the_plan_are_refused(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        site.schedule("here").await;
        let run = site.claim_one("a", "here").await;
        let steps = launched(&niassa_model::plan::RetryPolicy::NEVER).remove(2);
        assert_eq!(site.act("a", &run, vec![steps]).await, [Word::Stale]);
        assert_eq!(site.launch("a", &run).await, [Word::Go; 4]);
    }

    /// Runs that cannot be launched now do not stand in the way of those behind them.
    fn a_sick_run_is_offered_behind_healthy_ones(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let sick = site.schedule("here").await.swid;
        let one = ClaimRequest { limit: 1, ..launch("a", "here") };
        let run = site.claim(&one).await.claims.remove(0);
        assert_eq!(run.swid, sick);
        site.act("a", &run, vec![Done::Note("its archive is gone".into())]).await;
        site.release("a", &run).await;
        let healthy = site.schedule("here").await.swid;
        let order: Vec<_> =
            site.claim(&launch("b", "here")).await.claims.iter().map(|run| run.swid).collect();
        assert_eq!(order, [sick, healthy], "both are offered");
        let one = ClaimRequest { limit: 1, ..launch("b", "here") };
        assert_eq!(site.claim(&one).await.claims[0].swid, healthy);
    }

    /// A launcher that says why a run cannot be launched now is asked again at once.
    fn a_run_with_a_word_about_it_is_not_held_back(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        site.schedule("here").await;
        for tick in 0..3 {
            let run = site.claim_one("a", "here").await;
            let why = Done::Note(format!("not mounted ({tick})"));
            assert_eq!(site.act("a", &run, vec![why]).await, [Word::Go]);
            site.release("a", &run).await;
        }
    }

    /// A run that was created claimed is its holder's, and nobody else's.
    fn a_run_can_be_born_claimed(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = site.schedule_claimed("here", "me").await;
        assert_eq!(site.claim(&launch("cron", "here")).await.claims, []);
        let mine = ClaimRequest {
            host: None,
            accessions: Some(vec![run.swid]),
            ..launch("me", "here")
        };
        let claimed = site.claim(&mine).await.claims.remove(0);
        assert_eq!(claimed.wish, Wish::Launch);
        assert_eq!(site.launch("me", &claimed).await, [Word::Go; 4]);
        assert_eq!(site.status(run.swid).await, RunStatus::Pending);
    }

    /// A launched run is offered only where it lies, and only when it needs something or is named.
    fn a_launched_run_stays_at_its_place(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        site.schedule("here").await;
        let run = site.claim_one("a", "here").await;
        site.launch("a", &run).await;
        site.release("a", &run).await;
        assert_eq!(site.claim(&act("b")).await.claims, []);
        let named = ClaimRequest { accessions: Some(vec![run.swid]), ..act("b") };
        let elsewhere = ClaimRequest { places: vec!["other".to_owned()], ..named.clone() };
        assert_eq!(site.claim(&elsewhere).await.claims, []);
        let claimed = site.claim(&named).await.claims.remove(0);
        assert_eq!(claimed.plan_sha256, Some("b".repeat(64)));
        assert_eq!(claimed.place, Some(crate::testing::launches::place()));
        site.release("b", &claimed).await;
        site.metadb.cancel_runs(&site.bob, &[run.swid]).await.unwrap();
        let claimed = site.claim(&act("b")).await.claims.remove(0);
        assert_eq!(claimed.wish, Wish::Cancel);
    }

    /// Recording the same twice changes nothing, and the first place stays.
    fn records_may_be_repeated(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        site.schedule("here").await;
        let run = site.claim_one("a", "here").await;
        let actions = launched(&niassa_model::plan::RetryPolicy::NEVER);
        let hosts = LaunchHosts::Any;
        let held = Held { swid: run.swid, epoch: run.epoch };
        let record = || {
            let actions: Vec<_> = actions
                .iter()
                .map(|done| crate::actions::Action { held, done: done.clone() })
                .collect();
            let (metadb, bob, hosts) = (&site.metadb, &site.bob, &hosts);
            async move { metadb.record_actions(bob, hosts, "a", &actions).await.unwrap() }
        };
        let (first, second) = (record().await, record().await);
        assert_eq!(first[2].accessions.len(), 2);
        assert_eq!(first, second);
        let row = site.metadb.run(&site.bob, run.swid).await.unwrap().unwrap();
        assert_eq!((row.steps.total, row.steps.pending), (2, 2));
    }
}

#[test]
fn a_run_is_offered_later_each_time_and_within_a_minute() {
    let seconds: Vec<i64> = (0..9).map(|count| super::backoff(count) / 1_000_000).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(super::backoff(i64::MAX), 60_000_000);
}
