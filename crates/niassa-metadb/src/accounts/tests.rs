//! What is promised of accounts, on both databases.

use super::*;
use crate::access::Sees;
use crate::testing::launches::account;
use crate::testing::on_both;

fn admin() -> Access {
    Access {
        account: AccountId(0),
        email: "root".to_owned(),
        sees: Sees::Everything,
        hosts: None,
        origin: None,
    }
}

fn new(email: &str, role: Role) -> NewAccount {
    NewAccount { email: email.parse().unwrap(), role, password_hash: "x".to_owned() }
}

fn disable() -> AccountChange {
    AccountChange { state: Some(AccountState::Disabled), role: None }
}

on_both! {
    fn an_account_is_made_once_and_listed_for_administrators(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let again = metadb.create_account(&admin(), &new("bob@lab.net", Role::Member), None).await;
        assert_eq!(again.unwrap(), Once::Done(AccountMade::Exists));
        let kim = metadb.create_account(&bob, &new("kim@lab.net", Role::Member), None).await;
        assert_eq!(kim.unwrap(), Once::Done(AccountMade::Exists), "a member makes none");
        assert_eq!(metadb.accounts(&bob, 0, 10).await.unwrap(), []);
        let listed = metadb.accounts(&admin(), 0, 10).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(metadb.accounts(&admin(), listed[0].id.0, 10).await.unwrap(), []);
        assert!(metadb.has_accounts().await.unwrap());
    }

    fn one_administrator_always_stays(metadb: MetaDb) {
        let ann: Email = "ann@lab.net".parse().unwrap();
        let first = new(ann.as_str(), Role::Administrator);
        let made = metadb.create_account(&admin(), &first, None).await.unwrap();
        assert!(matches!(made, Once::Done(AccountMade::Made(_))));
        let kept = metadb.change_account(&admin(), &ann, disable()).await.unwrap();
        assert_eq!(kept, AccountChanged::LastAdministrator);
        let bob = account(&metadb, "bob@lab.net").await;
        let email: Email = "bob@lab.net".parse().unwrap();
        let refused = metadb.change_account(&bob, &ann, disable()).await.unwrap();
        assert_eq!(refused, AccountChanged::Missing);
        let promote = AccountChange { state: None, role: Some(Role::Administrator) };
        let promoted = metadb.change_account(&admin(), &email, promote).await.unwrap();
        assert!(matches!(promoted, AccountChanged::Changed(a) if a.role == Role::Administrator));
        let shut = metadb.change_account(&admin(), &ann, disable()).await.unwrap();
        assert!(matches!(shut, AccountChanged::Changed(a) if a.disabled_at.is_some()));
        assert!(metadb.account_to_sign_in(&ann).await.unwrap().unwrap().is_disabled);
        let nobody = "no@lab.net".parse().unwrap();
        let missing = metadb.change_account(&admin(), &nobody, disable()).await.unwrap();
        assert_eq!(missing, AccountChanged::Missing);
    }

    fn a_password_is_set_by_its_owner_or_an_administrator(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let eve = account(&metadb, "eve@lab.net").await;
        let email: Email = "bob@lab.net".parse().unwrap();
        assert_eq!(metadb.set_password(&eve, &email, "y").await.unwrap(), None);
        assert_eq!(metadb.set_password(&bob, &email, "y").await.unwrap(), Some(bob.account));
        let stored = metadb.account_to_sign_in(&email).await.unwrap().unwrap();
        assert_eq!((stored.id, stored.password_hash.as_str()), (bob.account, "y"));
        assert_eq!(metadb.set_password(&admin(), &email, "z").await.unwrap(), Some(bob.account));
        assert!(metadb.account(&bob, &email).await.unwrap().is_some());
        assert!(metadb.account(&eve, &email).await.unwrap().is_none());
    }
}
