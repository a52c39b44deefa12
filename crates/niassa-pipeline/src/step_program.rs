//! The program that jobs run on cluster nodes: this very one, where nodes can see it.
//!
//! A site names a path that nodes already have, or the launcher copies its own executable into the work
//! directory, once per content: `.seqware/<sha256>/seqware`. Copies are never changed, so a run keeps the
//! program it was launched with when the launcher is upgraded.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::Digest;

use crate::place::link_new;
use crate::run_dir::hex;

/// Where nodes find the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepProgram {
    /// At this path, on every node.
    OnNodes(PathBuf),
    /// In the work directory, where it is copied from this path.
    Copied {
        /// The executable.
        from: PathBuf,
        /// The work directory.
        work_dir: PathBuf,
    },
}

impl StepProgram {
    /// Returns the program's path on nodes; copies it the first time.
    pub(crate) fn path(&self) -> io::Result<PathBuf> {
        match self {
            Self::OnNodes(path) => Ok(path.clone()),
            Self::Copied { from, work_dir } => copied(from, &work_dir.join(".seqware")),
        }
    }
}

/// Returns the copy of an executable. Its digest is remembered by the file's identity: reading a large
/// program at every tick of cron would cost more than the tick.
fn copied(from: &Path, folder: &Path) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let about = fs::metadata(from)?;
    let identity = format!(
        "digest-{}-{}-{}-{}.{}",
        about.dev(),
        about.ino(),
        about.size(),
        about.mtime(),
        about.mtime_nsec()
    );
    let remembered = folder.join(identity);
    if let Ok(sha256) = fs::read_to_string(&remembered) {
        let copy = folder.join(sha256.trim()).join("seqware");
        if copy.is_file() {
            return Ok(copy);
        }
    }
    let content = fs::read(from)?;
    let sha256 = hex(&sha2::Sha256::digest(&content));
    let place = folder.join(&sha256);
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&place)?;
    let copy = place.join("seqware");
    if !copy.is_file() {
        let temporary = place.join(format!(".seqware-{:016x}", rand::random::<u64>()));
        fs::write(&temporary, &content)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755))?;
        fs::File::open(&temporary)?.sync_all()?;
        fs::rename(&temporary, &copy)?;
        fs::File::open(&place)?.sync_all()?;
    }
    link_new(folder, &remembered, sha256.as_bytes())?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_copied_once_and_a_new_one_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("program");
        fs::write(&from, "one").unwrap();
        let program =
            StepProgram::Copied { from: from.clone(), work_dir: folder.path().join("runs") };
        let first = program.path().unwrap();
        assert_eq!(program.path().unwrap(), first);
        assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o755);
        fs::write(&from, "another").unwrap();
        let second = program.path().unwrap();
        assert_ne!(first, second);
        assert_eq!(fs::read_to_string(&first).unwrap(), "one");
        assert_eq!(fs::read_to_string(&second).unwrap(), "another");
    }
}
