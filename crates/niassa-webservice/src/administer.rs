//! What is done to a MetaDB without the service: setting it up, and helping a lost administrator.
//!
//! Whoever can open the MetaDB can do anything with it, so these ask nobody. A service that runs
//! meanwhile notices a changed password after a minute.

mod check;

pub use check::{CheckVerdict, Finding, check};

use niassa_metadb::access::Sees;
use niassa_metadb::accounts::{AccountMade, NewAccount};
use niassa_metadb::idempotency::Once;
use niassa_metadb::{Access, Location, MetaDb, MetaDbError};
use niassa_model::account::{AccountId, Email, Role};

use crate::config::{ConfigError, ServiceConfig};
use crate::sign_in::password::{Hashing, PasswordError};

/// Why a MetaDB could not be administered.
#[derive(Debug, thiserror::Error)]
pub enum AdministerError {
    /// A password would stand in the list of processes.
    #[error(
        "the MetaDB's URL holds a password, which others can read on the command line; use ~/.pgpass"
    )]
    PasswordOnCommandLine,
    /// The MetaDB cannot be used.
    #[error(transparent)]
    MetaDb(#[from] MetaDbError),
    /// It is not known where it is.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It was set up before.
    #[error("the MetaDB at {0} has accounts already; make more with: seqware account create")]
    HasAccounts(String),
    /// It is not of this version.
    #[error("the MetaDB at {0} is not migrated to this version; run: seqware metadb migrate")]
    NotMigrated(String),
    /// The address is taken.
    #[error("there is an account {0} already")]
    AccountExists(Email),
    /// There is no such account.
    #[error("there is no account {0}")]
    NoAccount(Email),
    /// The password cannot be used.
    #[error("the password cannot be used: {0}")]
    Password(String),
}

/// Migrates a new MetaDB and makes its first account, an administrator.
pub async fn init_metadb(
    metadb: &str,
    admin: &Email,
    password: &str,
) -> Result<(), AdministerError> {
    let metadb = open(metadb).await?;
    metadb.migrate().await?;
    let result = if metadb.has_accounts().await? {
        Err(AdministerError::HasAccounts(metadb.location().to_string()))
    } else {
        make_account(&metadb, admin, Role::Administrator, password).await
    };
    metadb.close().await;
    result
}

/// Brings a MetaDB to the version of this program.
pub async fn migrate(metadb: &str) -> Result<(), AdministerError> {
    let metadb = open(metadb).await?;
    let result = metadb.migrate().await;
    metadb.close().await;
    Ok(result?)
}

/// Makes an account.
pub async fn create_account(
    metadb: &str,
    email: &Email,
    role: Role,
    password: &str,
) -> Result<(), AdministerError> {
    let metadb = open_migrated(metadb).await?;
    let result = make_account(&metadb, email, role, password).await;
    metadb.close().await;
    result
}

/// Sets an account's password.
pub async fn set_password(
    metadb: &str,
    email: &Email,
    password: &str,
) -> Result<(), AdministerError> {
    let metadb = open_migrated(metadb).await?;
    let hash = Hashing::default().hash(password).await?;
    let changed = metadb.set_password(&operator(), email, &hash).await;
    metadb.close().await;
    changed?.map(drop).ok_or_else(|| AdministerError::NoAccount(email.clone()))
}

impl From<PasswordError> for AdministerError {
    fn from(error: PasswordError) -> Self {
        Self::Password(crate::error::chain(&error))
    }
}

async fn open(metadb: &str) -> Result<MetaDb, AdministerError> {
    let location = Location::parse(metadb)?;
    if location.holds_password() {
        return Err(AdministerError::PasswordOnCommandLine);
    }
    Ok(MetaDb::connect(location).await?)
}

async fn open_migrated(metadb: &str) -> Result<MetaDb, AdministerError> {
    migrated(open(metadb).await?).await
}

/// Opens the MetaDB of a service; it has to be of this version.
pub(crate) async fn open_configured(config: &ServiceConfig) -> Result<MetaDb, AdministerError> {
    migrated(MetaDb::connect(config.location()?).await?).await
}

async fn migrated(metadb: MetaDb) -> Result<MetaDb, AdministerError> {
    if metadb.is_migrated().await {
        return Ok(metadb);
    }
    let location = metadb.location().to_string();
    metadb.close().await;
    Err(AdministerError::NotMigrated(location))
}

async fn make_account(
    metadb: &MetaDb,
    email: &Email,
    role: Role,
    password: &str,
) -> Result<(), AdministerError> {
    let password_hash = Hashing::default().hash(password).await?;
    let new = NewAccount { email: email.clone(), role, password_hash };
    match metadb.create_account(&operator(), &new, None).await? {
        Once::Done(AccountMade::Made(_)) => Ok(()),
        Once::Done(AccountMade::Exists) | Once::Mismatch => {
            Err(AdministerError::AccountExists(email.clone()))
        }
    }
}

/// Whoever holds the MetaDB itself: no account, but above all of them.
pub(crate) fn operator() -> Access {
    Access {
        account: AccountId(0),
        email: "operator of the MetaDB".to_owned(),
        sees: Sees::Everything,
        hosts: None,
        origin: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_metadb_is_set_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.db").display().to_string();
        let admin: Email = "ann@lab.net".parse().unwrap();
        assert!(matches!(
            init_metadb(&path, &admin, "short").await,
            Err(AdministerError::Password(_))
        ));
        init_metadb(&path, &admin, "long enough").await.unwrap();
        migrate(&path).await.unwrap();
        assert!(matches!(
            init_metadb(&path, &admin, "long enough").await,
            Err(AdministerError::HasAccounts(_))
        ));
        assert!(matches!(
            create_account(&path, &admin, Role::Member, "long enough").await,
            Err(AdministerError::AccountExists(_))
        ));
        let bob: Email = "bob@lab.net".parse().unwrap();
        assert!(matches!(
            set_password(&path, &bob, "long enough").await,
            Err(AdministerError::NoAccount(_))
        ));
        create_account(&path, &bob, Role::Member, "long enough").await.unwrap();
        set_password(&path, &bob, "another one").await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_metadb_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.db").display().to_string();
        let config = ServiceConfig { metadb: Some(path.clone()), ..ServiceConfig::default() };
        assert!(matches!(open_configured(&config).await, Err(AdministerError::NotMigrated(_))));
        let url = "postgresql://bob:secret@db/niassa";
        assert!(matches!(migrate(url).await, Err(AdministerError::PasswordOnCommandLine)));
    }
}
