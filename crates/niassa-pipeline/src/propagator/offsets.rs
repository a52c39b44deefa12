//! How far the journals were read and recorded. Losing it costs time, not truth.

use std::fs;
use std::io;
use std::path::PathBuf;

use sha2::Digest;

use super::PropagateFilter;
use crate::engine::local::LocalHome;
use crate::engine::local::journal::Offsets;
use crate::run_dir::{RunDirError, hex};

/// The offsets of one account with one filter, in the home of the local engine. Those of a filter
/// for single runs are not kept: nobody would ask for them again.
pub(super) struct OffsetsFile {
    path: Option<PathBuf>,
    pub(super) offsets: Offsets,
}

impl OffsetsFile {
    /// Reads what was kept; begins at the beginning where nothing was, or nothing readable.
    pub(super) fn open(home: &LocalHome, identity: &str, filter: &PropagateFilter) -> Self {
        if filter.accessions.is_some() {
            return Self { path: None, offsets: Offsets::default() };
        }
        let name = hex(&sha2::Sha256::digest(format!("{identity}\n{filter:?}")));
        let path = home.path().join(format!("propagated-{}.json", &name[..16]));
        let offsets = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { path: Some(path), offsets: offsets.unwrap_or_default() }
    }

    /// Keeps how far the journals were recorded.
    pub(super) fn keep(&mut self, offsets: Offsets) -> Result<(), RunDirError> {
        if offsets == self.offsets {
            return Ok(());
        }
        let Some(path) = &self.path else {
            self.offsets = offsets;
            return Ok(());
        };
        let temporary = path.with_extension(format!("{:016x}", rand::random::<u64>()));
        serde_json::to_vec(&offsets)
            .map_err(io::Error::from)
            .and_then(|text| fs::write(&temporary, text))
            .and_then(|()| fs::rename(&temporary, path))
            .inspect_err(|_| {
                // The first error is the one that matters.
                let _leftover = fs::remove_file(&temporary);
            })
            .map_err(|source| RunDirError::new("keep what was read in", path, source))?;
        self.offsets = offsets;
        Ok(())
    }
}
