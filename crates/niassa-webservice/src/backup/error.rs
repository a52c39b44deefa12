//! Why a backup was not made, or not put back.

use std::io;
use std::path::PathBuf;

use niassa_metadb::MetaDbError;

use super::Database;
use crate::administer::AdministerError;
use crate::config::ConfigError;

/// Why a backup was not made, or not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The MetaDB cannot be opened.
    #[error(transparent)]
    Administer(#[from] AdministerError),
    /// The MetaDB cannot be read or written.
    #[error(transparent)]
    MetaDb(#[from] MetaDbError),
    /// It is not known where everything is.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file cannot be used.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another backup is being written there.
    #[error("another backup is being written to {}", .0.display())]
    Busy(PathBuf),
    /// The folder of archives is not where it was said to be.
    #[error("the MetaDB names {named} archives of bundles, and there is no folder {}", folder.display())]
    NoArchives {
        /// The folder.
        folder: PathBuf,
        /// How many archives there should be.
        named: usize,
    },
    /// There is no backup.
    #[error("there is no backup in {}", .0.display())]
    NoBackup(PathBuf),
    /// A file of the backup is not what it was.
    #[error("{} was changed after the backup was made: its SHA-256 does not agree", .0.display())]
    Changed(PathBuf),
    /// The manifest says what this program does not understand.
    #[error("{} cannot be understood", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A later program made the backup.
    #[error(
        "the backup has schema version {found}, this program knows {known}; use a newer program"
    )]
    Newer {
        /// Its version.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// The backup is of the other database.
    #[error("the backup is of {found}, and {location} is not")]
    OtherDatabase {
        /// What it is of.
        found: Database,
        /// Where it was to be put.
        location: String,
    },
    /// There is something where the backup was to be put.
    #[error("the MetaDB at {0} is not empty; a backup is put back into a new place only")]
    NotEmpty(String),
    /// What was put back is not what was in the backup.
    #[error("the MetaDB does not hold what the backup holds; it cannot be used")]
    NotTheSame,
}
