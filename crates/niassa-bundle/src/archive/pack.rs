//! Packing a folder.
//!
//! Entries are sorted, times are fixed, content is stored as it is: the archive depends on nothing
//! but names, contents and which files may be executed, not even on how some version of a library
//! compresses. Folders without files are no content, and neither is what version control keeps
//! beside it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use niassa_model::limits::{ARCHIVE_BYTES, ARCHIVE_ENTRIES};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{ArchiveError, Packed, digest};
use crate::manifest::FILE_NAME;

/// Folders that are not part of a bundle, wherever they lie in it.
const NOT_CONTENT: [&str; 3] = [".git", ".hg", ".svn"];
/// How deep folders may lie within each other.
const DEPTH: usize = 64;

/// A file of the bundle.
struct Content {
    path: PathBuf,
    mode: u32,
}

/// Packs the bundle in a folder into an archive, which replaces what is there.
pub fn pack(dir: &Path, to: &Path) -> Result<Packed, ArchiveError> {
    let root = fs::canonicalize(dir).map_err(ArchiveError::file("open", dir))?;
    if !root.join(FILE_NAME).is_file() {
        return Err(ArchiveError::NoManifest(dir.to_owned()));
    }
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut walk = Walk { root: &root, not: [to, &part], files: BTreeMap::new() };
    walk.folder(&root, "", 0)?;
    let written = write(&part, &walk.files)
        .and_then(|()| fs::rename(&part, to).map_err(ArchiveError::file("write", to)));
    if written.is_err() {
        // The first error is the one to tell; a rest of a file does no harm.
        let _unimportant = fs::remove_file(&part);
    }
    written?;
    digest(to)
}

/// The walk through a bundle's folder.
struct Walk<'p> {
    root: &'p Path,
    /// The archive itself, which may lie in the folder.
    not: [&'p Path; 2],
    files: BTreeMap<String, Content>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), ArchiveError> {
        if depth > DEPTH {
            return Err(ArchiveError::Name(prefix.to_owned()));
        }
        for entry in fs::read_dir(folder).map_err(ArchiveError::file("list", folder))? {
            let path = entry.map_err(ArchiveError::file("list", folder))?.path();
            let name = path.file_name().unwrap_or_default();
            let readable = name.to_str().filter(|name| is_plain(name));
            let readable =
                readable.ok_or_else(|| ArchiveError::Name(path.display().to_string()))?;
            if NOT_CONTENT.contains(&readable) || self.is_archive(&path) {
                continue;
            }
            self.entry(&path, format!("{prefix}{readable}"), depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: String, depth: usize) -> Result<(), ArchiveError> {
        let kind = fs::symlink_metadata(path).map_err(ArchiveError::file("look at", path))?;
        if kind.is_dir() {
            return self.folder(path, &format!("{name}/"), depth + 1);
        }
        if kind.is_symlink() {
            let target = fs::canonicalize(path).ok();
            if !target.is_some_and(|target| target.starts_with(self.root) && target.is_file()) {
                return Err(ArchiveError::Link(path.to_owned()));
            }
        } else if !kind.is_file() {
            return Err(ArchiveError::Kind(name));
        }
        let metadata = fs::metadata(path).map_err(ArchiveError::file("look at", path))?;
        let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        self.files.insert(name, Content { path: path.to_owned(), mode });
        if self.files.len() > ARCHIVE_ENTRIES {
            return Err(ArchiveError::ManyEntries);
        }
        Ok(())
    }

    fn is_archive(&self, path: &Path) -> bool {
        self.not.iter().any(|not| {
            not.file_name() == path.file_name()
                && fs::canonicalize(not).is_ok_and(|not| not == path)
        })
    }
}

fn is_plain(name: &str) -> bool {
    !name.contains('\\') && !name.chars().any(char::is_control)
}

fn write(to: &Path, files: &BTreeMap<String, Content>) -> Result<(), ArchiveError> {
    let file = File::create(to).map_err(ArchiveError::file("write", to))?;
    let mut zip = ZipWriter::new(BufWriter::new(file));
    let mut left = ARCHIVE_BYTES;
    for (name, content) in files {
        copy_into(&mut zip, to, name, content, &mut left)?;
    }
    let zipped = |source| ArchiveError::Zip { path: to.to_owned(), source };
    let written = zip.finish().map_err(zipped)?;
    let file = written
        .into_inner()
        .map_err(|error| ArchiveError::file("write", to)(error.into_error()))?;
    // The size on disk is what the service will be asked to take.
    let size = file.metadata().map_err(ArchiveError::file("look at", to))?.len();
    if size > ARCHIVE_BYTES { Err(ArchiveError::Large) } else { Ok(()) }
}

fn copy_into(
    zip: &mut ZipWriter<impl Write + Seek>,
    to: &Path,
    name: &str,
    content: &Content,
    left: &mut u64,
) -> Result<(), ArchiveError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(content.mode);
    let zipped = |source| ArchiveError::Zip { path: to.to_owned(), source };
    zip.start_file(name, options).map_err(zipped)?;
    let path = &content.path;
    let file = File::open(path).map_err(ArchiveError::file("read", path))?;
    // One byte more than there may be tells that there is more.
    let mut bounded = file.take(*left + 1);
    let copied = io::copy(&mut bounded, zip).map_err(ArchiveError::file("pack", path))?;
    *left = left.checked_sub(copied).ok_or(ArchiveError::Large)?;
    Ok(())
}
