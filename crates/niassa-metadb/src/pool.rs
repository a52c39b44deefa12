//! The open MetaDB: one pool that writes, one that reads.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Once};
use std::time::Duration;

use niassa_model::time::Timestamp;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyPool, Row, Transaction};

use crate::claims::precedence::Precedence;
use crate::claims::waiting::RecentCounts;
use crate::dialect::Dialect;
use crate::error::{During, MetaDbError, Result};
use crate::location::Location;

/// A transaction that writes; rolled back when it is dropped.
pub(crate) type Writing = Transaction<'static, Any>;

/// An open MetaDB. Cloning shares it.
#[derive(Clone)]
pub struct MetaDb {
    location: Location,
    dialect: Dialect,
    write: AnyPool,
    read: AnyPool,
    precedence: Arc<Precedence>,
    waiting: Arc<RecentCounts>,
}

static DRIVERS: Once = Once::new();

/// How often a transaction is tried again when another writer was in the way.
const TRIES: u32 = 8;

sql! {
    /// The database's own time, in microseconds.
    NOW = "select now from clock";
    /// How many accounts there are.
    COUNT_ACCOUNTS = "select count(*) from account";
}

impl MetaDb {
    /// Opens the MetaDB without migrating it.
    pub async fn connect(location: Location) -> Result<Self> {
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let dialect = Dialect::of(&location);
        let failed = |source| MetaDbError::Open { location: location.to_string(), source };
        if let Location::Sqlite(path) = &location {
            make_closed(path).map_err(|error| failed(sqlx::Error::Io(error)))?;
        }
        let options = AnyConnectOptions::from_str(&location.url()?).map_err(failed)?;
        let pool = |connections: u32| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(30))
                .after_connect(move |connection, _| {
                    Box::pin(async move { dialect.prepare(connection).await })
                })
        };
        let write = pool(dialect.writers()).connect_with(options.clone()).await.map_err(failed)?;
        // The reading pool opens its connections when they are needed.
        let read = pool(dialect.readers()).connect_lazy_with(options);
        let (precedence, waiting) = (Arc::default(), Arc::default());
        Ok(Self { location, dialect, write, read, precedence, waiting })
    }

    /// Brings the schema up to this program's version; does nothing when it is there already.
    pub async fn migrate(&self) -> Result<()> {
        self.dialect
            .migrator()
            .run(&self.write)
            .await
            .map_err(|source| MetaDbError::Migrate { location: self.location.to_string(), source })
    }

    /// Tells whether the schema is this program's: every migration has run.
    pub async fn is_migrated(&self) -> bool {
        match sqlx::query("select max(version) from _sqlx_migrations where success")
            .fetch_one(&self.read)
            .await
            .and_then(|row| row.try_get::<Option<i64>, _>(0))
        {
            Ok(version) => version == self.dialect.migrator().iter().map(|m| m.version).max(),
            Err(_) => false,
        }
    }

    /// Tells whether the MetaDB is embedded in this process, and so migrated at start.
    pub fn is_embedded(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    /// Returns where it is, without a password.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Returns the database's time. It is the only clock that leases and logs know.
    pub async fn now(&self) -> Result<Timestamp> {
        let row = sqlx::query(NOW).fetch_one(&self.read).await.during("read the clock")?;
        Ok(Timestamp::from_micros(column(&row, 0, "read the clock")?))
    }

    /// Tells whether anybody could sign in.
    pub async fn has_accounts(&self) -> Result<bool> {
        let row =
            sqlx::query(COUNT_ACCOUNTS).fetch_one(&self.read).await.during("count accounts")?;
        Ok(column::<i64>(&row, 0, "count accounts")? > 0)
    }

    /// Looks whether the database's files are whole.
    pub async fn check(&self) -> Result<()> {
        const OPERATION: &str = "check the database";
        let rows =
            sqlx::query(self.dialect.check()).fetch_all(&self.read).await.during(OPERATION)?;
        let words = rows.iter().map(|row| column::<String>(row, 0, OPERATION));
        let words = words.collect::<Result<Vec<_>>>()?;
        if words == ["ok"] {
            return Ok(());
        }
        let value = words.join("; ");
        Err(MetaDbError::Unreadable { operation: OPERATION, value, expected: "whole" })
    }

    /// Closes all connections; SQLite folds its log back into the file.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// Begins a transaction that writes.
    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Writing> {
        self.write.begin_with(self.dialect.begin()).await.during(operation)
    }

    /// Begins a transaction that writes and finds everything by keys; see [`Dialect::begin_by_keys`].
    pub(crate) async fn begin_by_keys(&self, operation: &'static str) -> Result<Writing> {
        self.begin_as(self.dialect.begin_by_keys(), operation).await
    }

    /// Begins a transaction of another kind.
    pub(crate) async fn begin_as(
        &self,
        begin: &'static str,
        operation: &'static str,
    ) -> Result<Writing> {
        self.write.begin_with(begin).await.during(operation)
    }

    /// Returns once what batches committed is on disk; see [`Dialect::begin_batch`].
    pub(crate) async fn flush(&self, operation: &'static str) -> Result<()> {
        match self.dialect.flush() {
            Some(flush) => {
                sqlx::query(flush).execute(&self.write).await.during(operation).map(drop)
            }
            None => Ok(()),
        }
    }

    /// Returns which database it is.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns who goes first.
    pub(crate) fn precedence(&self) -> &Precedence {
        &self.precedence
    }

    /// Returns what was counted a moment ago of runs that wait.
    pub(crate) fn recent_counts(&self) -> &RecentCounts {
        &self.waiting
    }

    /// Returns the pool for statements that only read.
    pub(crate) fn reader(&self) -> &AnyPool {
        &self.read
    }
}

/// Makes a file that only its owner can read, unless it is there: it will hold hashes of passwords.
pub(crate) fn make_closed(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

/// Commits a transaction.
pub(crate) async fn commit(transaction: Writing, operation: &'static str) -> Result<()> {
    transaction.commit().await.during(operation)
}

/// Runs a whole transaction again, a bounded number of times, while other writers are in the way.
pub(crate) async fn retrying<T, F>(mut transaction: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut tried = 1;
    loop {
        match transaction().await {
            Err(error) if error.is_retryable() && tried < TRIES => {
                tokio::time::sleep(Duration::from_millis(1 << tried)).await;
                tried += 1;
            }
            result => return result,
        }
    }
}

/// Returns the time inside a transaction.
pub(crate) async fn now_in(transaction: &mut Writing, operation: &'static str) -> Result<i64> {
    let row = sqlx::query(NOW).fetch_one(&mut **transaction).await.during(operation)?;
    column(&row, 0, operation)
}

/// Reads a column by its position or name.
pub(crate) fn column<'r, T>(
    row: &'r AnyRow,
    index: impl sqlx::ColumnIndex<AnyRow>,
    operation: &'static str,
) -> Result<T>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    row.try_get(index).during(operation)
}

/// Reads a moment that may be missing.
pub(crate) fn moment(
    row: &AnyRow,
    name: &'static str,
    operation: &'static str,
) -> Result<Option<Timestamp>> {
    Ok(column::<Option<i64>>(row, name, operation)?.map(Timestamp::from_micros))
}
