//! The archives of bundles on the service's disk: `<data>/bundles/<sha256>.zip`.
//!
//! An archive is there, whole and synced, before the MetaDB says so. Nothing is ever removed but what
//! an interrupted upload left behind, and what the MetaDB refused and names nowhere.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use niassa_model::time::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::sign_in::hex;

/// How the names of unfinished uploads begin.
const UPLOAD: &str = ".upload-";
/// How old such a file is when nobody can be writing it any more.
const ABANDONED: Duration = Duration::from_hours(24);

/// The folder of archives.
#[derive(Debug, Clone)]
pub(crate) struct BundleStore {
    folder: PathBuf,
    installing: Arc<RwLock<()>>,
}

/// As long as this is there no archive is removed: one was stored, and the MetaDB does not know yet.
pub(crate) struct Installing<'store> {
    _shared: RwLockReadGuard<'store, ()>,
}

/// As long as this is there nobody is between storing an archive and telling the MetaDB.
pub(crate) struct Removing<'store> {
    store: &'store BundleStore,
    _alone: RwLockWriteGuard<'store, ()>,
}

/// Why the store cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("remove {}", path.display())]
    Remove {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("write in the folder of archives")]
    Ended(#[from] tokio::task::JoinError),
}

/// An archive that is being received. It vanishes unless it is kept.
pub(crate) struct Upload {
    path: TempPath,
    file: File,
    digest: Sha256,
    size: u64,
}

/// An archive that was received whole.
pub(crate) struct Received {
    path: TempPath,
    file: File,
    /// Its digest.
    pub(crate) sha256: String,
    /// Its bytes.
    pub(crate) size: u64,
}

impl BundleStore {
    /// Opens the folder below the data directory, makes both where they are missing, and removes
    /// what uploads left behind that were interrupted long ago.
    pub(crate) fn open(data: &Path, now: Timestamp) -> io::Result<Self> {
        let folder = data.join("bundles");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let now = Duration::from_micros(now.as_micros().unsigned_abs());
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let is_upload = entry.file_name().to_string_lossy().starts_with(UPLOAD);
            let written = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH);
            if is_upload && written.is_ok_and(|written| written + ABANDONED < now) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder, installing: Arc::default() })
    }

    /// Returns where the archive of a digest lies.
    pub(crate) fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.zip"))
    }

    /// Begins to install: until the MetaDB has answered what is kept stays.
    pub(crate) async fn installing(&self) -> Installing<'_> {
        Installing { _shared: self.installing.read().await }
    }

    /// Waits until nobody installs.
    pub(crate) async fn removing(&self) -> Removing<'_> {
        Removing { store: self, _alone: self.installing.write().await }
    }

    /// Begins to receive an archive.
    pub(crate) fn receive(&self) -> Result<Upload, StoreError> {
        let path = self.folder.join(format!("{UPLOAD}{:032x}", rand::random::<u128>()));
        let mut options = OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(&path);
        let file = opened.map_err(|source| StoreError::Write { path: path.clone(), source })?;
        let path =
            TempPath::try_from_path(&path).map_err(|source| StoreError::Write { path, source })?;
        Ok(Upload { path, file, digest: Sha256::new(), size: 0 })
    }

    /// Tells whether the very bytes of an archive are kept, and not only its name.
    pub(crate) async fn has(&self, received: &Received) -> Result<bool, StoreError> {
        let (path, sha256) = (self.path(&received.sha256), received.sha256.clone());
        let looked = tokio::task::spawn_blocking(move || match File::open(&path) {
            Ok(file) => {
                let (mut file, mut digest) = (BufReader::new(file), Sha256::new());
                loop {
                    let piece = file.fill_buf()?;
                    let bytes = piece.len();
                    if bytes == 0 {
                        return Ok(hex(&digest.finalize()) == sha256);
                    }
                    digest.update(piece);
                    file.consume(bytes);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        });
        let folder = &self.folder;
        looked.await?.map_err(|source| StoreError::Read { path: folder.clone(), source })
    }

    /// Keeps an archive: when this returns it survives a power cut under its digest.
    pub(crate) async fn keep(&self, received: Received) -> Result<(), StoreError> {
        let (to, folder) = (self.path(&received.sha256), self.folder.clone());
        let kept = tokio::task::spawn_blocking(move || {
            received.file.sync_all()?;
            received.path.persist(&to).map_err(|error| error.error)?;
            File::open(&folder)?.sync_all()
        });
        let folder = &self.folder;
        kept.await?.map_err(|source| StoreError::Write { path: folder.clone(), source })
    }
}

impl Removing<'_> {
    /// Removes an archive that the MetaDB does not know.
    pub(crate) async fn remove(&self, sha256: &str) -> Result<(), StoreError> {
        let path = self.store.path(sha256);
        match tokio::fs::remove_file(&path).await {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Remove { path, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Upload {
    /// Returns how many bytes came.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Writes a piece, away from the threads that answer requests.
    pub(crate) async fn write(mut self, piece: Bytes) -> Result<Self, StoreError> {
        let path = self.path.to_path_buf();
        let written = tokio::task::spawn_blocking(move || {
            self.digest.update(&piece);
            self.size += piece.len() as u64;
            self.file.write_all(&piece).map(|()| self)
        });
        written.await?.map_err(|source| StoreError::Write { path, source })
    }

    /// Ends the upload.
    pub(crate) fn end(self) -> Received {
        let Self { path, file, digest, size } = self;
        Received { path, file, sha256: hex(&digest.finalize()), size }
    }
}

impl Received {
    /// Returns where it lies until it is kept.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_named_by_its_content_and_the_rest_vanishes() {
        let folder = tempfile::tempdir().unwrap();
        let store = BundleStore::open(folder.path(), Timestamp::from_micros(0)).unwrap();
        drop(store.receive().unwrap().write(Bytes::from_static(b"half")).await.unwrap());
        assert_eq!(fs::read_dir(&store.folder).unwrap().count(), 0);
        let upload = store.receive().unwrap().write(Bytes::from_static(b"ab")).await.unwrap();
        let received = upload.write(Bytes::from_static(b"c")).await.unwrap().end();
        assert_eq!(received.size, 3);
        let sha256 = received.sha256.clone();
        assert!(sha256.starts_with("ba7816bf8f01cfea"));
        assert!(!store.has(&received).await.unwrap());
        store.keep(received).await.unwrap();
        assert_eq!(fs::read(store.path(&sha256)).unwrap(), b"abc");
        assert_eq!(fs::read_dir(&store.folder).unwrap().count(), 1);
        let again = store.receive().unwrap().write(Bytes::from_static(b"abc")).await.unwrap();
        let again = again.end();
        assert!(store.has(&again).await.unwrap());
        fs::write(store.path(&sha256), "abd").unwrap();
        assert!(!store.has(&again).await.unwrap(), "a damaged one is replaced");
    }

    #[test]
    fn only_uploads_of_long_ago_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let epoch = Timestamp::from_micros(0);
        let store = BundleStore::open(folder.path(), epoch).unwrap();
        let upload = store.folder.join(format!("{UPLOAD}1"));
        fs::write(&upload, "x").unwrap();
        fs::write(store.path("a"), "x").unwrap();
        BundleStore::open(folder.path(), epoch).unwrap();
        assert!(upload.exists());
        let far = Timestamp::from_micros(i64::MAX);
        BundleStore::open(folder.path(), far).unwrap();
        assert!(!upload.exists());
        assert!(store.path("a").exists());
    }
}
