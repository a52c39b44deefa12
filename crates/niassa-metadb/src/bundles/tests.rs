//! What is promised of bundles, on both databases.

use super::*;
use crate::testing::launches::account;
use crate::testing::on_both;
use crate::workflows::{Shown, WorkflowFilter};

fn new(version: &str, sha256: &str, state: WorkflowState) -> NewBundle {
    NewBundle {
        workflow: NewWorkflow {
            name: "Hello".to_owned(),
            version: version.to_owned(),
            description: String::new(),
        },
        state,
        sha256: sha256.repeat(64),
        size: 3,
        manifest: "niassa: 1".to_owned(),
        config: vec![("config/a.ini".to_owned(), "a=1\n".to_owned())],
    }
}

async fn install(metadb: &MetaDb, access: &Access, bundle: &NewBundle) -> BundleInstalled {
    match metadb.install_bundle(access, bundle, None).await.unwrap() {
        Once::Done(installed) => installed,
        Once::Mismatch => panic!("a mismatch without a key"),
    }
}

on_both! {
    fn a_version_has_one_content_and_a_name_one_owner(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let eve = account(&metadb, "eve@lab.net").await;
        let one = new("1", "a", WorkflowState::Installed);
        let BundleInstalled::Now(swid) = install(&metadb, &bob, &one).await else {
            panic!("it was not there");
        };
        assert_eq!(install(&metadb, &bob, &one).await, BundleInstalled::Before(swid));
        assert_eq!(install(&metadb, &eve, &one).await, BundleInstalled::Before(swid));
        let other = new("1", "b", WorkflowState::Installed);
        assert_eq!(install(&metadb, &bob, &other).await, BundleInstalled::OtherContent(swid));
        let owner = BundleInstalled::NotOwner("bob@lab.net".to_owned());
        assert_eq!(install(&metadb, &eve, &other).await, owner);
        // A refusal stores nothing.
        assert_eq!(metadb.bundle(&other.sha256).await.unwrap(), None);
        let stored = metadb.bundle(&one.sha256).await.unwrap().unwrap();
        assert_eq!((stored.size, &stored.config), (3, &one.config));
        // Another version with the same content shares the archive.
        let two = new("2", "a", WorkflowState::Installed);
        assert!(matches!(install(&metadb, &bob, &two).await, BundleInstalled::Now(_)));
    }

    fn development_versions_are_hidden(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        install(&metadb, &bob, &new("1", "a", WorkflowState::Development)).await;
        install(&metadb, &bob, &new("2", "b", WorkflowState::Retired)).await;
        install(&metadb, &bob, &new("3", "c", WorkflowState::Installed)).await;
        let usual =
            WorkflowFilter { name: None, shown: Shown::Usual, before: None, limit: 10 };
        let listed = metadb.workflows(&usual).await.unwrap();
        assert_eq!(listed.iter().map(|w| w.version.as_str()).collect::<Vec<_>>(), ["3"]);
        let all = WorkflowFilter { shown: Shown::All, ..usual };
        assert_eq!(metadb.workflows(&all).await.unwrap().len(), 3);
    }

    fn two_installers_at_once_make_one_workflow(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let bundle = new("1", "a", WorkflowState::Installed);
        let (one, two) =
            tokio::join!(install(&metadb, &bob, &bundle), install(&metadb, &bob, &bundle));
        let now = |outcome: &BundleInstalled| matches!(outcome, BundleInstalled::Now(_));
        assert!(now(&one) != now(&two), "{one:?} {two:?}");
    }
}
