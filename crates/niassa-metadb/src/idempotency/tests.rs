//! Keys on both databases: taken, answered, freed, forgotten.

use super::*;
use crate::MetaDb;
use crate::pool::{commit, now_in};
use crate::testing::launches::account;
use crate::testing::on_both;

const OPERATION: &str = "test";

fn key(request: &str) -> OnceKey {
    OnceKey { key: "k 'quoted' \"ö\"".to_owned(), request_sha256: request.to_owned() }
}

on_both! {
    /// A key that was taken and not answered is free; one that was answered keeps its answer.
    fn an_answer_is_kept_and_a_refusal_is_not(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await.account;
        let key = key("1");
        let mut refused = metadb.begin(OPERATION).await.unwrap();
        let recalled: Recall<i64> = recall(&mut refused, bob, Some(&key), OPERATION).await.unwrap();
        assert_eq!(recalled, Recall::New);
        commit(refused, OPERATION).await.unwrap();

        let mut done = metadb.begin(OPERATION).await.unwrap();
        let other = OnceKey { request_sha256: "2".to_owned(), ..key.clone() };
        let recalled: Recall<i64> = recall(&mut done, bob, Some(&other), OPERATION).await.unwrap();
        assert_eq!(recalled, Recall::New, "nothing was answered to the first request");
        let now = now_in(&mut done, OPERATION).await.unwrap();
        remember(&mut done, bob, Some(&other), now, &42_i64, OPERATION).await.unwrap();
        commit(done, OPERATION).await.unwrap();

        let mut again = metadb.begin(OPERATION).await.unwrap();
        let same: Recall<i64> = recall(&mut again, bob, Some(&other), OPERATION).await.unwrap();
        assert_eq!(same, Recall::Answered(42));
        let first: Recall<i64> = recall(&mut again, bob, Some(&key), OPERATION).await.unwrap();
        assert_eq!(first, Recall::Mismatch);
        let none: Recall<i64> = recall(&mut again, bob, None, OPERATION).await.unwrap();
        assert_eq!(none, Recall::New);
    }

    /// After a day an answer is forgotten.
    fn old_answers_are_removed(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await.account;
        let key = key("1");
        let mut tx = metadb.begin(OPERATION).await.unwrap();
        let _: Recall<i64> = recall(&mut tx, bob, Some(&key), OPERATION).await.unwrap();
        remember(&mut tx, bob, Some(&key), 1_000, &1_i64, OPERATION).await.unwrap();
        remove_old(&mut tx, KEPT_MICROS + 1_000, OPERATION).await.unwrap();
        let kept: Recall<i64> = recall(&mut tx, bob, Some(&key), OPERATION).await.unwrap();
        assert_eq!(kept, Recall::Answered(1));
        remove_old(&mut tx, KEPT_MICROS + 1_001, OPERATION).await.unwrap();
        let gone: Recall<i64> = recall(&mut tx, bob, Some(&key), OPERATION).await.unwrap();
        assert_eq!(gone, Recall::New);
    }
}
