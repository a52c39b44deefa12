//! Grants on both databases, against an oracle that knows only accounts, grants and labels.

use std::collections::BTreeSet;

use niassa_model::accession::Accession;
use niassa_model::account::LaunchHosts;
use niassa_model::host::HostLabel;
use niassa_model::run::RunStatus;
use niassa_model::step::Outcome;

use super::{LaunchGrant, LaunchGranted, NewLaunchGrant};
use crate::access::Sees;
use crate::actions::{Action, Done, Word};
use crate::claims::{ClaimRequest, ClaimState, ClaimedRun, Held};
use crate::desires::WishRefused;
use crate::facts::FactRefused;
use crate::idempotency::Once;
use crate::runs::{RunFilter, Whose};
use crate::steps::StepFilter;
use crate::testing::launches::{LEASE, Launches, RUNNING, account, act, fact, launch, place};
use crate::testing::on_both;
use crate::{Access, MetaDb};

async fn grant(
    site: &Launches,
    by: &Access,
    (from, to): (&Access, &Access),
    host: &str,
    seconds: Option<i64>,
) -> LaunchGrant {
    let new = NewLaunchGrant {
        owner: from.email.parse().unwrap(),
        grantee: to.email.parse().unwrap(),
        host: host.parse().unwrap(),
        seconds,
    };
    match site.metadb.grant_launch(by, &new, None).await.unwrap() {
        Once::Done(LaunchGranted::Granted(grant)) => grant,
        other => panic!("{other:?}"),
    }
}

async fn claim_as(site: &Launches, caller: &Access, request: &ClaimRequest) -> Vec<ClaimedRun> {
    site.metadb.claim_runs(caller, &LaunchHosts::Any, request).await.unwrap().claims
}

on_both! {
    /// An account that was allowed launches and records; revoking takes effect at the next call.
    fn a_grant_allows_launching_and_nothing_else(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let svc = account(&site.metadb, "svc@lab.net").await;
        let run = site.schedule("here").await;
        assert_eq!(claim_as(&site, &svc, &launch("s", "here")).await, []);
        let granted = grant(&site, &site.bob, (&site.bob, &svc), "here", Some(3_600)).await;
        site.schedule("elsewhere").await;
        assert_eq!(claim_as(&site, &svc, &launch("s", "elsewhere")).await, []);

        let claimed = claim_as(&site, &svc, &launch("s", "here")).await.remove(0);
        assert_eq!((claimed.swid, claimed.account.as_str()), (run.swid, "bob@lab.net"));
        let held = Held { swid: claimed.swid, epoch: claimed.epoch };
        let done = crate::testing::launches::launched(&niassa_model::plan::RetryPolicy::NEVER);
        let actions: Vec<_> = done.into_iter().map(|done| Action { held, done }).collect();
        let hosts = LaunchHosts::Any;
        let answers = site.metadb.record_actions(&svc, &hosts, "s", &actions).await.unwrap();
        assert!(answers.iter().all(|answer| answer.word == Word::Go));
        let started = [fact(&claimed, 0, 1, RUNNING)];
        let taken = site.metadb.record_facts(&svc, &hosts, &started, &[]).await.unwrap();
        assert_eq!(taken.runs[0].status, RunStatus::Running);
        let log = site.metadb.log_of_run(&svc, run.swid, 0, 9).await.unwrap().unwrap();
        let who: Vec<_> = log.iter().map(|entry| entry.account.as_str()).collect();
        assert_eq!(who, ["bob@lab.net", "svc@lab.net", "svc@lab.net"]);
        // What a propagator of svc looks for is there; its own runs are something else.
        let at_place = RunFilter {
            whose: Whose::Own,
            statuses: Some(BTreeSet::from([RunStatus::Running])),
            place_key: Some(place().key()),
            ..RunFilter::default()
        };
        assert_eq!(site.metadb.runs(&svc, &at_place, 9).await.unwrap().len(), 1);
        let named = RunFilter { accessions: Some(vec![run.swid]), ..at_place.clone() };
        assert_eq!(site.metadb.runs(&svc, &named, 9).await.unwrap().len(), 1);
        let own = RunFilter { whose: Whose::Own, ..RunFilter::default() };
        assert_eq!(site.metadb.runs(&svc, &own, 9).await.unwrap(), []);
        let streams = site.metadb.streams_of_run(&svc, run.swid, StepFilter::default(), 9).await;
        assert!(streams.unwrap().is_some());

        let refused = site.metadb.cancel_runs(&svc, &[run.swid]).await.unwrap();
        assert_eq!(refused[0].refused, Some(WishRefused::NotYours));
        let refused = site.metadb.retry_runs(&svc, "r", &[run.swid]).await.unwrap();
        assert_eq!(refused[0].refused, Some(WishRefused::NotYours));
        let refused = site.metadb.end_dead_runs(&svc, &[run.swid]).await.unwrap();
        assert_eq!(refused[0].refused, Some(WishRefused::NotYours));
        assert_eq!(site.metadb.asked_of_run(&svc, run.swid).await.unwrap(), None);
        assert!(!site.metadb.revoke_launch_grant(&svc, granted.id).await.unwrap());

        assert!(site.metadb.revoke_launch_grant(&site.bob, granted.id).await.unwrap());
        let states = site.metadb.renew_claims(&svc, &hosts, "s", &[held], LEASE).await.unwrap();
        assert_eq!(states, [ClaimState::Stale]);
        let note = [Action { held, done: Done::Note("x".into()) }];
        let answers = site.metadb.record_actions(&svc, &hosts, "s", &note).await.unwrap();
        assert_eq!(answers[0].word, Word::Stale);
        let taken = site.metadb.record_facts(&svc, &hosts, &started, &[]).await.unwrap();
        assert_eq!(taken.refused, [(0, FactRefused::NoSuchRun)]);
        assert_eq!(site.metadb.run(&svc, run.swid).await.unwrap(), None);
    }

    /// A grant is given by whose runs they are, or by an administrator; a newer one replaces it.
    fn grants_are_given_by_whom_they_concern(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let svc = account(&site.metadb, "svc@lab.net").await;
        let ann = Access {
            sees: Sees::Everything,
            ..account(&site.metadb, "ann@lab.net").await
        };
        let stolen = NewLaunchGrant {
            owner: "bob@lab.net".parse().unwrap(),
            grantee: "svc@lab.net".parse().unwrap(),
            host: "here".parse().unwrap(),
            seconds: None,
        };
        let refused = site.metadb.grant_launch(&svc, &stolen, None).await.unwrap();
        assert_eq!(refused, Once::Done(LaunchGranted::NoAccount(stolen.owner.clone())));
        let first = grant(&site, &site.bob, (&site.bob, &svc), "here", None).await;
        let second = grant(&site, &ann, (&site.bob, &svc), "here", Some(60)).await;
        assert_eq!(second.granted_by, "ann@lab.net");
        for caller in [&site.bob, &svc, &ann] {
            let all = site.metadb.launch_grants(caller, None, 9).await.unwrap();
            assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), [second.id, first.id]);
            assert_eq!(all[0].revoked_at, None);
            assert!(all[1].revoked_at.is_some(), "the newer one took its place");
        }
        let eve = account(&site.metadb, "eve@lab.net").await;
        assert_eq!(site.metadb.launch_grants(&eve, None, 9).await.unwrap(), []);
        assert!(!site.metadb.revoke_launch_grant(&eve, second.id).await.unwrap());
        assert!(site.metadb.revoke_launch_grant(&ann, second.id).await.unwrap());
    }

    /// One caller serves several accounts in turns.
    fn accounts_are_served_in_turns(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let svc = account(&site.metadb, "svc@lab.net").await;
        let alice = account(&site.metadb, "alice@lab.net").await;
        for owner in [&site.bob, &alice] {
            grant(&site, owner, (owner, &svc), "here", None).await;
        }
        for _ in 0..20 {
            site.schedule("here").await;
        }
        for _ in 0..3 {
            site.schedule_as(&alice, "here").await;
        }
        let some = ClaimRequest { limit: 6, ..launch("s", "here") };
        let claimed = claim_as(&site, &svc, &some).await;
        let of_alice = claimed.iter().filter(|run| run.account == "alice@lab.net").count();
        assert_eq!((claimed.len(), of_alice), (6, 3));
        let rest = ClaimRequest { limit: 50, ..launch("t", "here") };
        assert_eq!(claim_as(&site, &svc, &rest).await.len(), 17);
        let seen = site.metadb.hosts(&alice, 9, 0).await.unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].user.as_deref(), seen[0].account.as_deref()),
            (Some("alice@lab.net"), Some("svc@lab.net")));
        let seen = site.metadb.hosts(&svc, 9, 0).await.unwrap();
        let users: Vec<_> = seen.iter().filter_map(|host| host.user.as_deref()).collect();
        assert_eq!(users, ["alice@lab.net", "bob@lab.net", "svc@lab.net"]);
    }

    /// Random accounts, grants, labels and tokens against the oracle, verb by verb.
    fn what_is_allowed_is_what_the_oracle_says(metadb: MetaDb) {
        let mut world = World::new(Launches::new(metadb).await).await;
        for _ in 0..4 {
            for _ in 0..3 {
                world.grant_at_random().await;
            }
            world.check().await;
        }
    }
}

const LABELS: [&str; 3] = ["a", "b", "c c"];

/// A run that waits, and one that ran and is held by nobody.
struct Pair {
    owner: usize,
    label: usize,
    waits: Accession,
    ran: ClaimedRun,
}

/// What was granted, as the oracle knows it.
struct Granted {
    owner: usize,
    grantee: usize,
    label: usize,
    is_good: bool,
}

struct World {
    site: Launches,
    accounts: Vec<Access>,
    pairs: Vec<Pair>,
    grants: Vec<Granted>,
}

impl World {
    async fn new(site: Launches) -> Self {
        let mut accounts = vec![site.bob.clone()];
        for name in ["alice", "svc", "ann"] {
            accounts.push(account(&site.metadb, &format!("{name}@lab.net")).await);
        }
        accounts[3].sees = Sees::Everything;
        let mut pairs = Vec::new();
        for (owner, access) in accounts.iter().enumerate().take(2) {
            for (label, host) in LABELS.iter().enumerate() {
                site.schedule_as(access, host).await;
                let ran = claim_as(&site, access, &launch("h", host)).await.remove(0);
                let held = Held { swid: ran.swid, epoch: ran.epoch };
                let done =
                    crate::testing::launches::launched(&niassa_model::plan::RetryPolicy::NEVER);
                let done: Vec<_> = done.into_iter().map(|done| Action { held, done }).collect();
                let hosts = LaunchHosts::Any;
                let done = site.metadb.record_actions(access, &hosts, "h", &done).await;
                assert_eq!(done.unwrap()[3].word, Word::Go);
                let waits = site.schedule_as(access, host).await.swid;
                pairs.push(Pair { owner, label, waits, ran });
            }
        }
        Self { site, accounts, pairs, grants: Vec::new() }
    }

    async fn grant_at_random(&mut self) {
        let (owner, label) = (rand::random_range(0..2), rand::random_range(0..LABELS.len()));
        let grantee = rand::random_range(0..self.accounts.len());
        if grantee == owner {
            return;
        }
        let kind = rand::random_range(0..3);
        let parties = (&self.accounts[owner], &self.accounts[grantee]);
        let seconds = [None, Some(3_600), Some(0)][rand::random_range(0..3)];
        let made = grant(&self.site, parties.0, parties, LABELS[label], seconds).await;
        if kind == 0 {
            self.site.metadb.revoke_launch_grant(parties.0, made.id).await.unwrap();
        }
        let same = |old: &Granted| (old.owner, old.grantee, old.label) == (owner, grantee, label);
        self.grants.retain(|old| !same(old));
        let is_good = kind != 0 && seconds != Some(0);
        self.grants.push(Granted { owner, grantee, label, is_good });
    }

    /// The oracle: whether an account may launch the runs of a pair.
    fn may_launch(&self, caller: usize, pair: &Pair) -> bool {
        let is_granted = |grant: &Granted| {
            grant.is_good
                && (grant.owner, grant.grantee, grant.label) == (pair.owner, caller, pair.label)
        };
        caller == pair.owner || self.grants.iter().any(is_granted)
    }

    async fn check(&self) {
        for (number, caller) in self.accounts.iter().enumerate() {
            for token in 0..=LABELS.len() {
                let label = |label: &&str| -> HostLabel { label.parse().unwrap() };
                let hosts = match LABELS.get(token).map(label) {
                    Some(only) => LaunchHosts::Only(vec![only]),
                    None => LaunchHosts::Any,
                };
                let allows = |pair: &Pair| token == LABELS.len() || token == pair.label;
                let may = |pair: &Pair| self.may_launch(number, pair) && allows(pair);
                self.check_launching(caller, &hosts, may).await;
                let narrow = match &hosts {
                    LaunchHosts::Only(hosts) => Some(hosts.clone()),
                    LaunchHosts::Any => None,
                };
                let caller = Access { hosts: narrow, ..caller.clone() };
                let is_all = caller.sees == Sees::Everything;
                let sees = |pair: &Pair| (is_all || self.may_launch(number, pair)) && allows(pair);
                self.check_reading(&caller, sees).await;
            }
            self.check_wishes(number, caller).await;
        }
    }

    async fn check_launching(
        &self,
        caller: &Access,
        hosts: &LaunchHosts,
        may: impl Fn(&Pair) -> bool,
    ) {
        let metadb = &self.site.metadb;
        for (label, host) in LABELS.iter().enumerate() {
            let claimed = metadb.claim_runs(caller, hosts, &launch("h", host)).await.unwrap();
            let got: BTreeSet<_> = claimed.claims.iter().map(|run| run.swid).collect();
            let right = self.pairs.iter().filter(|pair| pair.label == label && may(pair));
            let right: BTreeSet<_> = right.map(|pair| pair.waits).collect();
            assert_eq!(got, right, "{} claims for {host}", caller.email);
            assert_eq!(claimed.waiting, right.len() as u64);
        }
        for pair in &self.pairs {
            let named = ClaimRequest { accessions: Some(vec![pair.ran.swid]), ..act("h") };
            let claimed = metadb.claim_runs(caller, hosts, &named).await.unwrap().claims;
            assert_eq!(claimed.len() == 1, may(pair), "{} acts", caller.email);
            let facts = [fact(&pair.ran, 0, 1, RUNNING), fact(&pair.ran, 1, 1, Outcome::SUCCESS)];
            let taken = metadb.record_facts(caller, hosts, &facts, &[]).await.unwrap();
            assert_eq!(taken.refused.is_empty(), may(pair), "{} records", caller.email);
            if let [run] = &claimed[..] {
                let held = [Held { swid: run.swid, epoch: run.epoch }];
                let state = metadb.release_claims(caller, hosts, "h", &held).await.unwrap();
                assert_eq!(state, [ClaimState::Held]);
            }
        }
    }

    async fn check_reading(&self, caller: &Access, sees: impl Fn(&Pair) -> bool) {
        let metadb = &self.site.metadb;
        for pair in &self.pairs {
            let run = metadb.run(caller, pair.ran.swid).await.unwrap();
            assert_eq!(run.is_some(), sees(pair), "{} reads", caller.email);
            let steps = metadb.steps_of_run(caller, pair.ran.swid, StepFilter::default(), 9).await;
            assert_eq!(steps.unwrap().is_some(), sees(pair));
        }
        let listed = metadb.runs(caller, &RunFilter::default(), 100).await.unwrap();
        let listed: BTreeSet<_> = listed.iter().map(|run| run.swid).collect();
        let right = self.pairs.iter().filter(|pair| sees(pair));
        let right: BTreeSet<_> = right.flat_map(|pair| [pair.waits, pair.ran.swid]).collect();
        assert_eq!(listed, right, "{} lists", caller.email);
    }

    /// Wishes are refused in a way that shows who might have them, and changes nothing: the runs
    /// are not over.
    async fn check_wishes(&self, number: usize, caller: &Access) {
        for pair in &self.pairs {
            let asked = self.site.metadb.retry_runs(caller, "r", &[pair.ran.swid]).await.unwrap();
            let is_theirs = number == pair.owner || caller.sees == Sees::Everything;
            let right = match (is_theirs, self.may_launch(number, pair)) {
                (true, _) => WishRefused::NotOver(RunStatus::Running),
                (false, true) => WishRefused::NotYours,
                (false, false) => WishRefused::NoSuchRun,
            };
            assert_eq!(asked[0].refused, Some(right), "{} wishes", caller.email);
        }
    }
}
