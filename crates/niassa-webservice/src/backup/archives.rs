//! Archives of bundles: copied once, by their content, however many backups name them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use niassa_metadb::backup::NamedArchive;

use super::BackupError;
use super::files::{self, failed};

/// How an archive is found in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArchiveState {
    /// It is what its name says.
    Whole,
    /// It is not there.
    Missing,
    /// It holds something else.
    Damaged,
}

/// What came of copying archives.
pub(super) struct Copied {
    /// Archives that are in the folder now.
    pub(super) there: Vec<NamedArchive>,
    /// Archives that are not: missing or damaged where they should have been copied from.
    pub(super) not_there: Vec<NamedArchive>,
    /// How many are new in the folder.
    pub(super) new: usize,
}

/// Copies what is named and not there yet. One that cannot be had does not keep the others out.
pub(super) fn copy(from: &Path, to: &Path, named: &[NamedArchive]) -> Result<Copied, BackupError> {
    if !named.is_empty() && !from.is_dir() {
        return Err(BackupError::NoArchives { folder: from.to_owned(), named: named.len() });
    }
    let mut done = Copied { there: Vec::new(), not_there: Vec::new(), new: 0 };
    for archive in named {
        let target = path_in(to, archive);
        let has_its_size =
            size_of(&target)?.is_some_and(|size| i64::try_from(size) == Ok(archive.size));
        if has_its_size {
            done.there.push(archive.clone());
            continue;
        }
        match files::copy(&path_in(from, archive), &target, &archive.sha256) {
            Ok(sha256) if sha256 == archive.sha256 => {
                done.new += 1;
                done.there.push(archive.clone());
            }
            Ok(_) => done.not_there.push(archive.clone()),
            Err(BackupError::File { source, path, .. })
                if source.kind() == io::ErrorKind::NotFound && path.starts_with(from) =>
            {
                done.not_there.push(archive.clone());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Looks whether an archive is what its name says.
pub(crate) fn state_of(folder: &Path, archive: &NamedArchive) -> Result<ArchiveState, BackupError> {
    let path = path_in(folder, archive);
    if size_of(&path)?.is_none() {
        return Ok(ArchiveState::Missing);
    }
    let (_, sha256) = files::digest(&path)?;
    Ok(if sha256 == archive.sha256 { ArchiveState::Whole } else { ArchiveState::Damaged })
}

pub(super) fn path_in(folder: &Path, archive: &NamedArchive) -> PathBuf {
    folder.join(format!("{}.zip", archive.sha256))
}

fn size_of(path: &Path) -> Result<Option<u64>, BackupError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("look at", path)(error)),
    }
}
