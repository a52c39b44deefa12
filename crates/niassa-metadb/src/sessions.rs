//! Sessions: people who signed in on a page. Of the secret in a cookie only its digest is stored.
//!
//! A session ends when it was not used for a while, when it is old, when its owner ends it, and with
//! the account or its password. Those that ended are removed when somebody signs in.

use std::time::Duration;

use niassa_model::account::{AccountId, Caller};
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::accounts::{address, role};
use crate::error::{During, Result};
use crate::pool::{column, commit, now_in};
use crate::{Access, MetaDb};

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// Its number.
    pub id: i64,
    /// The browser, in its own words.
    pub client: String,
    /// The address it signed in from.
    pub address: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to within some minutes.
    pub seen_at: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

/// A session to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The digest of its secret.
    pub secret_sha256: String,
    /// The browser, in its own words.
    pub client: String,
    /// The address it signs in from.
    pub address: String,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without being used.
    pub idle: Duration,
    /// However much it is used.
    pub longest: Duration,
}

/// Who a session is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCaller {
    /// The session.
    pub id: i64,
    /// Who is asking.
    pub caller: Caller,
}

/// A session whose use was noted so short ago is not noted again.
const NOTED_EVERY: i64 = 5 * 60 * 1_000_000;

sql! {
    /// Who a session is of that is good now. `$1`: digest of the secret; `$2`: longest time unused.
    CALLER = "select s.id as session, s.seen_at, c.now, a.id, a.email, a.role \
        from session s join account a on a.id = s.account cross join clock c \
        where s.secret_sha256 = $1 and s.expires_at > c.now and s.seen_at > c.now - $2 \
            and a.disabled_at is null";
    /// Notes that a session was used. `$1`: session; `$2`: time.
    SEEN = "update session set seen_at = $2 where id = $1 and seen_at < $2";
    /// Begins a session of an account that can sign in. `$1`: account; `$2`: digest; `$3`: client;
    /// `$4`: address; `$5`: time; `$6`: end.
    INSERT = "insert into session \
            (account, secret_sha256, client, address, created_at, seen_at, expires_at) \
        select a.id, cast($2 as text), cast($3 as text), cast($4 as text), cast($5 as bigint), \
            cast($5 as bigint), cast($6 as bigint) \
        from account a where a.id = $1 and a.disabled_at is null returning id";
    /// Removes sessions that ended. `$1`: time; `$2`: the latest use of one that was not used for
    /// too long.
    REMOVE_ENDED = "delete from session where expires_at <= $1 or seen_at <= $2";
    /// The sessions of an account that are good now, newest first. `$1`: account; `$2`: longest time
    /// unused; `$3`: rows.
    LIST = "select s.id, s.client, s.address, s.created_at, s.seen_at, s.expires_at \
        from session s cross join clock c \
        where s.account = $1 and s.expires_at > c.now and s.seen_at > c.now - $2 \
        order by s.id desc limit $3";
    /// Ends one session of an account. `$1`: account; `$2`: session.
    END = "delete from session where account = $1 and id = $2 returning id";
    /// Ends the session with a secret. `$1`: digest.
    END_SECRET = "delete from session where secret_sha256 = $1";
    /// Ends all sessions of an account. `$1`: account.
    END_ALL = "delete from session where account = $1";
}

impl MetaDb {
    /// Returns who a session is of: it has not ended, and its account can sign in. Its use is noted.
    pub async fn caller_of_session(
        &self,
        secret_sha256: &str,
        idle: Duration,
    ) -> Result<Option<SessionCaller>> {
        const OPERATION: &str = "find the account of a session";
        let row = sqlx::query(CALLER)
            .bind(secret_sha256)
            .bind(micros(idle))
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        let Some(row) = row else { return Ok(None) };
        let (id, now) = (column(&row, "session", OPERATION)?, column(&row, "now", OPERATION)?);
        let seen_at: i64 = column(&row, "seen_at", OPERATION)?;
        if seen_at < now - NOTED_EVERY {
            self.note_session(id, now).await?;
        }
        let caller = Caller {
            account: AccountId(column(&row, "id", OPERATION)?),
            email: address(&row, OPERATION)?,
            role: role(&row, OPERATION)?,
            scopes: None,
            token_expires_at: None,
        };
        Ok(Some(SessionCaller { id, caller }))
    }

    /// Begins a session; nothing where the account cannot sign in. A session that this one replaces,
    /// named by the digest of its secret, ends.
    pub async fn begin_session(
        &self,
        account: AccountId,
        new: &NewSession,
        replaces: Option<&str>,
        limits: SessionLimits,
    ) -> Result<Option<i64>> {
        const OPERATION: &str = "begin a session";
        let mut tx = self.begin(OPERATION).await?;
        let now = now_in(&mut tx, OPERATION).await?;
        sqlx::query(REMOVE_ENDED)
            .bind(now)
            .bind(now.saturating_sub(micros(limits.idle)))
            .execute(&mut *tx)
            .await
            .during(OPERATION)?;
        if let Some(secret_sha256) = replaces {
            sqlx::query(END_SECRET)
                .bind(secret_sha256)
                .execute(&mut *tx)
                .await
                .during(OPERATION)?;
        }
        let row = sqlx::query(INSERT)
            .bind(account.0)
            .bind(&new.secret_sha256)
            .bind(&new.client)
            .bind(&new.address)
            .bind(now)
            .bind(now.saturating_add(micros(limits.longest)))
            .fetch_optional(&mut *tx)
            .await
            .during(OPERATION)?;
        commit(tx, OPERATION).await?;
        row.map(|row| column(&row, "id", OPERATION)).transpose()
    }

    /// Lists the caller's sessions, newest first.
    pub async fn sessions(
        &self,
        access: &Access,
        idle: Duration,
        limit: u32,
    ) -> Result<Vec<StoredSession>> {
        const OPERATION: &str = "list sessions";
        let rows = sqlx::query(LIST)
            .bind(access.account.0)
            .bind(micros(idle))
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| session(row, OPERATION)).collect()
    }

    /// Ends one of the caller's sessions. Returns whether there was such a session.
    pub async fn end_session(&self, access: &Access, id: i64) -> Result<bool> {
        const OPERATION: &str = "end a session";
        let mut tx = self.begin(OPERATION).await?;
        let ended = sqlx::query(END)
            .bind(access.account.0)
            .bind(id)
            .fetch_optional(&mut *tx)
            .await
            .during(OPERATION)?;
        commit(tx, OPERATION).await?;
        Ok(ended.is_some())
    }

    async fn note_session(&self, id: i64, now: i64) -> Result<()> {
        const OPERATION: &str = "note the use of a session";
        let mut tx = self.begin(OPERATION).await?;
        sqlx::query(SEEN).bind(id).bind(now).execute(&mut *tx).await.during(OPERATION)?;
        commit(tx, OPERATION).await
    }
}

/// Ends all sessions of an account, as part of what makes them void.
pub(crate) async fn end_all(
    tx: &mut crate::pool::Writing,
    account: AccountId,
    operation: &'static str,
) -> Result<()> {
    sqlx::query(END_ALL).bind(account.0).execute(&mut **tx).await.during(operation).map(drop)
}

fn session(row: &AnyRow, operation: &'static str) -> Result<StoredSession> {
    let time = |name: &'static str| -> Result<Timestamp> {
        Ok(Timestamp::from_micros(column(row, name, operation)?))
    };
    Ok(StoredSession {
        id: column(row, "id", operation)?,
        client: column(row, "client", operation)?,
        address: column(row, "address", operation)?,
        created_at: time("created_at")?,
        seen_at: time("seen_at")?,
        expires_at: time("expires_at")?,
    })
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
