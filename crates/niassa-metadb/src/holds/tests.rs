//! Holds on both databases.

use niassa_model::run::RunStatus;

use crate::access::Sees;
use crate::actions::Word;
use crate::claims::ClaimRequest;
use crate::testing::launches::{CANCELLED, Launches, RUNNING, act, closed, fact, launch};
use crate::testing::on_both;
use crate::{Access, MetaDb};

on_both! {
    /// Nothing new is given out, whoever asks and however; what runs is acted on.
    fn a_held_label_gives_out_no_launches(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let ann = Access { sees: Sees::Everything, ..site.bob.clone() };
        let here = "here".parse().unwrap();
        site.schedule("here").await;
        let runs = site.claim_one("a", "here").await;
        let waits = site.schedule("here").await;
        site.metadb.hold_host(&ann, &here, "moving disks").await.unwrap();
        site.metadb.hold_host(&ann, &here, "new disks").await.unwrap();
        assert_eq!(site.metadb.hold_of_host(&here).await.unwrap().as_deref(), Some("new disks"));

        let claimed = site.claim(&launch("b", "here")).await;
        assert_eq!((claimed.waiting, claimed.claims.len()), (1, 0));
        let named = ClaimRequest { accessions: Some(vec![waits.swid]), ..launch("b", "here") };
        assert_eq!(site.claim(&named).await.claims, []);
        let row = site.metadb.run(&site.bob, waits.swid).await.unwrap().unwrap();
        assert_eq!(row.held_because.as_deref(), Some("new disks"));
        let hosts = site.metadb.hosts(&site.bob, 9, 0).await.unwrap();
        assert_eq!(hosts[0].held_because.as_deref(), Some("new disks"));
        site.schedule("there").await;
        assert_eq!(site.claim(&launch("b", "there")).await.claims.len(), 1);

        // What was given out before goes its way, to its end.
        assert_eq!(site.launch("a", &runs).await, [Word::Go; 4]);
        site.release("a", &runs).await;
        site.facts(&[fact(&runs, 0, 1, RUNNING)]).await;
        let row = site.metadb.run(&site.bob, runs.swid).await.unwrap().unwrap();
        assert_eq!((row.status, row.held_because), (RunStatus::Running, None));
        site.metadb.cancel_runs(&site.bob, &[runs.swid]).await.unwrap();
        assert_eq!(site.claim(&act("c")).await.claims.len(), 1);
        site.facts(&[fact(&runs, 0, 1, CANCELLED), closed(&runs, 1, 1, CANCELLED)]).await;
        assert_eq!(site.status(runs.swid).await, RunStatus::Cancelled);

        assert!(site.metadb.release_host(&ann, &here).await.unwrap());
        assert!(!site.metadb.release_host(&ann, &here).await.unwrap());
        assert_eq!(site.claim_one("d", "here").await.swid, waits.swid);
        site.metadb.hold_host(&ann, &here, "again").await.unwrap();
    }

    /// A hold alone is seen by administrators, whom it concerns.
    fn a_hold_without_runs_is_seen_by_administrators(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let ann = Access { sees: Sees::Everything, ..site.bob.clone() };
        site.metadb.hold_host(&ann, &"empty".parse().unwrap(), "gone").await.unwrap();
        assert_eq!(site.metadb.hosts(&site.bob, 9, 0).await.unwrap(), []);
        let hosts = site.metadb.hosts(&ann, 9, 0).await.unwrap();
        assert_eq!((hosts.len(), hosts[0].user.as_deref()), (1, None));
        assert_eq!(hosts[0].held_because.as_deref(), Some("gone"));
    }
}
