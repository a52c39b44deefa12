//! The audit log: who did what to what, when, and from where.
//!
//! An entry is written in the transaction of what it tells. Each holds the SHA-256 of the one before,
//! so that none can be changed, left out or put in between unnoticed; the database refuses changes.
//! That the last ones are missing is seen only by whoever kept the digest of a later one.

pub(crate) mod newest;

pub use newest::AuditFilter;

use niassa_model::time::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;

use crate::dialect::Dialect;
use crate::error::{During, Result};
use crate::pool::{Writing, column, commit, now_in};
use crate::{Access, MetaDb, bulk};

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Rises; numbers may be left out.
    pub sequence: i64,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// Who: an address.
    pub account: String,
    /// What was done, as a word.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More about it.
    pub detail: Option<String>,
    /// The address that the request came from.
    pub origin: Option<String>,
    /// The digest of the entry before; empty for the first.
    pub previous: String,
    /// The digest of this entry.
    pub sha256: String,
}

/// What looking through the whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditChecked {
    /// How many entries there are.
    pub entries: u64,
    /// The digest of the last one; empty where there is none.
    pub head: String,
    /// The number of the first entry that does not fit, if one does not.
    pub broken_at: Option<i64>,
}

/// Something that was done, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) action: &'static str,
    pub(crate) subject: String,
    pub(crate) detail: Option<String>,
}

sql! {
    /// The digest of the last entry.
    HEAD = "select sha256 from audit order by sequence desc limit 1";
    /// Adds an entry.
    ADD = "insert into audit (at, account, action, subject, detail, origin, previous, sha256) \
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    /// Entries, oldest first, for administrators. `$1`: 1 for who sees everything; `$2`: after; `$3`:
    /// rows.
    ENTRIES = "select sequence, at, account, action, subject, detail, origin, previous, sha256 \
        from audit where cast($1 as bigint) = 1 and sequence > $2 order by sequence limit $3";
}

/// Entries that are looked through at a time.
const CHUNK: u32 = 1_000;

impl AuditEntry {
    /// Returns the digest that the entry has to have: of the JSON array of its texts and numbers, in
    /// the order of the fields from `previous` on, `at` to `origin`.
    pub fn digest(&self) -> String {
        let content = (
            &self.previous,
            self.at.as_micros(),
            &self.account,
            &self.action,
            &self.subject,
            &self.detail,
            &self.origin,
        );
        let digest = Sha256::digest(bulk::document(&content).as_bytes());
        digest.iter().fold(String::with_capacity(64), |text, byte| format!("{text}{byte:02x}"))
    }
}

impl MetaDb {
    /// Returns entries of the audit log, oldest first, after a number; for administrators.
    pub async fn audit_entries(
        &self,
        access: &Access,
        after: i64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>> {
        self.entries(access.everything(), after, limit, "read the audit log").await
    }

    /// Looks through the whole log. Administrators are told; the caller is checked before.
    pub async fn check_audit(&self) -> Result<AuditChecked> {
        let mut checked = AuditChecked { entries: 0, head: String::new(), broken_at: None };
        let mut after = 0;
        loop {
            let entries = self.entries(1, after, CHUNK, "check the audit log").await?;
            let Some(last) = entries.last() else { return Ok(checked) };
            after = last.sequence;
            for entry in entries {
                let fits = entry.previous == checked.head && entry.sha256 == entry.digest();
                if !fits && checked.broken_at.is_none() {
                    checked.broken_at = Some(entry.sequence);
                }
                checked.entries += 1;
                checked.head = entry.sha256;
            }
        }
    }

    /// Returns the digest of the last entry; empty where there is none.
    pub async fn audit_head(&self) -> Result<String> {
        const OPERATION: &str = "read the end of the audit log";
        let row = sqlx::query(HEAD).fetch_optional(self.reader()).await.during(OPERATION)?;
        Ok(row.map(|row| column(&row, "sha256", OPERATION)).transpose()?.unwrap_or_default())
    }

    /// Tells that somebody failed to sign in.
    pub async fn audit_failed_sign_in(&self, email: &str, origin: &str) -> Result<()> {
        const OPERATION: &str = "tell of a failed sign-in";
        let mut tx = self.begin(OPERATION).await?;
        let now = now_in(&mut tx, OPERATION).await?;
        let deed =
            Deed { action: "sign_in_failed", subject: format!("account {email}"), detail: None };
        add(&mut tx, self.dialect(), now, ("nobody", Some(origin)), deed, OPERATION).await?;
        commit(tx, OPERATION).await
    }

    async fn entries(
        &self,
        everything: i64,
        after: i64,
        limit: u32,
        operation: &'static str,
    ) -> Result<Vec<AuditEntry>> {
        let rows = sqlx::query(ENTRIES)
            .bind(everything)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(operation)?;
        rows.iter().map(|row| entry(row, operation)).collect()
    }
}

/// Tells what the caller did, at the end of the transaction in which it was done.
pub(crate) async fn tell(
    transaction: &mut Writing,
    dialect: Dialect,
    now: i64,
    access: &Access,
    deed: Deed,
    operation: &'static str,
) -> Result<()> {
    let origin = access.origin.map(|origin| origin.to_string());
    let who = (access.email.as_str(), origin.as_deref());
    add(transaction, dialect, now, who, deed, operation).await
}

/// Names runs, as the subject of an entry.
pub(crate) fn runs(runs: impl Iterator<Item = niassa_model::accession::Accession>) -> String {
    let runs: Vec<String> = runs.map(|run| run.to_string()).collect();
    format!("run {}", runs.join(", "))
}

async fn add(
    transaction: &mut Writing,
    dialect: Dialect,
    now: i64,
    (account, origin): (&str, Option<&str>),
    deed: Deed,
    operation: &'static str,
) -> Result<()> {
    if let Some(lock) = dialect.audit_lock() {
        sqlx::query(lock).execute(&mut **transaction).await.during(operation)?;
    }
    let head = sqlx::query(HEAD).fetch_optional(&mut **transaction).await.during(operation)?;
    let previous = head.map(|row| column(&row, "sha256", operation)).transpose()?;
    let text = |text: &str| bulk::text(text).into_owned();
    let entry = AuditEntry {
        sequence: 0,
        at: Timestamp::from_micros(now),
        account: text(account),
        action: deed.action.to_owned(),
        subject: text(&deed.subject),
        detail: deed.detail.as_deref().map(text),
        origin: origin.map(str::to_owned),
        previous: previous.unwrap_or_default(),
        sha256: String::new(),
    };
    let sha256 = entry.digest();
    let added = sqlx::query(ADD)
        .bind(now)
        .bind(entry.account)
        .bind(entry.action)
        .bind(entry.subject)
        .bind(entry.detail)
        .bind(entry.origin)
        .bind(entry.previous)
        .bind(sha256)
        .execute(&mut **transaction)
        .await;
    added.during(operation).map(drop)
}

fn entry(row: &AnyRow, operation: &'static str) -> Result<AuditEntry> {
    Ok(AuditEntry {
        sequence: column(row, "sequence", operation)?,
        at: Timestamp::from_micros(column(row, "at", operation)?),
        account: column(row, "account", operation)?,
        action: column(row, "action", operation)?,
        subject: column(row, "subject", operation)?,
        detail: column(row, "detail", operation)?,
        origin: column(row, "origin", operation)?,
        previous: column(row, "previous", operation)?,
        sha256: column(row, "sha256", operation)?,
    })
}

#[cfg(test)]
mod tests;
