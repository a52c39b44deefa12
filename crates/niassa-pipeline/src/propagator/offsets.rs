//! How far the journals were read and recorded. Losing it costs time, not truth.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use niassa_model::time::Timestamp;
use serde::Serialize;
use sha2::Digest;

use super::PropagateFilter;
use crate::engine::local::LocalHome;
use crate::engine::local::journal::Offsets;
use crate::run_dir::{RunDirError, hex};

/// What is kept is written again after so long, though nothing changed: its file's time tells whoever
/// retires journals that this propagator lives.
const WRITTEN_WITHIN: Duration = Duration::from_hours(1);

/// The offsets of one account with one filter, in the home of the local engine. Those of a filter
/// for single runs are not kept: nobody would ask for them again.
pub(super) struct OffsetsFile {
    path: Option<PathBuf>,
    pub(super) offsets: Offsets,
}

impl OffsetsFile {
    /// Reads what was kept; begins at the beginning where nothing was, or nothing readable.
    pub(super) fn open(home: &LocalHome, identity: &str, filter: &PropagateFilter) -> Self {
        let path = path_of("propagated", home, identity, filter);
        let text = path.as_ref().and_then(|path| fs::read(path).ok());
        let offsets = text.and_then(|text| serde_json::from_slice(&text).ok());
        Self { path, offsets: offsets.unwrap_or_default() }
    }

    /// Keeps how far the journals were recorded.
    pub(super) fn keep(&mut self, offsets: Offsets, now: Timestamp) -> Result<(), RunDirError> {
        if let Some(path) = &self.path
            && (offsets != self.offsets || !was_written_lately(path, now))
        {
            write(path, &offsets)?;
        }
        self.offsets = offsets;
        Ok(())
    }
}

/// Names what an account keeps with a filter; nothing for one of single runs.
pub(super) fn path_of(
    what: &str,
    home: &LocalHome,
    identity: &str,
    filter: &PropagateFilter,
) -> Option<PathBuf> {
    if filter.accessions.is_some() {
        return None;
    }
    let name = hex(&sha2::Sha256::digest(format!("{identity}\n{filter:?}")));
    Some(home.path().join(format!("{what}-{}.json", &name[..16])))
}

/// Writes what is kept, in the place of what was.
pub(super) fn write(path: &Path, kept: &impl Serialize) -> Result<(), RunDirError> {
    let temporary = path.with_extension(format!("{:016x}", rand::random::<u64>()));
    serde_json::to_vec(kept)
        .map_err(io::Error::from)
        .and_then(|text| fs::write(&temporary, text))
        .and_then(|()| fs::rename(&temporary, path))
        .inspect_err(|_| {
            // The first error is the one that matters.
            let _leftover = fs::remove_file(&temporary);
        })
        .map_err(|source| RunDirError::new("keep what was read in", path, source))
}

fn was_written_lately(path: &Path, now: Timestamp) -> bool {
    let Ok(written) = fs::metadata(path).and_then(|metadata| metadata.modified()) else {
        return false;
    };
    let now = u64::try_from(now.as_micros()).unwrap_or(0);
    let age = (UNIX_EPOCH + Duration::from_micros(now)).duration_since(written);
    // A time ahead of the clock is no age.
    age.unwrap_or_default() < WRITTEN_WITHIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_propagator_shows_once_an_hour_that_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let home = LocalHome::open(folder.path()).unwrap();
        let mut file = OffsetsFile::open(&home, "bob", &PropagateFilter::default());
        let path = file.path.clone().unwrap();
        file.keep(Offsets::default(), Timestamp::from_micros(0)).unwrap();
        let written = fs::metadata(&path).expect("the first look is kept").modified().unwrap();
        let now = written.duration_since(UNIX_EPOCH).unwrap().as_micros();
        let now = Timestamp::from_micros(now.try_into().unwrap());

        let age = |minutes: u64| {
            let then = written - Duration::from_mins(minutes);
            fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
            then
        };
        let modified = || fs::metadata(&path).unwrap().modified().unwrap();
        let then = age(50);
        file.keep(Offsets::default(), now).unwrap();
        assert_eq!(modified(), then, "nothing is written for nothing");
        age(70);
        file.keep(Offsets::default(), now).unwrap();
        assert!(modified() >= written);
    }
}
