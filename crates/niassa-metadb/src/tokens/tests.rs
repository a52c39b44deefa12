//! What is promised of tokens, on both databases.

use super::*;
use crate::testing::launches::account;
use crate::testing::on_both;

fn new(secret: &str, seconds: i64) -> NewToken {
    NewToken {
        label: Some("laptop".to_owned()),
        scopes: vec!["launch:s3://a b".parse().unwrap(), Scope::Read],
        seconds,
        secret_sha256: secret.to_owned(),
    }
}

on_both! {
    fn a_token_signs_in_until_it_is_revoked(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let eve = account(&metadb, "eve@lab.net").await;
        let Once::Done(token) = metadb.create_token(&bob, &new("a", 60), None).await.unwrap() else {
            panic!("a mismatch without a key");
        };
        let caller = metadb.caller_of_token("a").await.unwrap().unwrap();
        assert_eq!((caller.account, &caller.scopes), (bob.account, &Some(token.scopes.clone())));
        assert!(metadb.caller_of_token("b").await.unwrap().is_none());
        assert_eq!(metadb.tokens(&bob, None, 10).await.unwrap(), std::slice::from_ref(&token));
        assert_eq!(metadb.tokens(&bob, Some(token.id), 10).await.unwrap(), []);
        assert_eq!(metadb.tokens(&eve, None, 10).await.unwrap(), []);
        assert!(!metadb.revoke_token(&eve, token.id).await.unwrap());
        assert!(metadb.caller_of_token("a").await.unwrap().is_some());
        assert!(metadb.revoke_token(&bob, token.id).await.unwrap());
        assert!(metadb.caller_of_token("a").await.unwrap().is_none());
    }

    fn an_expired_token_signs_nobody_in(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        metadb.create_token(&bob, &new("a", -1), None).await.unwrap();
        assert!(metadb.caller_of_token("a").await.unwrap().is_none());
    }

    fn asking_again_gives_the_token_the_new_secret(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let once = OnceKey { key: "k".to_owned(), request_sha256: "1".to_owned() };
        let first = metadb.create_token(&bob, &new("a", 60), Some(&once)).await.unwrap();
        let again = metadb.create_token(&bob, &new("b", 60), Some(&once)).await.unwrap();
        assert_eq!(first, again);
        assert!(metadb.caller_of_token("a").await.unwrap().is_none());
        assert!(metadb.caller_of_token("b").await.unwrap().is_some());
        let other = OnceKey { request_sha256: "2".to_owned(), ..once };
        let mismatch = metadb.create_token(&bob, &new("c", 60), Some(&other)).await.unwrap();
        assert_eq!(mismatch, Once::Mismatch);
    }
}
