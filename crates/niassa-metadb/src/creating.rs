//! A transaction that creates one thing, at most once per `Idempotency-Key`.
//!
//! Dropping it undoes everything and frees the key: a refusal is never remembered.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::idempotency::{OnceKey, Recall, recall, remember};
use crate::pool::{Writing, commit, now_in};
use crate::{Access, MetaDb};

/// A transaction in which something is being created.
pub(crate) struct Creating<'request> {
    pub(crate) tx: Writing,
    /// The time by the database's clock.
    pub(crate) now: i64,
    access: &'request Access,
    once: Option<&'request OnceKey>,
    operation: &'static str,
}

/// What is known of a request that creates, before it is looked at.
pub(crate) enum Begun<'request, T> {
    /// It is new.
    Creating(Creating<'request>),
    /// It was done before, with this answer.
    Answered(T),
    /// Its key was used for another request.
    Mismatch,
}

impl MetaDb {
    /// Begins to create something.
    pub(crate) async fn begin_creating<'request, T: DeserializeOwned>(
        &self,
        access: &'request Access,
        once: Option<&'request OnceKey>,
        operation: &'static str,
    ) -> Result<Begun<'request, T>> {
        let mut tx = self.begin(operation).await?;
        match recall(&mut tx, access.account, once, operation).await? {
            Recall::Answered(answer) => return Ok(Begun::Answered(answer)),
            Recall::Mismatch => return Ok(Begun::Mismatch),
            Recall::New => {}
        }
        let now = now_in(&mut tx, operation).await?;
        Ok(Begun::Creating(Creating { tx, now, access, once, operation }))
    }
}

impl Creating<'_> {
    /// Keeps the answer and commits.
    pub(crate) async fn finish<T: Serialize>(mut self, answer: &T) -> Result<()> {
        let account = self.access.account;
        remember(&mut self.tx, account, self.once, self.now, answer, self.operation).await?;
        commit(self.tx, self.operation).await
    }
}
