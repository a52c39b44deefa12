//! Answers kept for a day, so that asking twice creates once.
//!
//! A transaction that creates first *recalls*: that takes the key, so that the same request on
//! another connection waits for this one's end. What was answered is *remembered* in the same
//! transaction. A refusal is not remembered: the key stays free for whatever comes next.

use std::collections::{HashMap, HashSet};

use niassa_model::account::AccountId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{During, Result, decode};
use crate::pool::{Writing, column};
use crate::{Access, MetaDb, bulk};

/// How long an answer is kept, in microseconds.
const KEPT_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// One in so many transactions that remember removes what is too old.
const REMOVE_EVERY: u32 = 128;

/// An `Idempotency-Key` and what was asked under it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OnceKey {
    /// The key, drawn by the client.
    pub key: String,
    /// SHA-256 of the request: its method, path and body.
    pub request_sha256: String,
}

/// The outcome of something that is done at most once per key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once<T> {
    /// It was done, now or before.
    Done(T),
    /// The key was used before for another request.
    Mismatch,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recall<T> {
    /// Nothing: the request is to be done.
    New,
    /// The same request was answered.
    Answered(T),
    /// Another request was answered.
    Mismatch,
}

sql! {
    /// Takes keys that have no answer. `$1`: rows of account, key, digest.
    TAKE = "insert into idempotency (account, key, request_sha256, answer, created_at) \
        select cast(value ->> 0 as bigint), value ->> 1, value ->> 2, '', now \
        from json_each($1) cross join clock where true \
        on conflict (account, key) do update set request_sha256 = excluded.request_sha256 \
            where idempotency.answer = '' \
        returning account, key";
    /// Keeps answers under keys that were never used. `$1`: time; `$2`: rows of account, key, digest,
    /// answer.
    KEEP_NEW = "insert into idempotency (account, key, request_sha256, answer, created_at) \
        select cast(value ->> 0 as bigint), value ->> 1, value ->> 2, value ->> 3, \
            cast($1 as bigint) \
        from json_each($2) where true on conflict (account, key) do nothing";
    /// What was answered under keys. `$1`: rows of account, key.
    ANSWERED = "select i.account, i.key, i.request_sha256, i.answer \
        from json_each($1) j join idempotency i \
            on i.account = cast(j.value ->> 0 as bigint) and i.key = j.value ->> 1";
    /// Keeps answers. `$1`: time; `$2`: rows of account, key, answer.
    KEEP = "update idempotency set answer = j.value ->> 2, created_at = $1 from json_each($2) j \
        where idempotency.account = cast(j.value ->> 0 as bigint) \
            and idempotency.key = j.value ->> 1";
    /// Whether a key has an answer. `$1`: account; `$2`: key.
    IS_ANSWERED = "select count(*) from idempotency \
        where account = $1 and key = $2 and answer <> ''";
    /// Removes what is too old. `$1`: the oldest time that stays.
    REMOVE = "delete from idempotency where created_at < $1";
}

impl MetaDb {
    /// Tells whether a request was answered before under a key: asking again makes nothing new.
    pub async fn is_answered(&self, access: &Access, once: &OnceKey) -> Result<bool> {
        const OPERATION: &str = "look whether a request was answered";
        let asked = sqlx::query(IS_ANSWERED).bind(access.account.0).bind(&once.key);
        let row = asked.fetch_one(self.reader()).await.during(OPERATION)?;
        Ok(column::<i64>(&row, 0, OPERATION)? > 0)
    }
}

/// Looks up a key and, where it is new, takes it until the end of the transaction.
pub(crate) async fn recall<T: DeserializeOwned>(
    transaction: &mut Writing,
    account: AccountId,
    once: Option<&OnceKey>,
    operation: &'static str,
) -> Result<Recall<T>> {
    let mut recalled = recall_all(transaction, &[(account, once)], operation).await?;
    Ok(recalled.pop().unwrap_or(Recall::New))
}

/// Looks up the keys of several requests, each key at most once, and answers in their order.
pub(crate) async fn recall_all<T: DeserializeOwned>(
    transaction: &mut Writing,
    requests: &[(AccountId, Option<&OnceKey>)],
    operation: &'static str,
) -> Result<Vec<Recall<T>>> {
    let mut keys: Vec<(i64, &OnceKey)> =
        requests.iter().filter_map(|(account, once)| Some((account.0, (*once)?))).collect();
    // In one order everywhere, so that two transactions never wait for each other in a circle.
    keys.sort_by_key(|(account, once)| (*account, once.key.as_str()));
    let taken = take(transaction, &keys, operation).await?;
    keys.retain(|(account, once)| !taken.contains(&(*account, once.key.clone())));
    let mut answered: HashMap<(i64, String), Recall<T>> = if keys.is_empty() {
        HashMap::new()
    } else {
        answered(transaction, &keys, operation).await?
    };
    let recall = |(account, once): &(AccountId, Option<&OnceKey>)| {
        let key = once.map(|once| (account.0, once.key.clone()));
        key.and_then(|key| answered.remove(&key)).unwrap_or(Recall::New)
    };
    Ok(requests.iter().map(recall).collect())
}

/// Keeps an answer under the key that was taken by [`recall`].
pub(crate) async fn remember<T: Serialize>(
    transaction: &mut Writing,
    account: AccountId,
    once: Option<&OnceKey>,
    now: i64,
    answer: &T,
    operation: &'static str,
) -> Result<()> {
    let Some(once) = once else { return Ok(()) };
    remember_all(transaction, now, &[(account, once, answer)], operation).await
}

/// Keeps the answers of several requests.
pub(crate) async fn remember_all<T: Serialize>(
    transaction: &mut Writing,
    now: i64,
    answers: &[(AccountId, &OnceKey, &T)],
    operation: &'static str,
) -> Result<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = answers
        .iter()
        .map(|(account, once, answer)| (account.0, &once.key, bulk::document(answer)))
        .collect();
    sqlx::query(KEEP)
        .bind(now)
        .bind(bulk::rows(&rows))
        .execute(&mut **transaction)
        .await
        .during(operation)?;
    remove_old_sometimes(transaction, now, operation).await
}

/// Keeps answers under keys that are expected to be new, each key at most once. Tells whether all of
/// them were; else the transaction must be dropped.
pub(crate) async fn keep_new<T: Serialize>(
    transaction: &mut Writing,
    now: i64,
    answers: &[(AccountId, &OnceKey, &T)],
    operation: &'static str,
) -> Result<bool> {
    if answers.is_empty() {
        return Ok(true);
    }
    let mut rows: Vec<_> = answers
        .iter()
        .map(|(account, once, answer)| {
            (account.0, &once.key, &once.request_sha256, bulk::document(answer))
        })
        .collect();
    rows.sort_by_key(|(account, key, _, _)| (*account, key.as_str()));
    let kept = sqlx::query(KEEP_NEW)
        .bind(now)
        .bind(bulk::rows(&rows))
        .execute(&mut **transaction)
        .await
        .during(operation)?;
    remove_old_sometimes(transaction, now, operation).await?;
    Ok(usize::try_from(kept.rows_affected()) == Ok(rows.len()))
}

async fn remove_old_sometimes(
    transaction: &mut Writing,
    now: i64,
    operation: &'static str,
) -> Result<()> {
    if rand::random_ratio(1, REMOVE_EVERY) {
        remove_old(transaction, now, operation).await?;
    }
    Ok(())
}

async fn remove_old(transaction: &mut Writing, now: i64, operation: &'static str) -> Result<()> {
    sqlx::query(REMOVE)
        .bind(now - KEPT_MICROS)
        .execute(&mut **transaction)
        .await
        .during(operation)
        .map(drop)
}

async fn take(
    transaction: &mut Writing,
    keys: &[(i64, &OnceKey)],
    operation: &'static str,
) -> Result<HashSet<(i64, String)>> {
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<_> =
        keys.iter().map(|(account, once)| (account, &once.key, &once.request_sha256)).collect();
    let taken = sqlx::query(TAKE)
        .bind(bulk::rows(&rows))
        .fetch_all(&mut **transaction)
        .await
        .during(operation)?;
    let read = |row| Ok((column(row, 0, operation)?, column(row, 1, operation)?));
    taken.iter().map(read).collect()
}

async fn answered<T: DeserializeOwned>(
    transaction: &mut Writing,
    keys: &[(i64, &OnceKey)],
    operation: &'static str,
) -> Result<HashMap<(i64, String), Recall<T>>> {
    let asked: HashMap<(i64, &str), &str> = keys
        .iter()
        .map(|(account, once)| ((*account, once.key.as_str()), once.request_sha256.as_str()))
        .collect();
    let rows: Vec<_> = keys.iter().map(|(account, once)| (account, &once.key)).collect();
    let rows = sqlx::query(ANSWERED)
        .bind(bulk::rows(&rows))
        .fetch_all(&mut **transaction)
        .await
        .during(operation)?;
    let mut answered = HashMap::new();
    for row in &rows {
        let (account, key): (i64, String) =
            (column(row, 0, operation)?, column(row, 1, operation)?);
        let digest: String = column(row, 2, operation)?;
        let answer: String = column(row, 3, operation)?;
        let recall = if asked.get(&(account, key.as_str())) == Some(&digest.as_str()) {
            let read = serde_json::from_str(&answer);
            Recall::Answered(decode(read, operation, &answer, "a kept answer")?)
        } else {
            Recall::Mismatch
        };
        answered.insert((account, key), recall);
    }
    Ok(answered)
}

#[cfg(test)]
mod tests;
