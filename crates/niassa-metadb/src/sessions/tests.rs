//! What is promised of sessions, on both databases.

use niassa_model::account::Role;

use super::*;
use crate::access::Sees;
use crate::accounts::{AccountChange, AccountState};
use crate::testing::launches::account;
use crate::testing::on_both;

const HOUR: Duration = Duration::from_hours(1);
const LIMITS: SessionLimits = SessionLimits { idle: HOUR, longest: HOUR };

fn new(secret: &str) -> NewSession {
    NewSession {
        secret_sha256: secret.to_owned(),
        client: "Browser 1".to_owned(),
        address: "10.0.0.9".to_owned(),
    }
}

async fn is_good(metadb: &MetaDb, secret: &str) -> bool {
    metadb.caller_of_session(secret, HOUR).await.unwrap().is_some()
}

on_both! {
    fn a_session_signs_in_until_its_owner_ends_it(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let eve = account(&metadb, "eve@lab.net").await;
        let id = metadb.begin_session(bob.account, &new("a"), None, LIMITS).await.unwrap().unwrap();
        let found = metadb.caller_of_session("a", HOUR).await.unwrap().unwrap();
        assert_eq!((found.id, found.caller.account), (id, bob.account));
        assert_eq!((found.caller.role, found.caller.scopes), (Role::Member, None));
        assert!(!is_good(&metadb, "b").await);
        let listed = metadb.sessions(&bob, HOUR, 10).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].id, listed[0].address.as_str()), (id, "10.0.0.9"));
        assert_eq!(metadb.sessions(&eve, HOUR, 10).await.unwrap(), []);
        assert!(!metadb.end_session(&eve, id).await.unwrap());
        assert!(is_good(&metadb, "a").await);
        assert!(metadb.end_session(&bob, id).await.unwrap());
        assert!(!is_good(&metadb, "a").await);
    }

    fn a_new_session_replaces_the_one_before(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        metadb.begin_session(bob.account, &new("a"), None, LIMITS).await.unwrap();
        metadb.begin_session(bob.account, &new("b"), Some("a"), LIMITS).await.unwrap();
        assert!(!is_good(&metadb, "a").await);
        assert!(is_good(&metadb, "b").await);
    }

    fn a_session_ends_unused_and_at_its_end(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        metadb.begin_session(bob.account, &new("a"), None, LIMITS).await.unwrap();
        let unused = metadb.caller_of_session("a", Duration::ZERO).await.unwrap();
        assert_eq!(unused, None);
        let over = SessionLimits { idle: HOUR, longest: Duration::ZERO };
        metadb.begin_session(bob.account, &new("b"), None, over).await.unwrap();
        assert!(!is_good(&metadb, "b").await);
        assert!(is_good(&metadb, "a").await);
        // The third one finds the second one over and removes it.
        metadb.begin_session(bob.account, &new("c"), None, LIMITS).await.unwrap();
        metadb.begin_session(bob.account, &new("b"), None, LIMITS).await.unwrap();
        assert!(is_good(&metadb, "b").await);
    }

    fn sessions_end_with_the_password_and_with_the_account(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let root = Access { sees: Sees::Everything, ..account(&metadb, "ann@lab.net").await };
        let email = "bob@lab.net".parse().unwrap();
        metadb.begin_session(bob.account, &new("a"), None, LIMITS).await.unwrap();
        metadb.begin_session(root.account, &new("ann"), None, LIMITS).await.unwrap();
        metadb.set_password(&bob, &email, "y").await.unwrap();
        assert!(!is_good(&metadb, "a").await);

        let ann = "ann@lab.net".parse().unwrap();
        let administers = AccountChange { state: None, role: Some(Role::Administrator) };
        metadb.change_account(&root, &ann, administers).await.unwrap();
        metadb.begin_session(bob.account, &new("a"), None, LIMITS).await.unwrap();
        let shut = AccountChange { state: Some(AccountState::Disabled), role: None };
        metadb.change_account(&root, &email, shut).await.unwrap();
        assert!(!is_good(&metadb, "a").await);
        let refused = metadb.begin_session(bob.account, &new("b"), None, LIMITS).await.unwrap();
        assert_eq!(refused, None);
        // An account that is opened again has no session of before.
        let open = AccountChange { state: Some(AccountState::Enabled), role: None };
        metadb.change_account(&root, &email, open).await.unwrap();
        assert!(!is_good(&metadb, "a").await);
        assert!(is_good(&metadb, "ann").await);
    }
}
