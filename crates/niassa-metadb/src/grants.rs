//! Grants: an account lets another one launch its runs with a label.
//!
//! Who is allowed may claim, record and read such runs, and neither cancel nor try them again. Each
//! statement about runs looks at the grants itself, so that one that was revoked is worth nothing
//! at the next call.

use niassa_model::account::{AccountId, Email};
use niassa_model::host::HostLabel;
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::audit::{self, Deed};
use crate::creating::Begun;
use crate::error::{During, Result, decode};
use crate::idempotency::{Once, OnceKey};
use crate::pool::{Writing, column, moment};
use crate::{Access, MetaDb};

/// A grant as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchGrant {
    /// Its number.
    pub id: i64,
    /// The address of the account whose runs may be launched.
    pub owner: String,
    /// The address of the account that may launch them.
    pub grantee: String,
    /// The label.
    pub host: HostLabel,
    /// The address of the account that allowed it.
    pub granted_by: String,
    /// When.
    pub granted_at: Timestamp,
    /// When it stops being good, if by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// A grant to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLaunchGrant {
    /// Whose runs may be launched.
    pub owner: Email,
    /// Who may launch them.
    pub grantee: Email,
    /// The label.
    pub host: HostLabel,
    /// How long it is good, in seconds; for ever without.
    pub seconds: Option<i64>,
}

/// What became of a grant that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchGranted {
    /// It is good.
    Granted(LaunchGrant),
    /// There is no such account, or the caller may not let others launch its runs.
    NoAccount(Email),
}

sql! {
    /// The accounts of a grant: the owner, where the caller may speak for it, and the grantee. `$1`:
    /// 1 for administrators; `$2`: caller; `$3`: owner; `$4`: grantee.
    ACCOUNTS = "select a.id, a.email from account a \
        where (a.email = $3 and (cast($1 as bigint) = 1 or a.id = $2)) or a.email = $4";
    /// Revokes what a new grant takes the place of. `$1`: owner; `$2`: grantee; `$3`: label; `$4`:
    /// time.
    REPLACE = "update launch_grant set revoked_at = $4 \
        where owner = $1 and grantee = $2 and host = $3 and revoked_at is null";
    /// Makes a grant.
    INSERT = "insert into launch_grant (owner, grantee, host, granted_by, granted_at, expires_at) \
        values ($1, $2, $3, $4, $5, $6) returning id";
    /// Grants of the caller and to the caller, or all for an administrator, newest first. `$1`,
    /// `$2`: as in `visible!`; `$3`: before; `$4`: only this one; `$5`: rows.
    LIST = "select g.id, o.email as owner_email, e.email as grantee_email, g.host, \
            b.email as granter_email, g.granted_at, g.expires_at, g.revoked_at \
        from launch_grant g join account o on o.id = g.owner join account e on e.id = g.grantee \
            join account b on b.id = g.granted_by \
        where (cast($1 as bigint) = 1 or g.owner = $2 or g.grantee = $2) \
            and (cast($3 as bigint) is null or g.id < $3) \
            and (cast($4 as bigint) is null or g.id = $4) \
        order by g.id desc limit $5";
    /// Revokes a grant of the caller's, or any for an administrator. `$1`, `$2`: as in `visible!`;
    /// `$3`: grant; `$4`: time.
    REVOKE = "update launch_grant set revoked_at = coalesce(revoked_at, $4) \
        where id = $3 and (cast($1 as bigint) = 1 or owner = $2) returning id";
}

impl MetaDb {
    /// Lets an account launch the runs of another one with a label; takes the place of an older
    /// grant of the same.
    pub async fn grant_launch(
        &self,
        access: &Access,
        new: &NewLaunchGrant,
        once: Option<&OnceKey>,
    ) -> Result<Once<LaunchGranted>> {
        const OPERATION: &str = "grant launching";
        let mut creating = match self.begin_creating::<i64>(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(id) => {
                let mut tx = self.begin(OPERATION).await?;
                let grant = one_in(&mut tx, access, id, OPERATION).await?;
                return Ok(Once::Done(LaunchGranted::Granted(grant)));
            }
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        let (tx, now) = (&mut creating.tx, creating.now);
        let (owner, grantee) = match accounts(tx, access, new, OPERATION).await? {
            Ok(found) => found,
            Err(missing) => return Ok(Once::Done(LaunchGranted::NoAccount(missing))),
        };
        sqlx::query(REPLACE)
            .bind(owner.0)
            .bind(grantee.0)
            .bind(new.host.as_str())
            .bind(now)
            .execute(&mut **tx)
            .await
            .during(OPERATION)?;
        let expires_at =
            new.seconds.map(|seconds| now.saturating_add(seconds.saturating_mul(1_000_000)));
        let row = sqlx::query(INSERT)
            .bind(owner.0)
            .bind(grantee.0)
            .bind(new.host.as_str())
            .bind(access.account.0)
            .bind(now)
            .bind(expires_at)
            .fetch_one(&mut **tx)
            .await
            .during(OPERATION)?;
        let id: i64 = column(&row, "id", OPERATION)?;
        let grant = one_in(tx, access, id, OPERATION).await?;
        let deed = Deed {
            action: "grant_launch",
            subject: format!("grant {id}"),
            detail: Some(format!("from {} to {} on {}", new.owner, new.grantee, new.host)),
        };
        audit::tell(tx, self.dialect(), now, access, deed, OPERATION).await?;
        creating.finish(&id).await?;
        Ok(Once::Done(LaunchGranted::Granted(grant)))
    }

    /// Lists grants by the caller and to the caller, or all for an administrator, newest first.
    pub async fn launch_grants(
        &self,
        access: &Access,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<LaunchGrant>> {
        const OPERATION: &str = "list grants";
        let rows = sqlx::query(LIST)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(before)
            .bind(None::<i64>)
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| grant(row, OPERATION)).collect()
    }

    /// Revokes a grant by the caller, or any for an administrator. Returns whether there is such a
    /// grant.
    pub async fn revoke_launch_grant(&self, access: &Access, id: i64) -> Result<bool> {
        let revoke = sqlx::query(REVOKE).bind(access.everything()).bind(access.account.0).bind(id);
        let deed = Deed { action: "grant_revoke", subject: format!("grant {id}"), detail: None };
        self.revoke(access, revoke, deed, "revoke a grant").await
    }
}

/// Finds the two accounts, or tells which is missing. An account that the caller may not speak for
/// is as good as missing.
async fn accounts(
    tx: &mut Writing,
    access: &Access,
    new: &NewLaunchGrant,
    operation: &'static str,
) -> Result<std::result::Result<(AccountId, AccountId), Email>> {
    let rows = sqlx::query(ACCOUNTS)
        .bind(access.everything())
        .bind(access.account.0)
        .bind(new.owner.as_str())
        .bind(new.grantee.as_str())
        .fetch_all(&mut **tx)
        .await
        .during(operation)?;
    let mut ids = Vec::with_capacity(rows.len());
    for row in &rows {
        let email: String = column(row, "email", operation)?;
        ids.push((email, AccountId(column(row, "id", operation)?)));
    }
    let find = |email: &Email| {
        let found = ids.iter().find(|(address, _)| address == email.as_str());
        found.map(|(_, id)| *id).ok_or_else(|| email.clone())
    };
    Ok(find(&new.owner).and_then(|owner| Ok((owner, find(&new.grantee)?))))
}

async fn one_in(
    tx: &mut Writing,
    access: &Access,
    id: i64,
    operation: &'static str,
) -> Result<LaunchGrant> {
    let row = sqlx::query(LIST)
        .bind(access.everything())
        .bind(access.account.0)
        .bind(None::<i64>)
        .bind(id)
        .bind(1_i64)
        .fetch_one(&mut **tx)
        .await
        .during(operation)?;
    grant(&row, operation)
}

fn grant(row: &AnyRow, operation: &'static str) -> Result<LaunchGrant> {
    let label: String = column(row, "host", operation)?;
    Ok(LaunchGrant {
        id: column(row, "id", operation)?,
        owner: column(row, "owner_email", operation)?,
        grantee: column(row, "grantee_email", operation)?,
        host: decode(label.parse(), operation, &label, "a host label")?,
        granted_by: column(row, "granter_email", operation)?,
        granted_at: Timestamp::from_micros(column(row, "granted_at", operation)?),
        expires_at: moment(row, "expires_at", operation)?,
        revoked_at: moment(row, "revoked_at", operation)?,
    })
}

#[cfg(test)]
mod tests;
