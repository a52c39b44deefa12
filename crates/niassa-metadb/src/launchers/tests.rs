//! Launchers on both databases: seen by their claims, shown with what waits for them.

use niassa_model::accession::Accession;
use niassa_model::account::LaunchHosts;
use niassa_model::time::Timestamp;

use super::{Host, Launcher};
use crate::access::Sees;
use crate::claims::ClaimRequest;
use crate::testing::launches::{Launches, account, act, launch};
use crate::testing::on_both;
use crate::{Access, MetaDb};

async fn hosts(site: &Launches, access: &Access) -> Vec<Host> {
    site.metadb.hosts(access, 100, 0).await.unwrap()
}

async fn seen_for(site: &Launches, run: Accession) -> Option<i64> {
    let run = site.metadb.run(&site.bob, run).await.unwrap().unwrap();
    run.launcher_seen_at.map(Timestamp::as_micros)
}

on_both! {
    /// A claim for a label is remembered, and every run that waits for the label shows it.
    fn a_launcher_is_seen_by_its_claims(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = site.schedule("here").await.swid;
        let waits = site.schedule("elsewhere").await.swid;
        assert_eq!(seen_for(&site, run).await, None);
        let found = hosts(&site, &site.bob).await;
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|host| host.account.is_none() && host.waiting == 1));

        let nothing = ClaimRequest { limit: 0, ..launch("a", "here") };
        site.claim(&nothing).await;
        let first = seen_for(&site, run).await.expect("it was seen");
        assert_eq!(seen_for(&site, waits).await, None, "never for another label");
        // A second call within the minute writes nothing.
        site.claim(&nothing).await;
        assert_eq!(seen_for(&site, run).await, Some(first));

        let found = hosts(&site, &site.bob).await;
        assert_eq!(found.len(), 2);
        let here = found.iter().find(|host| host.host.as_str() == "here").unwrap();
        assert_eq!((here.user.as_deref(), here.account.as_deref()), (Some("bob@lab.net"), Some("bob@lab.net")));
        let launcher = Launcher { os_user: "niassa-bob".into(), machine: "server2".into() };
        assert_eq!(here.launcher, Some(launcher));
        assert_eq!((here.waiting, here.oldest_waiting.is_some()), (1, true));
        assert!(here.oldest_waiting_micros.unwrap() >= 0);

        site.claim(&launch("a", "here")).await;
        assert_eq!(hosts(&site, &site.bob).await.len(), 2);
    }

    /// Neither a propagator, nor a call for named runs, nor a token for other labels is a launcher.
    fn not_everybody_who_claims_is_a_launcher(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let run = site.schedule("here").await.swid;
        site.claim(&act("a")).await;
        let named = ClaimRequest { accessions: Some(vec![]), ..launch("a", "here") };
        site.claim(&named).await;
        let hosts = LaunchHosts::Only(vec!["elsewhere".parse().unwrap()]);
        site.metadb.claim_runs(&site.bob, &hosts, &launch("a", "here")).await.unwrap();
        assert_eq!(seen_for(&site, run).await, None);
    }

    /// People see their own launchers; administrators see all; tokens see their labels.
    fn hosts_are_seen_by_whom_they_concern(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let alice = account(&site.metadb, "alice@lab.net").await;
        site.schedule("here").await;
        site.claim(&launch("a", "here")).await;
        site.metadb.claim_runs(&alice, &LaunchHosts::Any, &launch("b", "there")).await.unwrap();
        let labels = |hosts: Vec<Host>| -> Vec<String> {
            hosts.into_iter().map(|host| host.host.to_string()).collect()
        };
        assert_eq!(labels(hosts(&site, &site.bob).await), ["here"]);
        assert_eq!(labels(hosts(&site, &alice).await), ["there"]);
        let ann = Access { sees: Sees::Everything, ..alice.clone() };
        assert_eq!(labels(hosts(&site, &ann).await), ["here", "there"]);
        assert_eq!(site.metadb.hosts(&ann, 1, 1).await.unwrap()[0].host.as_str(), "there");
        let narrow = Access { hosts: Some(vec!["there".parse().unwrap()]), ..ann };
        assert_eq!(labels(hosts(&site, &narrow).await), ["there"]);
    }
}
