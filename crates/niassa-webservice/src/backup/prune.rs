//! Removing backups of which there are enough newer ones.
//!
//! Only what is a finished backup of the same MetaDB is ever removed: its manifest is what its digest
//! says, the MetaDB remembers that digest, the copy has its size, and nothing else lies in the folder.
//! Archives stay: they are shared, and every later backup of the MetaDB names them as well.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::files::failed;
use super::manifest::{MANIFEST, SUMS};
use super::{BackupError, Manifest, PARTIAL};

/// Which backups stay when a new one is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All.
    All,
    /// So many of the MetaDB, the new one among them.
    Newest(NonZeroU32),
}

/// A backup that should have been removed, and is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRemoved {
    /// Its folder.
    pub folder: PathBuf,
    /// Why.
    pub why: String,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Pruned {
    pub(super) removed: Vec<PathBuf>,
    pub(super) not_removed: Vec<NotRemoved>,
}

/// Removes what is too much in a folder of backups. `new` was made a moment ago: it is looked at once
/// more, for the others are removed on its account, and is never removed itself. `ours` are the
/// digests of the MetaDB's backups.
pub(super) fn prune(
    to: &Path,
    new: &Path,
    keep: Keep,
    ours: &BTreeSet<String>,
) -> Result<Pruned, BackupError> {
    let mut pruned = Pruned::default();
    let Keep::Newest(keep) = keep else { return Ok(pruned) };
    let (manifest, _) = Manifest::read(new)?;
    manifest.agrees_with(&new.join(&manifest.file.name))?;
    let mut older = Vec::new();
    for entry in fs::read_dir(to).map_err(failed("list", to))? {
        let folder = entry.map_err(failed("list", to))?.path();
        if folder != new
            && let Some(manifest) = finished(&folder, ours)
        {
            older.push((manifest.contents.at, folder));
        }
    }
    older.sort_unstable();
    let kept = usize::try_from(keep.get() - 1).unwrap_or(usize::MAX);
    older.truncate(older.len().saturating_sub(kept));
    for (_, folder) in older {
        match remove(&folder) {
            Ok(()) => pruned.removed.push(folder),
            Err(error) => pruned.not_removed.push(NotRemoved { folder, why: error.to_string() }),
        }
    }
    Ok(pruned)
}

/// Returns the manifest of a folder that is a finished backup of the MetaDB, and nothing else.
fn finished(folder: &Path, ours: &BTreeSet<String>) -> Option<Manifest> {
    let name = folder.file_name()?.to_str()?;
    if name.starts_with('.') || fs::symlink_metadata(folder).is_ok_and(|found| !found.is_dir()) {
        return None;
    }
    let (manifest, sha256) = Manifest::read(folder).ok()?;
    if !ours.contains(&sha256) || super::name(manifest.contents.at) != name {
        return None;
    }
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).ok()? {
        files.insert(entry.ok()?.file_name().into_string().ok()?);
    }
    let expected = BTreeSet::from([MANIFEST, SUMS, &manifest.file.name].map(str::to_owned));
    let size = fs::symlink_metadata(folder.join(&manifest.file.name)).ok()?.len();
    (files == expected && size == manifest.file.size).then_some(manifest)
}

/// Removes a backup: it is hidden first, under a name that the next backup removes, so that half of
/// one is never taken for one.
fn remove(folder: &Path) -> std::io::Result<()> {
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(folder.file_name().unwrap_or_default());
    hidden.push(PARTIAL);
    let hidden = folder.with_file_name(hidden);
    fs::rename(folder, &hidden)?;
    fs::remove_dir_all(&hidden)
}
