//! The audit log on both databases: written with what it tells, chained, and never changed.

use std::net::{IpAddr, Ipv4Addr};

use niassa_model::account::Scope;

use super::AuditEntry;
use crate::access::Sees;
use crate::dialect::Dialect;
use crate::grants::NewLaunchGrant;
use crate::limits::LimitOn;
use crate::testing::launches::{Launches, account};
use crate::testing::on_both;
use crate::tokens::NewToken;
use crate::{Access, MetaDb};

fn administrator(site: &Launches) -> Access {
    let access = Access { sees: Sees::Everything, ..site.bob.clone() };
    access.coming_from(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

async fn entries(site: &Launches) -> Vec<AuditEntry> {
    site.metadb.audit_entries(&administrator(site), 0, 500).await.unwrap()
}

on_both! {
    /// What matters is told, with who, what and from where; what was refused is not.
    fn deeds_are_told_with_their_change(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let before = entries(&site).await.len();
        let ann = administrator(&site);
        let here = "here".parse().unwrap();
        let svc = account(&site.metadb, "svc@lab.net").await;
        let run = site.schedule("here").await.swid;
        site.metadb.cancel_runs(&svc, &[run]).await.unwrap();
        site.metadb.cancel_runs(&ann, &[run]).await.unwrap();
        site.metadb.retry_runs(&ann, "r", &[run]).await.unwrap();
        site.metadb.retry_runs(&ann, "r", &[run]).await.unwrap();
        site.metadb.hold_host(&ann, &here, "disks").await.unwrap();
        site.metadb.release_host(&ann, &here).await.unwrap();
        site.metadb.release_host(&ann, &here).await.unwrap();
        let limit = LimitOn::Host(here.clone());
        site.metadb.set_limit(&ann, &limit, 3).await.unwrap();
        site.metadb.remove_limit(&ann, &limit).await.unwrap();
        let token = NewToken {
            label: None,
            scopes: vec![Scope::Read],
            seconds: 60,
            secret_sha256: "s".to_owned(),
        };
        site.metadb.create_token(&ann, &token, None).await.unwrap();
        site.metadb.revoke_token(&ann, 1).await.unwrap();
        let grant = NewLaunchGrant {
            owner: "bob@lab.net".parse().unwrap(),
            grantee: "svc@lab.net".parse().unwrap(),
            host: here,
            seconds: None,
        };
        site.metadb.grant_launch(&ann, &grant, None).await.unwrap();
        site.metadb.revoke_launch_grant(&ann, 1).await.unwrap();
        let svc_address = "svc@lab.net".parse().unwrap();
        site.metadb.set_password(&ann, &svc_address, "x").await.unwrap();
        site.metadb.audit_failed_sign_in("x\0@lab.net", "192.0.2.7").await.unwrap();

        let told = entries(&site).await.split_off(before);
        let words: Vec<_> = told.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(words, [
            "account_create", "run_cancel", "run_retry", "host_hold", "host_release", "limit_set",
            "limit_remove", "token_create", "token_revoke", "grant_launch", "grant_revoke",
            "password_set", "sign_in_failed",
        ]);
        assert_eq!(told[1].subject, format!("run {run}"));
        assert_eq!(told[1].origin.as_deref(), Some("127.0.0.1"));
        assert_eq!(told[3].detail.as_deref(), Some("disks"));
        assert_eq!(told[5].subject, "host here");
        let failed = told.last().unwrap();
        assert_eq!((failed.account.as_str(), failed.origin.as_deref()),
            ("nobody", Some("192.0.2.7")));
        assert_eq!(site.metadb.audit_entries(&svc, 0, 9).await.unwrap(), []);

        let checked = site.metadb.check_audit().await.unwrap();
        assert_eq!(checked.entries, (before + told.len()) as u64);
        assert_eq!((checked.broken_at, checked.head.clone()), (None, failed.sha256.clone()));
        assert_eq!(site.metadb.audit_head().await.unwrap(), checked.head);
    }

    /// The database refuses changes; whoever gets round that is found out.
    fn nobody_changes_the_log(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        for number in 0..3 {
            account(&site.metadb, &format!("a{number}@lab.net")).await;
        }
        let all = entries(&site).await;
        let second = all[1].sequence;
        for statement in [
            "update audit set account = 'eve' where sequence = $1",
            "delete from audit where sequence = $1",
        ] {
            let mut tx = site.metadb.begin("try").await.unwrap();
            let changed = sqlx::query(statement).bind(second).execute(&mut *tx).await;
            assert!(changed.unwrap_err().to_string().contains("only added to"));
        }
        assert_eq!(entries(&site).await, all);

        let unlock = match site.metadb.dialect() {
            Dialect::Sqlite => "drop trigger audit_stays",
            Dialect::Postgres => "drop trigger audit_stays on audit",
        };
        let forge = "update audit set account = 'eve' where sequence = $1";
        let mut tx = site.metadb.begin("forge").await.unwrap();
        sqlx::query(unlock).execute(&mut *tx).await.unwrap();
        sqlx::query(forge).bind(second).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let checked = site.metadb.check_audit().await.unwrap();
        assert_eq!(checked.broken_at, Some(second));
    }

    /// Many at once make one chain.
    fn many_writers_make_one_chain(metadb: MetaDb) {
        let site = Launches::new(metadb).await;
        let before = site.metadb.check_audit().await.unwrap().entries;
        let fail = |number: u32| {
            let metadb = site.metadb.clone();
            tokio::spawn(async move {
                metadb.audit_failed_sign_in(&format!("{number}@lab.net"), "::1").await.unwrap();
            })
        };
        let all: Vec<_> = (0..20).map(fail).collect();
        for one in all {
            one.await.unwrap();
        }
        let checked = site.metadb.check_audit().await.unwrap();
        assert_eq!((checked.entries, checked.broken_at), (before + 20, None));
    }
}
