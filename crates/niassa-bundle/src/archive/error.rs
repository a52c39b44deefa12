//! Why an archive cannot be made or used.

use std::io;
use std::path::{Path, PathBuf};

use niassa_model::limits::{ARCHIVE_BYTES, ARCHIVE_ENTRIES, ARCHIVE_RATIO, INI_BYTES};
use zip::result::ZipError;

use super::bounded::DIRECTORY_BYTES;
use crate::manifest::FILE_NAME;

/// Why an archive cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file could not be read or written.
    #[error("{operation} {}", path.display())]
    File {
        /// What was being done.
        operation: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// It is not a zip archive, or a damaged one.
    #[error("read the zip archive {}", path.display())]
    Zip {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ZipError,
    },
    /// There is no manifest where it has to be.
    #[error("{} is not a bundle: it has no {FILE_NAME}", .0.display())]
    NoManifest(PathBuf),
    /// An entry would not stay in the folder, or has a name that files do not have.
    #[error(
        "the archive has an entry {0:?}; names are relative, without `..`, `\\` and control characters"
    )]
    Name(String),
    /// An entry comes twice.
    #[error("the archive has the entry {0:?} twice")]
    Twice(String),
    /// Something that is neither a file nor a folder.
    #[error("{0:?} is not a regular file; a bundle has no links, devices or pipes")]
    Kind(String),
    /// A link of the bundle points elsewhere.
    #[error("{} is a link to something that is not a file of the bundle", .0.display())]
    Link(PathBuf),
    /// An entry is encrypted.
    #[error("the entry {0:?} is encrypted")]
    Encrypted(String),
    /// There are too many files.
    #[error("the bundle has more than {ARCHIVE_ENTRIES} files")]
    ManyEntries,
    /// The content is too large.
    #[error("the bundle has more than {ARCHIVE_BYTES} bytes")]
    Large,
    /// The content is so much larger than the archive that it can only be meant to do harm.
    #[error("the archive holds more than {ARCHIVE_RATIO} times its own size")]
    Bomb,
    /// A text is too long to be one.
    #[error("{0} has more than {INI_BYTES} bytes")]
    LongText(String),
    /// All texts together are too long.
    #[error("the manifest and the ini files of the bundle have more than {INI_BYTES} bytes")]
    LongTexts,
    /// The list of entries is too long.
    #[error("the archive lists its entries in more than {DIRECTORY_BYTES} bytes")]
    LongDirectory,
    /// A manifest is not text.
    #[error("{0} is not UTF-8")]
    NotText(String),
}

impl ArchiveError {
    /// Makes of a failed call the error that names it.
    pub(super) fn file(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { operation, path, source }
    }
}
