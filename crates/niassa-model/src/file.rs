//! Files of provenance: place, type, size and checksums.

use serde::{Deserialize, Serialize};

/// A file that a step made, as it lies in its final place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OutputFile {
    /// The absolute path, or URL, where it lies now.
    pub path: String,
    /// Its type, such as `text/vcf-4-gzip`.
    pub meta_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, 64 hexadecimal digits.
    pub sha256: String,
    /// MD5 of its content, 32 hexadecimal digits; Niassa's reports show this one.
    pub md5: String,
}
