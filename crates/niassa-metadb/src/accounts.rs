//! Accounts: who may sign in. They are not objects and take no accession.

use niassa_model::account::{AccountId, Email, Role};
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::audit::{self, Deed};
use crate::creating::Begun;
use crate::error::{During, Result, decode};
use crate::idempotency::{Once, OnceKey};
use crate::pool::{Writing, column, commit, now_in};
use crate::{Access, MetaDb, sessions};

/// An account as it is shown: without its password's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its address.
    pub email: Email,
    /// What it is.
    pub role: Role,
    /// When it was shut; nothing while it can sign in.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is needed to verify a password.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInAccount {
    /// The account's number.
    pub id: AccountId,
    /// Its address.
    pub email: Email,
    /// What it is.
    pub role: Role,
    /// Its password's hash, in PHC form.
    pub password_hash: String,
    /// Whether it is shut.
    pub is_disabled: bool,
}

/// An account to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Its address.
    pub email: Email,
    /// What it is.
    pub role: Role,
    /// Its password's hash, in PHC form.
    pub password_hash: String,
}

/// What to change of an account; what is absent stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountChange {
    /// Shut it, or open it again.
    pub state: Option<AccountState>,
    /// What it is from now on.
    pub role: Option<Role>,
}

/// Whether an account can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// It can.
    Enabled,
    /// It cannot.
    Disabled,
}

/// The outcome of making an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountMade {
    /// It is there.
    Made(Account),
    /// One with this address was there before.
    Exists,
}

/// The outcome of changing an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChanged {
    /// It is changed.
    Changed(Account),
    /// There is no such account, or the caller may not see it.
    Missing,
    /// It is the last administrator that can sign in, and stays so.
    LastAdministrator,
}

sql! {
    /// What is needed to verify a password. `$1`: address.
    TO_SIGN_IN = "select id, email, role, password_hash, disabled_at from account where email = $1";
    /// A page of accounts, by number. `$1`: 1 for who sees everything; `$2`: after; `$3`: rows.
    LIST = "select id, email, role, disabled_at, created_at from account \
        where cast($1 as bigint) = 1 and id > $2 order by id limit $3";
    /// One account. `$1`: 1 for who sees everything; `$2`: the caller; `$3`: address.
    ONE = "select id, email, role, disabled_at, created_at from account \
        where (cast($1 as bigint) = 1 or id = $2) and email = $3";
    /// Makes an account, unless its address is taken.
    INSERT = "insert into account (email, role, password_hash, created_at) \
        select cast($2 as text), cast($3 as text), cast($4 as text), cast($5 as bigint) \
        where cast($1 as bigint) = 1 \
        on conflict (email) do nothing \
        returning id, email, role, disabled_at, created_at";
    /// How many administrators can sign in.
    COUNT_ADMINISTRATORS = "select count(*) from account \
        where role = 'administrator' and disabled_at is null";
    /// Takes all administrators' rows, so that of two who are demoted at once one stays.
    TAKE_ADMINISTRATORS = "update account set role = role where role = 'administrator'";
    /// Changes an account. `$1`: 1 for who sees everything; `$2`: address; `$3`: role; `$4`: when it
    /// was shut.
    CHANGE = "update account set role = $3, disabled_at = $4 \
        where cast($1 as bigint) = 1 and email = $2";
    /// Sets a password. `$1`: 1 for who sees everything; `$2`: the caller; `$3`: address; `$4`: hash.
    SET_PASSWORD = "update account set password_hash = $4 \
        where (cast($1 as bigint) = 1 or id = $2) and email = $3 returning id";
}

impl MetaDb {
    /// Returns what is needed to verify a password.
    pub async fn account_to_sign_in(&self, email: &Email) -> Result<Option<SignInAccount>> {
        const OPERATION: &str = "find an account to sign in";
        let row = sqlx::query(TO_SIGN_IN)
            .bind(email.as_str())
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(SignInAccount {
            id: AccountId(column(&row, "id", OPERATION)?),
            email: address(&row, OPERATION)?,
            role: role(&row, OPERATION)?,
            password_hash: column(&row, "password_hash", OPERATION)?,
            is_disabled: column::<Option<i64>>(&row, "disabled_at", OPERATION)?.is_some(),
        }))
    }

    /// Lists accounts by number, for administrators; nobody else sees any.
    pub async fn accounts(&self, access: &Access, after: i64, limit: u32) -> Result<Vec<Account>> {
        const OPERATION: &str = "list accounts";
        let rows = sqlx::query(LIST)
            .bind(access.everything())
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| account(row, OPERATION)).collect()
    }

    /// Returns an account: the caller's own, or as an administrator any.
    pub async fn account(&self, access: &Access, email: &Email) -> Result<Option<Account>> {
        const OPERATION: &str = "find an account";
        let row = sqlx::query(ONE)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(email.as_str())
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        row.map(|row| account(&row, OPERATION)).transpose()
    }

    /// Makes an account; only administrators may.
    pub async fn create_account(
        &self,
        access: &Access,
        new: &NewAccount,
        once: Option<&OnceKey>,
    ) -> Result<Once<AccountMade>> {
        const OPERATION: &str = "create an account";
        let mut creating = match self.begin_creating::<String>(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(_) => {
                let account = self.account(access, &new.email).await?;
                return Ok(Once::Done(account.map_or(AccountMade::Exists, AccountMade::Made)));
            }
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        let row = sqlx::query(INSERT)
            .bind(access.everything())
            .bind(new.email.as_str())
            .bind(new.role.as_str())
            .bind(&new.password_hash)
            .bind(creating.now)
            .fetch_optional(&mut *creating.tx)
            .await
            .during(OPERATION)?;
        let Some(row) = row else { return Ok(Once::Done(AccountMade::Exists)) };
        let account = account(&row, OPERATION)?;
        let deed = Deed {
            action: "account_create",
            subject: format!("account {}", account.email),
            detail: Some(account.role.as_str().to_owned()),
        };
        let (tx, now) = (&mut creating.tx, creating.now);
        audit::tell(tx, self.dialect(), now, access, deed, OPERATION).await?;
        creating.finish(&account.email).await?;
        Ok(Once::Done(AccountMade::Made(account)))
    }

    /// Shuts or opens an account, or changes its role; only administrators may. One administrator
    /// that can sign in always stays.
    pub async fn change_account(
        &self,
        access: &Access,
        email: &Email,
        change: AccountChange,
    ) -> Result<AccountChanged> {
        const OPERATION: &str = "change an account";
        let mut tx = self.begin(OPERATION).await?;
        sqlx::query(TAKE_ADMINISTRATORS).execute(&mut *tx).await.during(OPERATION)?;
        let Some(before) = one_in(&mut tx, access, email, OPERATION).await? else {
            return Ok(AccountChanged::Missing);
        };
        let now = now_in(&mut tx, OPERATION).await?;
        let disabled_at = match change.state {
            None => before.disabled_at.map(Timestamp::as_micros),
            Some(AccountState::Enabled) => None,
            Some(AccountState::Disabled) => {
                Some(before.disabled_at.map_or(now, Timestamp::as_micros))
            }
        };
        sqlx::query(CHANGE)
            .bind(access.everything())
            .bind(email.as_str())
            .bind(change.role.unwrap_or(before.role).as_str())
            .bind(disabled_at)
            .execute(&mut *tx)
            .await
            .during(OPERATION)?;
        let row = sqlx::query(COUNT_ADMINISTRATORS).fetch_one(&mut *tx).await.during(OPERATION)?;
        if column::<i64>(&row, 0, OPERATION)? == 0 {
            return Ok(AccountChanged::LastAdministrator);
        }
        if disabled_at.is_some() {
            sessions::end_all(&mut tx, before.id, OPERATION).await?;
        }
        let after = one_in(&mut tx, access, email, OPERATION).await?;
        let deed = Deed {
            action: "account_change",
            subject: format!("account {email}"),
            detail: Some(describe(change)),
        };
        audit::tell(&mut tx, self.dialect(), now, access, deed, OPERATION).await?;
        commit(tx, OPERATION).await?;
        Ok(after.map_or(AccountChanged::Missing, AccountChanged::Changed))
    }

    /// Sets a password: the caller's own, or as an administrator anybody's. Returns whose it is, or
    /// nothing where there is no such account or the caller may not see it.
    pub async fn set_password(
        &self,
        access: &Access,
        email: &Email,
        password_hash: &str,
    ) -> Result<Option<AccountId>> {
        const OPERATION: &str = "set a password";
        let mut tx = self.begin(OPERATION).await?;
        let row = sqlx::query(SET_PASSWORD)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(email.as_str())
            .bind(password_hash)
            .fetch_optional(&mut *tx)
            .await
            .during(OPERATION)?;
        let account = row.map(|row| column(&row, "id", OPERATION).map(AccountId)).transpose()?;
        if let Some(account) = account {
            sessions::end_all(&mut tx, account, OPERATION).await?;
            let now = now_in(&mut tx, OPERATION).await?;
            let subject = format!("account {email}");
            let deed = Deed { action: "password_set", subject, detail: None };
            audit::tell(&mut tx, self.dialect(), now, access, deed, OPERATION).await?;
        }
        commit(tx, OPERATION).await?;
        Ok(account)
    }
}

/// Writes what a change says.
fn describe(change: AccountChange) -> String {
    let state = change.state.map(|state| match state {
        AccountState::Enabled => "enabled",
        AccountState::Disabled => "disabled",
    });
    let said = [state, change.role.map(Role::as_str)];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

async fn one_in(
    tx: &mut Writing,
    access: &Access,
    email: &Email,
    operation: &'static str,
) -> Result<Option<Account>> {
    let row = sqlx::query(ONE)
        .bind(access.everything())
        .bind(access.account.0)
        .bind(email.as_str())
        .fetch_optional(&mut **tx)
        .await
        .during(operation)?;
    row.map(|row| account(&row, operation)).transpose()
}

fn account(row: &AnyRow, operation: &'static str) -> Result<Account> {
    let disabled: Option<i64> = column(row, "disabled_at", operation)?;
    Ok(Account {
        id: AccountId(column(row, "id", operation)?),
        email: address(row, operation)?,
        role: role(row, operation)?,
        disabled_at: disabled.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(column(row, "created_at", operation)?),
    })
}

/// Reads an account's address.
pub(crate) fn address(row: &AnyRow, operation: &'static str) -> Result<Email> {
    let text: String = column(row, "email", operation)?;
    decode(text.parse(), operation, &text, "an e-mail address")
}

/// Reads an account's role.
pub(crate) fn role(row: &AnyRow, operation: &'static str) -> Result<Role> {
    let text: String = column(row, "role", operation)?;
    decode(text.parse(), operation, &text, "a role")
}

#[cfg(test)]
mod tests;
