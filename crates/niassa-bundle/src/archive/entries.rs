//! The entries of an archive from elsewhere: looked at one by one before anything is written.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use niassa_model::limits::{ARCHIVE_BYTES, ARCHIVE_ENTRIES, ARCHIVE_RATIO};
use zip::ZipArchive;

use super::ArchiveError;
use super::bounded::{self, BoundedFile, DIRECTORY_BYTES};
use super::count::claimed_entries;
use crate::manifest::FILE_NAME;

/// What programs of other systems add to archives; it is nobody's content.
const NOT_CONTENT: &str = "__MACOSX";
/// How deep folders may lie within each other.
const DEPTH: usize = 64;

/// An archive whose entries were looked at.
pub(super) struct Entries {
    path: PathBuf,
    zip: ZipArchive<BoundedFile>,
    /// Where the files stand in the archive, in its order.
    pub(super) files: Vec<Entry>,
    /// How many bytes may still come out.
    left: u64,
    /// Which limit that is.
    limit: fn() -> ArchiveError,
}

/// One file of an archive.
pub(super) struct Entry {
    index: usize,
    /// Its path in the bundle, names only.
    pub(super) name: String,
    pub(super) mode: u32,
}

impl Entries {
    /// Opens an archive and looks at all of its entries.
    pub(super) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let mut file = File::open(path).map_err(ArchiveError::file("read", path))?;
        let reading = || ArchiveError::file("read", path);
        let size = file.metadata().map_err(reading())?.len();
        if size > ARCHIVE_BYTES {
            return Err(ArchiveError::Large);
        }
        if claimed_entries(&mut file).map_err(reading())? > ARCHIVE_ENTRIES as u64 {
            return Err(ArchiveError::ManyEntries);
        }
        let zipped = |source| ArchiveError::Zip { path: path.to_owned(), source };
        let zip = bounded::open(file, DIRECTORY_BYTES).map_err(zipped)?;
        let mut zip = zip.ok_or(ArchiveError::LongDirectory)?;
        if zip.has_duplicate_names() {
            return Err(ArchiveError::Twice("of the same name".to_owned()));
        }
        let files = look_at(path, &mut zip)?;
        let files = without_top_folder(path, files)?;
        let by_ratio = size.saturating_mul(ARCHIVE_RATIO);
        let (left, limit): (u64, fn() -> ArchiveError) = match by_ratio < ARCHIVE_BYTES {
            true => (by_ratio, || ArchiveError::Bomb),
            false => (ARCHIVE_BYTES, || ArchiveError::Large),
        };
        Ok(Self { path: path.to_owned(), zip, files, left, limit })
    }

    /// Writes the content of a file. Its checksum is looked at on the way.
    pub(super) fn copy(
        &mut self,
        file: usize,
        to: &mut impl Write,
        to_path: &Path,
    ) -> Result<(), ArchiveError> {
        let zipped = |source| ArchiveError::Zip { path: self.path.clone(), source };
        let mut content = self.zip.by_index(self.files[file].index).map_err(zipped)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ArchiveError::file("unpack", &self.path)(error)),
            };
            self.left = self.left.checked_sub(count as u64).ok_or_else(self.limit)?;
            to.write_all(&buffer[..count]).map_err(ArchiveError::file("write", to_path))?;
        }
    }
}

/// Looks at name and kind of each entry, and returns the files.
fn look_at(path: &Path, zip: &mut ZipArchive<BoundedFile>) -> Result<Vec<Entry>, ArchiveError> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    for index in 0..zip.len() {
        let zipped = |source| ArchiveError::Zip { path: path.to_owned(), source };
        let entry = zip.by_index_data(index).map_err(zipped)?;
        let written = entry.name().map_err(zipped)?.into_owned();
        let is_folder = written.ends_with('/');
        let name = written.strip_suffix('/').unwrap_or(&written).to_owned();
        if !is_inside(&name) {
            return Err(ArchiveError::Name(written));
        }
        if entry.encrypted() {
            return Err(ArchiveError::Encrypted(name));
        }
        // The upper bits say what it is, where the archive was made on Unix.
        let mode = entry.unix_mode().unwrap_or(0o100_644);
        let kind = mode & 0o170_000;
        let is_good = match is_folder {
            true => matches!(kind, 0 | 0o040_000),
            false => matches!(kind, 0 | 0o100_000),
        };
        if !is_good || entry.is_symlink() {
            return Err(ArchiveError::Kind(name));
        }
        if !seen.insert(name.clone()) {
            return Err(ArchiveError::Twice(name));
        }
        if !is_folder && name.split('/').next() != Some(NOT_CONTENT) {
            let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
            files.push(Entry { index, name, mode });
        }
    }
    Ok(files)
}

/// Tells whether a name is a path below the folder it is unpacked in, in one spelling.
fn is_inside(name: &str) -> bool {
    let is_plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 255;
    let is_odd = |c: char| c == '\\' || c.is_control();
    !name.contains(is_odd) && name.split('/').all(is_plain) && name.split('/').count() <= DEPTH
}

/// Leaves out the one folder at the top that programs put around everything.
fn without_top_folder(path: &Path, mut files: Vec<Entry>) -> Result<Vec<Entry>, ArchiveError> {
    if files.iter().any(|file| file.name == FILE_NAME) {
        return Ok(files);
    }
    let no_manifest = || ArchiveError::NoManifest(path.to_owned());
    let first = files.first().and_then(|file| file.name.split_once('/'));
    let top = first.map(|(top, _)| format!("{top}/")).ok_or_else(no_manifest)?;
    let mut has_manifest = false;
    for file in &mut files {
        let name = file.name.strip_prefix(&top).ok_or_else(no_manifest)?.to_owned();
        has_manifest |= name == FILE_NAME;
        file.name = name;
    }
    if has_manifest { Ok(files) } else { Err(no_manifest()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for name in ["a", "a/b", "...", "a b", "ä/..b"] {
            assert!(is_inside(name), "{name}");
        }
        let deep = "a/".repeat(DEPTH) + "a";
        let long = "a".repeat(256);
        for name in [
            "", "/a", "../a", "a/../b", "a/..", "./a", "a//b", "a\\b", "C:\\a", "a\0", "a\n",
            &deep, &long,
        ] {
            assert!(!is_inside(name), "{name}");
        }
    }
}
