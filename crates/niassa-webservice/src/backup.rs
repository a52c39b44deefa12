//! Backups of a MetaDB and of the archives it names, made while the service goes on.
//!
//! A folder of backups holds one folder for each, named by the time of what it holds, and the
//! archives of all of them once, by their content:
//!
//! ```text
//! bundles/<sha256>.zip
//! 20261130T120000.000000Z/{manifest.json,SHA256SUMS,metadb.db | metadb.pgdump}
//! ```
//!
//! A backup appears whole, synced, or not at all; it goes in the same way. The MetaDB is copied first: an archive is stored
//! before its row is written, so whatever the copy names is there. A server is copied by its own
//! programs, which this crate does not start: whoever asks runs them between `begin` and `finish`.

mod archives;
mod error;
mod files;
mod manifest;
mod prune;
mod restore;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

pub use niassa_metadb::ServerAccess;
use niassa_metadb::backup::{BackupMade, Contents, ServerSnapshot};
use niassa_metadb::{Location, MetaDb};
use niassa_model::time::Timestamp;

use crate::administer;
use crate::config::ServiceConfig;

pub(crate) use archives::{ArchiveState, state_of};
pub use error::BackupError;
pub use manifest::{Database, Manifest};
pub use prune::{Keep, NotRemoved};
pub use restore::{Restored, Restoring};

use files::failed;

/// The folder of archives, in a folder of backups and in a service's data directory.
const BUNDLES: &str = "bundles";
/// How the folder of a backup ends that is not whole.
const PARTIAL: &str = ".partial";

/// A backup under way. Dropping it leaves a folder behind that the next one removes.
pub struct Backup {
    metadb: MetaDb,
    location: Location,
    data: PathBuf,
    to: PathBuf,
    partial: PathBuf,
    contents: Contents,
    snapshot: Option<ServerSnapshot>,
    /// Held as long as the backup is under way.
    _alone: File,
}

/// What a server's own program is to copy, and where.
pub struct ServerCopy {
    /// How it reaches the server.
    pub server: ServerAccess,
    /// The moment that it copies; absent when a copy is put back.
    pub snapshot: Option<String>,
    /// The file of the copy.
    pub file: PathBuf,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its folder.
    pub folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// How many archives were not in the folder of backups before.
    pub copied: usize,
    /// The folders of older backups that were removed.
    pub removed: Vec<PathBuf>,
    /// Older backups that should have been removed, and are there.
    pub not_removed: Vec<NotRemoved>,
}

impl Backup {
    /// Begins a backup into a folder of backups: holds one moment of the MetaDB, and copies it where
    /// that needs no other program.
    pub async fn begin(config: &ServiceConfig, to: &Path) -> Result<Self, BackupError> {
        let metadb = administer::open_configured(config).await?;
        let alone = prepare(to)?;
        let location = metadb.location().clone();
        let partial = to.join(format!(".{}{PARTIAL}", name(metadb.now().await?)));
        files::make_folder(&partial)?;
        let file = partial.join(Database::of(&location).file_name());
        let (contents, snapshot) = if metadb.is_embedded() {
            metadb.copy_into(&file).await?;
            (checked_copy(&file).await?, None)
        } else {
            let snapshot = metadb.server_snapshot().await?;
            (snapshot.contents.clone(), Some(snapshot))
        };
        let data = config.data().to_owned();
        let to = to.to_owned();
        Ok(Self { metadb, location, data, to, partial, contents, snapshot, _alone: alone })
    }

    /// Returns what a server's own program has to copy before [`finish`](Self::finish), if any has.
    pub fn server_copy(&self) -> Result<Option<ServerCopy>, BackupError> {
        let Some(snapshot) = &self.snapshot else { return Ok(None) };
        let Some(server) = self.location.server()? else { return Ok(None) };
        let file = self.partial.join(Database::Postgres.file_name());
        Ok(Some(ServerCopy { server, snapshot: Some(snapshot.name.clone()), file }))
    }

    /// Copies the archives, writes down what is there, lets the backup appear, and only then removes
    /// older ones that are not to be kept.
    pub async fn finish(mut self, keep: Keep) -> Result<Finished, BackupError> {
        if let Some(snapshot) = self.snapshot.take() {
            snapshot.release().await?;
        }
        let database = Database::of(&self.location);
        let file = files::digest_synced(&self.partial, database.file_name())?;
        let named = self.metadb.archives().await?;
        let archives = archives::copy(&self.data.join(BUNDLES), &self.to.join(BUNDLES), &named)?;
        let manifest = Manifest::new(
            database,
            self.metadb.schema_version(),
            self.contents.clone(),
            file,
            archives.there,
            archives.not_there,
        );
        let manifest_sha256 = manifest.write(&self.partial)?;
        let folder = self.to.join(name(self.contents.at));
        files::appear(&self.partial, &folder)?;
        let made = BackupMade {
            taken_at: self.contents.at,
            written_to: folder.display().to_string(),
            manifest_sha256,
        };
        self.metadb.record_backup(&made).await?;
        let ours = self.metadb.backup_digests().await?;
        let pruned = prune::prune(&self.to, &folder, keep, &ours)?;
        self.metadb.close().await;
        let prune::Pruned { removed, not_removed } = pruned;
        Ok(Finished { folder, manifest, copied: archives.new, removed, not_removed })
    }
}

/// Names a backup by the time of what it holds: names sort by time, and are good file names.
fn name(at: Timestamp) -> String {
    let micros = at.as_micros().rem_euclid(1_000_000);
    let seconds: String = at.to_string().chars().filter(|c| !"-:Z".contains(*c)).collect();
    format!("{seconds}.{micros:06}Z")
}

/// Makes the folder of backups, sees to it that nobody else writes there, and removes what a backup
/// left behind that was interrupted.
fn prepare(to: &Path) -> Result<File, BackupError> {
    files::make_folder(&to.join(BUNDLES))?;
    let path = to.join(".lock");
    let lock = File::create(&path).map_err(failed("open", &path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(to.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
    }
    for entry in fs::read_dir(to).map_err(failed("list", to))? {
        let path = entry.map_err(failed("list", to))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(PARTIAL)) {
            fs::remove_dir_all(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(lock)
}

/// Looks whether a copy is whole, and what it holds.
async fn checked_copy(file: &Path) -> Result<Contents, BackupError> {
    let copy = MetaDb::connect(Location::Sqlite(file.to_owned())).await?;
    let contents = match copy.check().await {
        Ok(()) => copy.contents().await,
        Err(error) => Err(error),
    };
    // Whatever the log beside the file holds is put into it.
    copy.close().await;
    Ok(contents?)
}

#[cfg(test)]
mod tests;
