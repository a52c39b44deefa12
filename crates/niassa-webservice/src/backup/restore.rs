//! Putting a backup back, into a new place.
//!
//! Everything is looked at before anything is written: each digest, the version, the place. The
//! archives come first and the MetaDB last, so that a row never names what is not there; of SQLite the
//! file appears when all of it was compared with the manifest.

use std::fs;
use std::path::{Path, PathBuf};

use niassa_metadb::backup::{BackupMade, schema_version};
use niassa_metadb::{Location, MetaDb};

use super::manifest::MANIFEST;
use super::{ArchiveState, BUNDLES, BackupError, Database, Manifest, ServerCopy, archives, files};
use crate::administer::operator;
use crate::config::ServiceConfig;

/// A backup that is being put back.
pub struct Restoring {
    folder: PathBuf,
    manifest: Manifest,
    manifest_sha256: String,
    location: Location,
    /// Where the MetaDB is filled: of SQLite a file that has not got its name yet.
    filling: Location,
    copied: usize,
}

/// A backup that was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup's folder.
    pub folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// How many archives the data directory did not have before.
    pub copied: usize,
}

impl Restoring {
    /// Looks through a backup and the place where it is to be put, and puts its archives and, of
    /// SQLite, its copy there. `from` is a backup, or a folder of them: then the last counts.
    pub async fn begin(from: &Path, config: &ServiceConfig) -> Result<Self, BackupError> {
        let folder = found(from)?;
        let (manifest, manifest_sha256) = Manifest::read(&folder)?;
        let location = config.location()?;
        let has = Database::of(&location);
        if manifest.database != has {
            let (found, location) = (manifest.database, location.to_string());
            return Err(BackupError::OtherDatabase { found, location });
        }
        let source = folder.join(&manifest.file.name);
        manifest.agrees_with(&source)?;
        let known = schema_version(&location);
        if manifest.schema > known {
            return Err(BackupError::Newer { found: manifest.schema, known });
        }
        let bundles = folder.join("..").join(BUNDLES);
        check_archives(&bundles, &manifest)?;
        let filling = empty_place(&location).await?;
        let data = config.data().join(BUNDLES);
        files::make_folder(&data)?;
        let copied = archives::copy(&bundles, &data, &manifest.archives)?.new;
        if let Location::Sqlite(path) = &filling
            && files::copy(&source, path, &manifest.file.sha256)? != manifest.file.sha256
        {
            return Err(BackupError::Changed(source));
        }
        Ok(Self { folder, manifest, manifest_sha256, location, filling, copied })
    }

    /// Returns what a server's own program has to put back before [`finish`](Self::finish).
    pub fn server_copy(&self) -> Result<Option<ServerCopy>, BackupError> {
        let file = self.folder.join(&self.manifest.file.name);
        let server = self.location.server()?;
        Ok(server.map(|server| ServerCopy { server, snapshot: None, file }))
    }

    /// Compares what is there now with what was copied, and brings it to this program's version.
    pub async fn finish(self) -> Result<Restored, BackupError> {
        let metadb = MetaDb::connect(self.filling.clone()).await?;
        if !metadb.contents().await?.same_as(&self.manifest.contents) {
            return Err(BackupError::NotTheSame);
        }
        metadb.check().await?;
        metadb.migrate().await?;
        let made = BackupMade {
            taken_at: self.manifest.contents.at,
            written_to: self.folder.display().to_string(),
            manifest_sha256: self.manifest_sha256,
        };
        metadb.record_backup(&made).await?;
        metadb.tell_restored(&operator(), &made).await?;
        metadb.close().await;
        if let (Location::Sqlite(filled), Location::Sqlite(path)) = (&self.filling, &self.location)
        {
            let folder = filled.parent().unwrap_or(Path::new("."));
            let name = filled.file_name().unwrap_or_default().to_string_lossy();
            files::digest_synced(folder, &name)?;
            files::appear(filled, path)?;
        }
        Ok(Restored { folder: self.folder, manifest: self.manifest, copied: self.copied })
    }
}

/// Finds a backup: the folder itself, or the last one in it.
fn found(from: &Path) -> Result<PathBuf, BackupError> {
    if from.join(MANIFEST).is_file() {
        return Ok(from.to_owned());
    }
    let entries = fs::read_dir(from).map_err(files::failed("list", from))?;
    let backups = entries.flatten().map(|entry| entry.path());
    let backups = backups.filter(|path| path.join(MANIFEST).is_file());
    // Hidden ones are not whole, though a manifest may be there already.
    let whole = backups.filter(|path| {
        path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
    });
    whole.max().ok_or_else(|| BackupError::NoBackup(from.to_owned()))
}

fn check_archives(bundles: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    for archive in &manifest.archives {
        if archives::state_of(bundles, archive)? != ArchiveState::Whole {
            return Err(BackupError::Changed(archives::path_in(bundles, archive)));
        }
    }
    Ok(())
}

/// Sees to it that nothing is there yet. Returns where the MetaDB is filled.
async fn empty_place(location: &Location) -> Result<Location, BackupError> {
    match location {
        Location::Sqlite(path) => {
            let log = PathBuf::from(format!("{}-wal", path.display()));
            let is_there = |path: &Path| fs::metadata(path).is_ok_and(|file| file.len() > 0);
            if is_there(path) || is_there(&log) {
                return Err(BackupError::NotEmpty(location.to_string()));
            }
            path.parent().map_or(Ok(()), files::make_folder)?;
            Ok(Location::Sqlite(files::beside(path)))
        }
        Location::Postgres { .. } => {
            let metadb = MetaDb::connect(location.clone()).await?;
            let is_blank = metadb.is_blank().await;
            metadb.close().await;
            match is_blank? {
                true => Ok(location.clone()),
                false => Err(BackupError::NotEmpty(location.to_string())),
            }
        }
    }
}
