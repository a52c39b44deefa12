//! The archive of a bundle: packing, unpacking, and reading the texts that the service needs.
//!
//! The same content makes the same archive, so a bundle is named by the SHA-256 of it. An archive from
//! elsewhere is trusted in nothing: names, sizes, kinds and checksums are looked at, and limits
//! hold for the bytes that really come out, not for those that are promised.

mod bounded;
mod count;
mod entries;
mod error;
mod pack;
mod read;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

pub use error::ArchiveError;
pub use pack::pack;
pub use read::{read, read_dir, unpack};

/// The folder of a bundle that holds its ini files.
const CONFIG: &str = "config";

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the archive, 64 hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The texts of a bundle that the service needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleText {
    /// The text of `workflow.yaml`.
    pub manifest: String,
    /// Name and text of each `config/*.ini`, by name.
    pub config: Vec<(String, String)>,
}

/// Returns the SHA-256 of a file, 64 hexadecimal digits.
pub fn sha256(path: &Path) -> Result<String, ArchiveError> {
    digest(path).map(|packed| packed.sha256)
}

/// Reads a file for its digest and its size.
fn digest(path: &Path) -> Result<Packed, ArchiveError> {
    let failed = |source| ArchiveError::File { operation: "read", path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        hash.update(&buffer[..count]);
        size += count as u64;
    }
    let sha256 = hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    });
    Ok(Packed { sha256, size })
}

#[cfg(test)]
mod tests;
