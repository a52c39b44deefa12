//! What can go wrong in the MetaDB. Expected answers (no such run, not yours, moved on) are not
//! errors: each function returns them as its own outcome.

use std::path::PathBuf;

/// The result of talking to the MetaDB.
pub type Result<T> = std::result::Result<T, MetaDbError>;

/// A fault of the database, its files, or what was read from it.
#[derive(Debug, thiserror::Error)]
pub enum MetaDbError {
    /// The location is neither a path nor a PostgreSQL URL.
    #[error("`{0}` is not a MetaDB: give a path for SQLite, or postgresql://...")]
    NotALocation(String),
    /// The password file cannot be read.
    #[error("read the password of the MetaDB from {}", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A URL with a password, or a password file, can be read by others.
    #[error("the password of the MetaDB can be read by others; run: chmod 600 {}", .0.display())]
    PasswordOpen(PathBuf),
    /// No connection.
    #[error("open the MetaDB at {location}")]
    Open {
        /// Where, without a password.
        location: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A migration failed or was changed after it ran.
    #[error("migrate the MetaDB at {location}")]
    Migrate {
        /// Where, without a password.
        location: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// A statement failed.
    #[error("{operation}")]
    Query {
        /// What was being done, such as `claim runs`.
        operation: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A row holds what no program of ours writes.
    #[error("{operation}: the MetaDB holds `{value}`, which is not {expected}")]
    Unreadable {
        /// What was being done.
        operation: &'static str,
        /// What was found.
        value: String,
        /// What should be there.
        expected: &'static str,
    },
    /// Something was written, and is not known to be on disk. It must not be written again: whoever asks
    /// again with the same key learns what became of it.
    #[error("{operation}: written, and not known to be on disk")]
    NotFlushed {
        /// What was being done.
        operation: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The task that writes batches has ended; the service is stopping.
    #[error("{0}: the writer of the MetaDB has stopped")]
    WriterStopped(&'static str),
}

impl MetaDbError {
    /// Tells whether the same transaction may succeed when it is tried again: another writer was in
    /// the way.
    pub fn is_retryable(&self) -> bool {
        let Self::Query { source: sqlx::Error::Database(source), .. } = self else {
            return false;
        };
        // PostgreSQL: serialization_failure, deadlock_detected; SQLite: busy, locked and their kin.
        matches!(source.code().as_deref(), Some("40001" | "40P01" | "5" | "6" | "261" | "517"))
    }

    /// Tells whether the database cannot be had now: its server is away, or all connections are busy.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::WriterStopped(_) | Self::NotFlushed { .. } => true,
            Self::Query { source, .. } | Self::Open { source, .. } => matches!(
                source,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed
            ),
            Self::NotALocation(_)
            | Self::PasswordFile { .. }
            | Self::PasswordOpen(_)
            | Self::Migrate { .. }
            | Self::Unreadable { .. } => false,
        }
    }

    /// Tells whether a unique key stood in the way.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Query { source: sqlx::Error::Database(source), .. }
            if source.kind() == sqlx::error::ErrorKind::UniqueViolation)
    }
}

/// Names the operation a statement belongs to.
pub(crate) trait During<T> {
    /// Wraps a driver's error with what was being done.
    fn during(self, operation: &'static str) -> Result<T>;
}

impl<T> During<T> for std::result::Result<T, sqlx::Error> {
    fn during(self, operation: &'static str) -> Result<T> {
        self.map_err(|source| MetaDbError::Query { operation, source })
    }
}

/// Reads a word, number or JSON text that only we write.
#[expect(
    clippy::needless_pass_by_value,
    reason = "numbers and references are handed over as they are"
)]
pub(crate) fn decode<T, E>(
    parsed: std::result::Result<T, E>,
    operation: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> Result<T> {
    parsed.map_err(|_| MetaDbError::Unreadable { operation, value: value.to_string(), expected })
}
