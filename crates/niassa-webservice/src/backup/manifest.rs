//! The manifest of a backup: what it is of, what it holds, and the digests of all of it.

use std::fmt;
use std::fs;
use std::path::Path;

use niassa_metadb::Location;
use niassa_metadb::backup::{Contents, NamedArchive};
use serde::{Deserialize, Serialize};

use super::BackupError;
use super::files::{self, SummedFile, failed};

/// The file of the manifest.
pub(super) const MANIFEST: &str = "manifest.json";
/// The digests of the manifest and of the copy, as `sha256sum --check` reads them.
pub(super) const SUMS: &str = "SHA256SUMS";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup: 1.
    pub niassa_backup: u32,
    /// The version of the program that made it.
    pub software: String,
    /// The version of the schema.
    pub schema: i64,
    /// What it is of.
    pub database: Database,
    /// The copy of the database.
    pub file: SummedFile,
    /// The archives that the backup has, in the folder beside its own.
    pub archives: Vec<NamedArchive>,
    /// Archives that the MetaDB names and that could not be had, for they were missing or damaged.
    pub not_there: Vec<NamedArchive>,
    /// What the copy holds, and from when it is.
    pub contents: Contents,
}

/// Which database a backup is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Database {
    /// A file of SQLite's.
    Sqlite,
    /// A dump in PostgreSQL's custom format.
    Postgres,
}

impl Database {
    /// Tells which one is at a location.
    pub(super) fn of(location: &Location) -> Self {
        match location {
            Location::Sqlite(_) => Self::Sqlite,
            Location::Postgres { .. } => Self::Postgres,
        }
    }

    /// Returns the name of its copy.
    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Sqlite => "metadb.db",
            Self::Postgres => "metadb.pgdump",
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

impl Manifest {
    pub(super) fn new(
        database: Database,
        schema: i64,
        contents: Contents,
        file: SummedFile,
        archives: Vec<NamedArchive>,
        not_there: Vec<NamedArchive>,
    ) -> Self {
        let software = env!("CARGO_PKG_VERSION").to_owned();
        Self { niassa_backup: 1, software, schema, database, file, archives, not_there, contents }
    }

    /// Writes the manifest and the digests into a folder. Returns the manifest's own digest.
    pub(super) fn write(&self, folder: &Path) -> Result<String, BackupError> {
        let path = folder.join(MANIFEST);
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|source| BackupError::Manifest { path: path.clone(), source })?;
        text.push('\n');
        files::write(&path, &text)?;
        let (_, sha256) = files::digest(&path)?;
        let SummedFile { name, sha256: of_copy, .. } = &self.file;
        let sums = format!("{of_copy}  {name}\n{sha256}  {MANIFEST}\n");
        files::write(&folder.join(SUMS), &sums)?;
        Ok(sha256)
    }

    /// Looks whether the copy of the database is what it was when it was made.
    pub(super) fn agrees_with(&self, copy: &Path) -> Result<(), BackupError> {
        match files::digest(copy)? == (self.file.size, self.file.sha256.clone()) {
            true => Ok(()),
            false => Err(BackupError::Changed(copy.to_owned())),
        }
    }

    /// Reads a manifest that is what its digest says. Returns its digest as well.
    pub(super) fn read(folder: &Path) -> Result<(Self, String), BackupError> {
        let (path, sums) = (folder.join(MANIFEST), folder.join(SUMS));
        let text = fs::read(&path).map_err(failed("read", &path))?;
        let listed = fs::read_to_string(&sums).map_err(failed("read", &sums))?;
        let (_, sha256) = files::digest(&path)?;
        if !listed.lines().any(|line| line == format!("{sha256}  {MANIFEST}")) {
            return Err(BackupError::Changed(path));
        }
        let manifest = serde_json::from_slice(&text)
            .map_err(|source| BackupError::Manifest { path, source })?;
        Ok((manifest, sha256))
    }
}
