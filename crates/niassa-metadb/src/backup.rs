//! Backups, as far as the database is concerned: copies of one moment, what they hold, when they
//! were made, and what a new place must be like to be filled from one.
//!
//! SQLite copies itself into a file. A server is copied by its own programs, which this crate does
//! not start: they are given the name of a snapshot that stays valid as long as it is held.

use std::collections::BTreeSet;
use std::path::Path;

use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use crate::audit::{self, Deed};
use crate::dialect::Dialect;
use crate::error::{During, MetaDbError, Result};
use crate::pool::{Writing, column, commit, make_closed};
use crate::{Access, Location, MetaDb};

/// What a MetaDB holds at one moment, in numbers: a copy that differs is not a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The moment, by the database's clock.
    pub at: Timestamp,
    /// Accounts.
    pub accounts: i64,
    /// Objects of all kinds, which all have an accession.
    pub objects: i64,
    /// The highest accession; 0 where there is none.
    pub last_swid: i64,
    /// Workflows.
    pub workflows: i64,
    /// Archives of bundles.
    pub bundles: i64,
    /// Runs.
    pub runs: i64,
    /// Steps of all runs.
    pub steps: i64,
    /// Attempts of all steps.
    pub attempts: i64,
    /// Files.
    pub files: i64,
    /// Entries of the log of runs.
    pub run_events: i64,
    /// Entries of the audit log.
    pub audit_entries: i64,
}

impl Contents {
    /// Tells whether another moment of a MetaDB looks the same, whenever it was.
    pub fn same_as(&self, other: &Self) -> bool {
        Self { at: other.at, ..self.clone() } == *other
    }
}

/// An archive that the MetaDB names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedArchive {
    /// Its digest.
    pub sha256: String,
    /// Its bytes.
    pub size: i64,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupMade {
    /// The moment of what it holds, by the database's clock.
    pub taken_at: Timestamp,
    /// Where it was written, as its maker named it.
    pub written_to: String,
    /// The digest of its manifest.
    pub manifest_sha256: String,
}

/// A moment of a server, which its own programs can copy as long as this is held.
pub struct ServerSnapshot {
    /// Its name.
    pub name: String,
    /// What the MetaDB holds at this moment.
    pub contents: Contents,
    held: Writing,
}

sql! {
    /// What the MetaDB holds.
    CONTENTS = "select (select now from clock) as at, \
        (select count(*) from account) as accounts, \
        (select count(*) from object) as objects, \
        coalesce((select max(swid) from object), 0) as last_swid, \
        (select count(*) from workflow) as workflows, \
        (select count(*) from bundle) as bundles, \
        (select count(*) from run) as runs, \
        (select count(*) from step) as steps, \
        (select count(*) from attempt) as attempts, \
        (select count(*) from file) as files, \
        (select count(*) from run_event) as run_events, \
        (select count(*) from audit) as audit_entries";
    /// The archives that are named.
    ARCHIVES = "select sha256, size from bundle order by sha256";
    /// Remembers a backup. `$1`: moment; `$2`: where; `$3`: digest.
    RECORD = "insert into backup (taken_at, written_to, manifest_sha256) values ($1, $2, $3)";
    /// The digests of all backups.
    DIGESTS = "select manifest_sha256 from backup";
    /// The last backup.
    LAST = "select taken_at, written_to, manifest_sha256 from backup \
        order by taken_at desc, id desc limit 1";
}

impl MetaDb {
    /// Returns what the MetaDB holds now, all of it at one moment.
    pub async fn contents(&self) -> Result<Contents> {
        const OPERATION: &str = "count what the MetaDB holds";
        contents(&sqlx::query(CONTENTS).fetch_one(self.reader()).await.during(OPERATION)?)
    }

    /// Copies an embedded MetaDB into a file that is not there yet, while others go on writing. The
    /// copy is of one moment; whoever asks makes it durable.
    pub async fn copy_into(&self, file: &Path) -> Result<()> {
        const OPERATION: &str = "copy the MetaDB";
        let failed = |error| MetaDbError::Query { operation: OPERATION, source: error };
        make_closed(file).map_err(|error| failed(sqlx::Error::Io(error)))?;
        let statement = self.dialect().copy_into().ok_or_else(|| failed(no_such_thing()))?;
        let path = file.to_string_lossy().into_owned();
        sqlx::query(statement).bind(path).execute(self.reader()).await.during(OPERATION).map(drop)
    }

    /// Holds one moment of a server for its own programs.
    pub async fn server_snapshot(&self) -> Result<ServerSnapshot> {
        const OPERATION: &str = "hold a moment of the MetaDB";
        let (begin, export) = self
            .dialect()
            .snapshot()
            .ok_or_else(|| MetaDbError::Query { operation: OPERATION, source: no_such_thing() })?;
        let mut held = self.begin_as(begin, OPERATION).await?;
        let row = sqlx::query(export).fetch_one(&mut *held).await.during(OPERATION)?;
        let name = column(&row, 0, OPERATION)?;
        let row = sqlx::query(CONTENTS).fetch_one(&mut *held).await.during(OPERATION)?;
        Ok(ServerSnapshot { name, contents: contents(&row)?, held })
    }

    /// Returns the archives that the MetaDB names. None is ever removed, so what a copy of an earlier
    /// moment names is among them.
    pub async fn archives(&self) -> Result<Vec<NamedArchive>> {
        const OPERATION: &str = "list the archives of bundles";
        let rows = sqlx::query(ARCHIVES).fetch_all(self.reader()).await.during(OPERATION)?;
        let archive = |row: &AnyRow| {
            Ok(NamedArchive {
                sha256: column(row, "sha256", OPERATION)?,
                size: column(row, "size", OPERATION)?,
            })
        };
        rows.iter().map(archive).collect()
    }

    /// Remembers that a backup was made.
    pub async fn record_backup(&self, backup: &BackupMade) -> Result<()> {
        const OPERATION: &str = "remember a backup";
        let mut tx = self.begin(OPERATION).await?;
        sqlx::query(RECORD)
            .bind(backup.taken_at.as_micros())
            .bind(&backup.written_to)
            .bind(&backup.manifest_sha256)
            .execute(&mut *tx)
            .await
            .during(OPERATION)?;
        commit(tx, OPERATION).await
    }

    /// Returns the last backup that was made of the MetaDB, if one was.
    pub async fn last_backup(&self) -> Result<Option<BackupMade>> {
        const OPERATION: &str = "read when the last backup was made";
        let row = sqlx::query(LAST).fetch_optional(self.reader()).await.during(OPERATION)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(BackupMade {
            taken_at: Timestamp::from_micros(column(&row, "taken_at", OPERATION)?),
            written_to: column(&row, "written_to", OPERATION)?,
            manifest_sha256: column(&row, "manifest_sha256", OPERATION)?,
        }))
    }

    /// Returns the digests of the manifests of all backups that were made of the MetaDB: by them its
    /// backups are told from those of others.
    pub async fn backup_digests(&self) -> Result<BTreeSet<String>> {
        const OPERATION: &str = "list the backups that were made";
        let rows = sqlx::query(DIGESTS).fetch_all(self.reader()).await.during(OPERATION)?;
        rows.iter().map(|row| column(row, "manifest_sha256", OPERATION)).collect()
    }

    /// Tells the audit log that the MetaDB was restored from a backup.
    pub async fn tell_restored(&self, access: &Access, backup: &BackupMade) -> Result<()> {
        const OPERATION: &str = "tell of a restore";
        let mut tx = self.begin(OPERATION).await?;
        let now = crate::pool::now_in(&mut tx, OPERATION).await?;
        let deed = Deed {
            action: "metadb_restore",
            subject: "the MetaDB".to_owned(),
            detail: Some(format!("as it was at {}", backup.taken_at)),
        };
        audit::tell(&mut tx, self.dialect(), now, access, deed, OPERATION).await?;
        commit(tx, OPERATION).await
    }

    /// Tells whether there is nothing in the database at all, so that it can be filled.
    pub async fn is_blank(&self) -> Result<bool> {
        const OPERATION: &str = "look whether the database is empty";
        let statement = self.dialect().count_tables();
        let row = sqlx::query(statement).fetch_one(self.reader()).await.during(OPERATION)?;
        Ok(column::<i64>(&row, 0, OPERATION)? == 0)
    }

    /// Returns the version of the schema of this program.
    pub fn schema_version(&self) -> i64 {
        schema_version(self.location())
    }
}

impl ServerSnapshot {
    /// Lets the moment go.
    pub async fn release(self) -> Result<()> {
        commit(self.held, "let a moment of the MetaDB go").await
    }
}

/// Returns the version of the schema that this program makes at a location.
pub fn schema_version(location: &Location) -> i64 {
    Dialect::of(location).migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// What a database says that has no such ability; callers look which database it is before.
fn no_such_thing() -> sqlx::Error {
    sqlx::Error::Configuration("this database is not copied in this way".into())
}

fn contents(row: &AnyRow) -> Result<Contents> {
    const OPERATION: &str = "count what the MetaDB holds";
    let number = |name: &str| column::<i64>(row, name, OPERATION);
    Ok(Contents {
        at: Timestamp::from_micros(number("at")?),
        accounts: number("accounts")?,
        objects: number("objects")?,
        last_swid: number("last_swid")?,
        workflows: number("workflows")?,
        bundles: number("bundles")?,
        runs: number("runs")?,
        steps: number("steps")?,
        attempts: number("attempts")?,
        files: number("files")?,
        run_events: number("run_events")?,
        audit_entries: number("audit_entries")?,
    })
}

#[cfg(test)]
mod tests;
