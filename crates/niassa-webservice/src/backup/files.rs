//! Files that survive a power cut once they are said to be there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::BackupError;
use crate::sign_in::hex;

/// What is read at a time.
const PIECE: usize = 1 << 16;

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummedFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: String,
}

/// Says what was being done to what, for `map_err`.
pub(super) fn failed(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File { doing, path, source }
}

/// Makes a folder, and those above it, that only its owner can look into; backups hold hashes of
/// passwords.
pub(super) fn make_folder(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make", path))
}

/// Returns size and digest of a file.
pub(super) fn digest(path: &Path) -> Result<(u64, String), BackupError> {
    let mut file = File::open(path).map_err(failed("read", path))?;
    through(&mut file, |_| Ok(())).map_err(failed("read", path))
}

/// Makes a file of a folder durable, and returns what it is.
pub(super) fn digest_synced(folder: &Path, name: &str) -> Result<SummedFile, BackupError> {
    let path = folder.join(name);
    let file = File::open(&path).map_err(failed("read", &path))?;
    file.sync_all().map_err(failed("sync", &path))?;
    let (size, sha256) = digest(&path)?;
    Ok(SummedFile { name: name.to_owned(), size, sha256 })
}

/// Copies a file to a name that appears when the copy is whole and durable. Returns the digest of
/// what was copied; a copy with another one than expected does not appear.
pub(super) fn copy(from: &Path, to: &Path, expected: &str) -> Result<String, BackupError> {
    let partial = beside(to);
    let mut source = File::open(from).map_err(failed("read", from))?;
    let mut target = create(&partial)?;
    let copied = through(&mut source, |piece| target.write_all(piece));
    let (_, sha256) = copied.map_err(failed("copy", from))?;
    if sha256 == expected {
        target.sync_all().map_err(failed("sync", &partial))?;
        appear(&partial, to)?;
    } else {
        fs::remove_file(&partial).map_err(failed("remove", &partial))?;
    }
    Ok(sha256)
}

/// Writes a small file, durable, closed to others.
pub(super) fn write(path: &Path, text: &str) -> Result<(), BackupError> {
    let mut file = create(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(failed("write", path))
}

/// Gives what is durable its name; when this returns the name is durable as well.
pub(super) fn appear(partial: &Path, path: &Path) -> Result<(), BackupError> {
    if partial.is_dir() {
        sync_folder(partial)?;
    }
    fs::rename(partial, path).map_err(failed("rename to", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Returns the name under which a file is written before it appears.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(super::PARTIAL);
    path.with_file_name(name)
}

fn create(path: &Path) -> Result<File, BackupError> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    opened.map_err(failed("write", path))
}

fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    // The parent of a bare name is empty and means here.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let opened = File::open(folder).and_then(|folder| folder.sync_all());
    opened.map_err(failed("sync", folder))
}

/// Reads a file to its end in pieces.
fn through(
    file: &mut File,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(u64, String)> {
    let (mut digest, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; PIECE];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, hex(&digest.finalize())));
        }
        digest.update(&buffer[..read]);
        each(&buffer[..read])?;
        size += read as u64;
    }
}
