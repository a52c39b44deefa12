//! Tokens: a narrower way to sign in than a password. Of a secret only its digest is stored.

use niassa_model::account::{AccountId, Caller, Scope};
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::accounts::{address, role};
use crate::audit::{self, Deed};
use crate::creating::Begun;
use crate::error::{During, Result, decode};
use crate::idempotency::{Once, OnceKey};
use crate::pool::{Writing, column, commit, moment};
use crate::{Access, MetaDb};

/// A token as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub label: Option<String>,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What it is for.
    pub label: Option<String>,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// How long it is good, in seconds.
    pub seconds: i64,
    /// The digest of its secret.
    pub secret_sha256: String,
}

sql! {
    /// Who signs in with a token that is good now. `$1`: digest of the secret.
    TO_SIGN_IN = "select a.id, a.email, a.role, t.scopes, t.expires_at \
        from token t join account a on a.id = t.account cross join clock c \
        where t.secret_sha256 = $1 and t.revoked_at is null and t.expires_at > c.now \
            and a.disabled_at is null";
    /// What became of a token that is not good. `$1`: digest of the secret.
    FATE = "select t.expires_at, t.revoked_at, a.disabled_at \
        from token t join account a on a.id = t.account where t.secret_sha256 = $1";
    /// The tokens of an account, newest first. `$1`: account; `$2`: before; `$3`: rows.
    LIST = "select id, label, scopes, created_at, expires_at, revoked_at from token \
        where account = $1 and (cast($2 as bigint) is null or id < $2) order by id desc limit $3";
    /// One token of an account.
    ONE = "select id, label, scopes, created_at, expires_at, revoked_at from token \
        where account = $1 and id = $2";
    /// Makes a token.
    INSERT = "insert into token (account, label, scopes, secret_sha256, created_at, expires_at) \
        values ($1, $2, $3, $4, $5, $6) returning id";
    /// Gives a token another secret. `$1`: account; `$2`: token; `$3`: digest.
    RENEW_SECRET = "update token set secret_sha256 = $3 where account = $1 and id = $2";
    /// Revokes a token, unless it is revoked. `$1`: account; `$2`: token; `$3`: time.
    REVOKE = "update token set revoked_at = coalesce(revoked_at, $3) \
        where account = $1 and id = $2 returning id";
}

/// Why a token is not good any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFate {
    /// Its time was over then.
    Expired(Timestamp),
    /// It was revoked then.
    Revoked(Timestamp),
    /// Its account was disabled then.
    AccountDisabled(Timestamp),
}

impl MetaDb {
    /// Returns why a token is not good; nothing for one that is good or never was there. For whoever has its
    /// secret.
    pub async fn fate_of_token(&self, secret_sha256: &str) -> Result<Option<TokenFate>> {
        const OPERATION: &str = "find out what became of a token";
        let row = sqlx::query(FATE)
            .bind(secret_sha256)
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        let Some(row) = row else { return Ok(None) };
        let time = |name: &'static str| moment(&row, name, OPERATION);
        if let Some(at) = time("revoked_at")? {
            return Ok(Some(TokenFate::Revoked(at)));
        }
        if let Some(at) = time("disabled_at")? {
            return Ok(Some(TokenFate::AccountDisabled(at)));
        }
        let expires_at = time("expires_at")?;
        let now = self.now().await?;
        Ok(expires_at.filter(|at| *at <= now).map(TokenFate::Expired))
    }

    /// Returns who signs in with a token: it is neither expired nor revoked, and its account can
    /// sign in.
    pub async fn caller_of_token(&self, secret_sha256: &str) -> Result<Option<Caller>> {
        const OPERATION: &str = "find the account of a token";
        let row = sqlx::query(TO_SIGN_IN)
            .bind(secret_sha256)
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Caller {
            account: AccountId(column(&row, "id", OPERATION)?),
            email: address(&row, OPERATION)?,
            role: role(&row, OPERATION)?,
            scopes: Some(scopes(&row, OPERATION)?),
            token_expires_at: Some(Timestamp::from_micros(column(&row, "expires_at", OPERATION)?)),
        }))
    }

    /// Lists the caller's tokens, newest first.
    pub async fn tokens(
        &self,
        access: &Access,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<StoredToken>> {
        const OPERATION: &str = "list tokens";
        let rows = sqlx::query(LIST)
            .bind(access.account.0)
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| token(row, OPERATION)).collect()
    }

    /// Makes a token for the caller.
    ///
    /// A secret is answered once and stored nowhere. Whoever asks again under the same key never saw
    /// it, so the token gets the new one.
    pub async fn create_token(
        &self,
        access: &Access,
        new: &NewToken,
        once: Option<&OnceKey>,
    ) -> Result<Once<StoredToken>> {
        const OPERATION: &str = "create a token";
        let mut creating = match self.begin_creating::<i64>(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(id) => return self.renew_secret(access, id, new).await.map(Once::Done),
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        let (tx, now) = (&mut creating.tx, creating.now);
        let row = sqlx::query(INSERT)
            .bind(access.account.0)
            .bind(new.label.as_deref())
            .bind(serde_json::json!(new.scopes).to_string())
            .bind(&new.secret_sha256)
            .bind(now)
            .bind(now.saturating_add(new.seconds.saturating_mul(1_000_000)))
            .fetch_one(&mut **tx)
            .await
            .during(OPERATION)?;
        let id = column(&row, "id", OPERATION)?;
        let made = one_in(tx, access, id, OPERATION).await?;
        let scopes: Vec<String> = new.scopes.iter().map(ToString::to_string).collect();
        let deed = Deed {
            action: "token_create",
            subject: format!("token {id}"),
            detail: Some(scopes.join(" ")),
        };
        audit::tell(tx, self.dialect(), now, access, deed, OPERATION).await?;
        creating.finish(&id).await?;
        Ok(Once::Done(made))
    }

    /// Revokes one of the caller's tokens. Returns whether there is such a token.
    pub async fn revoke_token(&self, access: &Access, id: i64) -> Result<bool> {
        let revoke = sqlx::query(REVOKE).bind(access.account.0).bind(id);
        let deed = Deed { action: "token_revoke", subject: format!("token {id}"), detail: None };
        self.revoke(access, revoke, deed, "revoke a token").await
    }

    async fn renew_secret(&self, access: &Access, id: i64, new: &NewToken) -> Result<StoredToken> {
        const OPERATION: &str = "renew the secret of a token";
        let mut tx = self.begin(OPERATION).await?;
        sqlx::query(RENEW_SECRET)
            .bind(access.account.0)
            .bind(id)
            .bind(&new.secret_sha256)
            .execute(&mut *tx)
            .await
            .during(OPERATION)?;
        let token = one_in(&mut tx, access, id, OPERATION).await?;
        commit(tx, OPERATION).await?;
        Ok(token)
    }
}

async fn one_in(
    tx: &mut Writing,
    access: &Access,
    id: i64,
    operation: &'static str,
) -> Result<StoredToken> {
    let row = sqlx::query(ONE)
        .bind(access.account.0)
        .bind(id)
        .fetch_one(&mut **tx)
        .await
        .during(operation)?;
    token(&row, operation)
}

fn token(row: &AnyRow, operation: &'static str) -> Result<StoredToken> {
    Ok(StoredToken {
        id: column(row, "id", operation)?,
        label: column(row, "label", operation)?,
        scopes: scopes(row, operation)?,
        created_at: Timestamp::from_micros(column(row, "created_at", operation)?),
        expires_at: Timestamp::from_micros(column(row, "expires_at", operation)?),
        revoked_at: moment(row, "revoked_at", operation)?,
    })
}

fn scopes(row: &AnyRow, operation: &'static str) -> Result<Vec<Scope>> {
    let text: String = column(row, "scopes", operation)?;
    decode(serde_json::from_str(&text), operation, &text, "scopes of a token")
}

#[cfg(test)]
mod tests;
