//! Whether the work directory keeps the promises that launching rests on.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use niassa_model::resources::format_memory;
use niassa_pipeline::place::WorkDir;

use super::probes::Found;
use crate::settings::Settings;

/// Below this there is too little room for runs.
const ROOM: u64 = 1 << 30;

/// Checks the work directory and the folder of bundles.
pub fn probes(settings: &Settings) -> Vec<Found> {
    let path = match settings.work_dir() {
        Ok(path) => path,
        Err(error) => {
            return vec![Found::bad("work directory", error.to_string(), "SW_WORK_DIR=/a/path")];
        }
    };
    if let Err(error) = WorkDir::open(&path) {
        let fix = format!("make {} writable, or set SW_WORK_DIR", path.display());
        return vec![Found::bad("work directory", crate::exit::chain(&error), fix)];
    }
    let mut found = vec![Found::good("work directory", path.display().to_string())];
    found.push(room(&path));
    found.push(match try_links(&path) {
        Ok(()) => Found::good("hard links", "made once, and never twice"),
        Err(error) => Found::bad(
            "hard links",
            format!("{} cannot be trusted with them: {error}", path.display()),
            "use a file system with atomic hard links (ext4, XFS, NFS exported `sync`)",
        ),
    });
    found.push(match try_locks(&path) {
        Ok(()) => Found::good("file locks", "kept while their process lives"),
        Err(error) => Found::bad(
            "file locks",
            format!("{} has none: {error}", path.display()),
            "use a file system with locks (NFS: with the lock service running)",
        ),
    });
    if let Ok(Some(bundles)) = settings.bundle_dir() {
        found.push(match fs::create_dir_all(&bundles) {
            Ok(()) => Found::good("bundles", bundles.display().to_string()),
            Err(error) => Found::bad(
                "bundles",
                format!("{}: {error}", bundles.display()),
                "make SW_BUNDLE_DIR writable",
            ),
        });
    }
    found
}

fn room(path: &Path) -> Found {
    match rustix::fs::statvfs(path) {
        Ok(about) => {
            let free = about.f_bavail.saturating_mul(about.f_frsize);
            let finding = format!("{} free", format_memory(free));
            match free < ROOM {
                true => Found::doubtful("room", finding, "make room, or set SW_WORK_DIR"),
                false => Found::good("room", finding),
            }
        }
        Err(error) => Found::doubtful("room", format!("not known: {error}"), "df"),
    }
}

/// Tries what decides that an attempt starts once: of two links to one name, one wins.
fn try_links(folder: &Path) -> io::Result<()> {
    let name = format!(".check-{}", uuid::Uuid::new_v4().simple());
    let (file, link) = (folder.join(&name), folder.join(format!("{name}.link")));
    let tried = (|| {
        let mut opened = File::create_new(&file)?;
        opened.write_all(b"niassa")?;
        opened.sync_all()?;
        fs::hard_link(&file, &link)?;
        match fs::hard_link(&file, &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return Err(io::Error::other("a second link replaced the first")),
        }
        File::open(folder)?.sync_all()?;
        match fs::read(&link)? == b"niassa" {
            true => Ok(()),
            false => Err(io::Error::other("a link does not show what was written")),
        }
    })();
    for path in [file, link] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return tried.and(Err(error)),
            _ => {}
        }
    }
    tried
}

/// Tries what decides that one supervisor lives: a lock that is held cannot be taken.
fn try_locks(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".check-{}", uuid::Uuid::new_v4().simple()));
    let tried = (|| {
        let held = File::create_new(&path)?;
        held.lock()?;
        match File::open(&path)?.try_lock() {
            Err(fs::TryLockError::WouldBlock) => Ok(()),
            Err(fs::TryLockError::Error(error)) => Err(error),
            Ok(()) => Err(io::Error::other("a lock was given twice")),
        }
    })();
    fs::remove_file(&path)?;
    tried
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_directory_passes_and_is_left_clean() {
        let folder = tempfile::tempdir().unwrap();
        try_links(folder.path()).unwrap();
        try_locks(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(try_links(Path::new("/proc")).is_err());
    }
}
