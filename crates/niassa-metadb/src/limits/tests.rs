//! Limits and priorities on both databases.

use niassa_model::accession::Accession;
use niassa_model::run::RunStatus;
use niassa_model::step::Outcome;

use super::{FullLimit, LimitKind, LimitOn};
use crate::MetaDb;
use crate::actions::Word;
use crate::claims::{ClaimRequest, ClaimedRun};
use crate::desires::WishRefused;
use crate::grants::NewLaunchGrant;
use crate::idempotency::OnceKey;
use crate::schedule::{NewRun, Scheduler, Scheduling};
use crate::testing::launches::{CANCELLED, Launches, account, fact, first_claim, launch, new_run};
use crate::testing::on_both;

/// Ends a run that was claimed by `a`.
async fn finish(site: &Launches, run: &ClaimedRun) {
    assert_eq!(site.launch("a", run).await, [Word::Go; 4]);
    site.facts(&[fact(run, 0, 1, Outcome::SUCCESS), fact(run, 1, 1, Outcome::SUCCESS)]).await;
    site.release("a", run).await;
}

/// Asks for a run that is made claimed.
async fn at_once(
    scheduler: &Scheduler,
    site: &Launches,
    host: &str,
    once: Option<OnceKey>,
) -> Scheduling {
    scheduler.schedule(&site.bob, claimed_run(site.workflow, host), once).await.unwrap()
}

fn claimed_run(workflow: Accession, host: &str) -> NewRun {
    NewRun { claim: Some(first_claim("at once")), ..new_run(workflow, host) }
}

on_both! {
    /// A limit counts what runs and what was given out; it has room again when something ends.
    fn a_limit_holds_runs_back(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let here = LimitOn::Host("here".parse().unwrap());
        assert!(site.metadb.set_limit(&site.bob, &here, 9).await.unwrap());
        assert!(site.metadb.set_limit(&site.bob, &here, 2).await.unwrap());
        for _ in 0..4 {
            site.schedule("here").await;
        }
        let last = site.schedule("here").await.swid;
        let first = site.claim(&launch("a", "here")).await;
        assert_eq!((first.waiting, first.claims.len()), (5, 2));
        assert_eq!(site.claim(&launch("b", "here")).await.claims.len(), 0);
        let row = site.metadb.run(&site.bob, last).await.unwrap().unwrap();
        assert_eq!(row.full_limit, Some(FullLimit { kind: LimitKind::Host, runs: 2 }));
        let listed = site.metadb.limits().await.unwrap();
        assert_eq!((listed[0].on.clone(), listed[0].runs, listed[0].running), (here.clone(), 2, 2));
        site.schedule("there").await;
        assert_eq!(site.claim(&launch("b", "there")).await.claims.len(), 1);

        finish(&site, &first.claims[0]).await;
        let row = site.metadb.run(&site.bob, last).await.unwrap().unwrap();
        assert_eq!(row.full_limit, None);
        assert_eq!(site.claim(&launch("b", "here")).await.claims.len(), 1);
        assert!(site.metadb.remove_limit(&site.bob, &here).await.unwrap());
        assert!(!site.metadb.remove_limit(&site.bob, &here).await.unwrap());
        assert_eq!(site.claim(&launch("c", "here")).await.claims.len(), 2);
    }

    /// A run that is being cancelled has its room until nothing of it can run any more; one that was
    /// never launched gives it back at once.
    fn what_is_being_cancelled_still_counts(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let here = LimitOn::Host("here".parse().unwrap());
        site.metadb.set_limit(&site.bob, &here, 1).await.unwrap();
        let room = async |run: Accession| {
            site.metadb.run(&site.bob, run).await.unwrap().unwrap().full_limit.is_none()
        };
        let never = site.schedule("here").await.swid;
        let other = site.schedule("here").await.swid;
        assert!(room(other).await);
        let first = site.claim_one("a", "here").await;
        assert_eq!(first.swid, never);
        site.metadb.cancel_runs(&site.bob, &[never]).await.unwrap();
        assert!(!room(other).await, "its launcher has not heard of the cancel yet");
        site.release("a", &first).await;
        assert!(room(other).await, "it was never launched");

        let launched = site.claim_one("a", "here").await;
        assert_eq!(launched.swid, other);
        assert_eq!(site.launch("a", &launched).await, [Word::Go; 4]);
        site.release("a", &launched).await;
        let waits = site.schedule("here").await.swid;
        site.metadb.cancel_runs(&site.bob, &[other]).await.unwrap();
        assert_eq!(site.status(other).await, RunStatus::SubmittedCancel);
        assert_eq!(site.claim(&launch("b", "here")).await.claims.len(), 0);
        let row = site.metadb.run(&site.bob, waits).await.unwrap().unwrap();
        let full = Some(FullLimit { kind: LimitKind::Host, runs: 1 });
        assert_eq!(row.full_limit, full, "its steps may still run");
        site.facts(&[fact(&launched, 0, 1, CANCELLED), fact(&launched, 1, 1, CANCELLED)]).await;
        assert_eq!(site.status(other).await, RunStatus::Cancelled);
        assert_eq!(site.claim_one("b", "here").await.swid, waits);
    }

    /// Whoever would launch at once is told of the limit that is in the way.
    fn a_run_that_is_made_claimed_needs_room_too(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let scheduler = Scheduler::start(&site.metadb);
        let full = async |host: &str| match at_once(&scheduler, &site, host, None).await {
            Scheduling::NoRoom(limit) => Some((limit.kind, limit.runs)),
            Scheduling::Accepted(_) => None,
            Scheduling::Refused(why) => panic!("{why:?}"),
        };
        let set = async |on: LimitOn, runs: u32| {
            assert!(site.metadb.set_limit(&site.bob, &on, runs).await.unwrap());
        };
        set(LimitOn::Host("here".parse().unwrap()), 2).await;
        let once = OnceKey { key: "1".to_owned(), request_sha256: "a".to_owned() };
        let first = at_once(&scheduler, &site, "here", Some(once.clone())).await;
        assert_eq!(full("here").await, None);
        assert_eq!(full("here").await, Some((LimitKind::Host, 2)));
        let again = at_once(&scheduler, &site, "here", Some(once)).await;
        assert_eq!(again, first, "who asks once more has its run, and its room");
        site.schedule("here").await;
        set(LimitOn::Account("bob@lab.net".parse().unwrap()), 2).await;
        assert_eq!(full("there").await, Some((LimitKind::Account, 2)));
        set(LimitOn::Account("bob@lab.net".parse().unwrap()), 3).await;
        assert_eq!(full("there").await, None);
        set(LimitOn::Account("bob@lab.net".parse().unwrap()), 9).await;
        set(LimitOn::Workflow(site.workflow), 0).await;
        assert_eq!(full("there").await, Some((LimitKind::Workflow, 0)));
    }

    /// Many at one moment, through several services, and launchers beside them: nobody fills a limit twice.
    fn the_last_room_is_taken_once(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let services = [(); 4].map(|()| Scheduler::start(&site.metadb));
        // The first round opens the connections that the others use at once.
        for round in 0..6 {
            let label = format!("host {round}");
            let limit = LimitOn::Host(label.parse().unwrap());
            site.metadb.set_limit(&site.bob, &limit, 3).await.unwrap();
            site.schedule(&label).await;
            let asking = (0..12).map(|number| {
                let (service, bob) = (services[number % 4].clone(), site.bob.clone());
                let run = claimed_run(site.workflow, &label);
                tokio::spawn(async move { service.schedule(&bob, run, None).await.unwrap() })
            });
            let asking: Vec<_> = asking.collect();
            let mut taken = site.claim(&launch("a", &label)).await.claims.len();
            for asked in asking {
                taken += usize::from(matches!(asked.await.unwrap(), Scheduling::Accepted(_)));
            }
            assert_eq!(taken, 3, "round {round}");
        }
    }

    /// What a limit holds back keeps nothing behind it from being launched.
    fn a_full_limit_keeps_nobody_else_waiting(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let svc = account(&site.metadb, "svc@lab.net").await;
        let alice = account(&site.metadb, "alice@lab.net").await;
        for owner in [&site.bob, &alice] {
            let new = NewLaunchGrant {
                owner: owner.email.parse().unwrap(),
                grantee: "svc@lab.net".parse().unwrap(),
                host: "here".parse().unwrap(),
                seconds: None,
            };
            site.metadb.grant_launch(owner, &new, None).await.unwrap();
        }
        let bob = LimitOn::Account("bob@lab.net".parse().unwrap());
        site.metadb.set_limit(&site.bob, &bob, 1).await.unwrap();
        for _ in 0..10 {
            site.schedule("here").await;
        }
        for _ in 0..10 {
            site.schedule_as(&alice, "here").await;
        }
        let hosts = niassa_model::account::LaunchHosts::Any;
        let some = ClaimRequest { limit: 6, ..launch("s", "here") };
        let claimed = site.metadb.claim_runs(&svc, &hosts, &some).await.unwrap().claims;
        let of = |email: &str| claimed.iter().filter(|run| run.account == email).count();
        assert_eq!((of("bob@lab.net"), of("alice@lab.net")), (1, 5));
        // Claimed once more by the same holder, a run has its room already.
        let again = site.metadb.claim_runs(&svc, &hosts, &some).await.unwrap().claims;
        assert_eq!(again.len(), 6);
        assert!(again.iter().filter(|run| run.account == "bob@lab.net").count() <= 1);
    }

    /// Two launchers at once never fill a limit twice.
    fn launchers_take_turns_at_a_limit(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let workflow = LimitOn::Workflow(site.workflow);
        site.metadb.set_limit(&site.bob, &workflow, 5).await.unwrap();
        for _ in 0..12 {
            site.schedule("here").await;
        }
        let small = |holder: &str| ClaimRequest { limit: 3, ..launch(holder, "here") };
        let (a, b, c) = (small("a"), small("b"), small("c"));
        let (a, b, c) = tokio::join!(site.claim(&a), site.claim(&b), site.claim(&c));
        assert_eq!(a.claims.len() + b.claims.len() + c.claims.len(), 5);
    }

    /// A limit is on something that there is.
    fn limits_are_on_what_there_is(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let strange = [
            LimitOn::Workflow(4_711.try_into().unwrap()),
            LimitOn::Account("nobody@lab.net".parse().unwrap()),
        ];
        for on in &strange {
            assert!(!site.metadb.set_limit(&site.bob, on, 1).await.unwrap());
            assert!(!site.metadb.remove_limit(&site.bob, on).await.unwrap());
        }
        assert_eq!(site.metadb.limits().await.unwrap(), []);
    }

    /// The most urgent run is launched first, then the oldest; its owner may change that.
    fn the_highest_priority_goes_first(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let old = site.schedule("here").await.swid;
        let urgent = site.schedule_with("here", |run| run.priority = 5).await.swid;
        let raised = site.schedule("here").await.swid;
        let alice = account(&site.metadb, "alice@lab.net").await;
        let theirs = site.metadb.prioritize_runs(&alice, &[raised], 9).await.unwrap();
        assert_eq!(theirs[0].refused, Some(WishRefused::NoSuchRun));
        let done = site.metadb.prioritize_runs(&site.bob, &[raised], 9).await.unwrap();
        assert_eq!(done[0].refused, None);
        let row = site.metadb.run(&site.bob, raised).await.unwrap().unwrap();
        assert_eq!(row.priority, 9);
        let log = site.metadb.log_of_run(&site.bob, raised, 0, 9).await.unwrap().unwrap();
        assert_eq!(log.last().unwrap().detail.as_deref(), Some("priority 9 instead of 0"));
        let one = ClaimRequest { limit: 1, ..launch("a", "here") };
        let mut order = Vec::new();
        for holder in ["a", "b", "c"] {
            let one = ClaimRequest { holder: holder.to_owned(), ..one.clone() };
            order.push(site.claim(&one).await.claims[0].swid);
        }
        assert_eq!(order, [raised, urgent, old]);
    }
}
