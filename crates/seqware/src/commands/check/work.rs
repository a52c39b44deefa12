//! Whether the work directory keeps the promises that launching rests on: looked at here, and by the
//! same questions on a node.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use niassa_model::resources::format_memory;
use niassa_model::time::Timestamp;
use niassa_pipeline::place::WorkDir;

use super::found::{Found, Verdict};
use super::service::clock;
use crate::deployments::{self, OtherDeployment};
use crate::settings::{Settings, SettingsError, Surroundings};
use crate::ui::words;

const DEPLOYMENTS: &str = "deployments";

/// Below this there is too little room for runs.
const ROOM: u64 = 1 << 30;
/// Below this a run cannot even be made.
const NO_ROOM: u64 = 16 << 20;
/// Fewer files than this are soon used up.
const INODES: u64 = 10_000;
/// Fewer files than this are needed by a single run.
const NO_INODES: u64 = 100;
/// A sync that takes longer makes every launch slow.
const SLOW: Duration = Duration::from_secs(1);

/// Checks the work directory, the folder of bundles and that of temporary files.
pub fn probes(settings: &Settings, surroundings: &Surroundings, now: Timestamp) -> Vec<Found> {
    let path = match settings.work_dir() {
        Ok(path) => path,
        Err(error) => {
            return vec![Found::bad("work directory", error.to_string(), "SW_WORK_DIR=/a/path")];
        }
    };
    let opened = match surroundings.known_work_dirs() {
        Some(known) => WorkDir::open_known(&path, &known),
        None => WorkDir::open(&path),
    };
    let mut found = match opened {
        Ok(opened) => {
            let mut found = vec![Found::good("work directory", path.display().to_string())];
            found.extend(of_folder(opened.path(), now));
            found
        }
        Err(error) => {
            let fix = format!("make {} writable, or set SW_WORK_DIR", path.display());
            vec![Found::bad("work directory", crate::exit::chain(&error), fix)]
        }
    };
    found.push(bundles(settings.bundle_dir()));
    found.push(temporary(surroundings.variable("TMPDIR").unwrap_or("/tmp").as_ref()));
    found
}

/// Checks whether another deployment uses the work directory too.
pub fn of_deployments(
    settings: &Settings,
    deployment: Option<&str>,
    now: Timestamp,
) -> Option<Found> {
    let path = settings.work_dir().ok()?;
    let Some(own) = deployment else {
        let why = "the service did not say which deployment it is";
        return Some(Found::not_known(DEPLOYMENTS, why));
    };
    Some(shared(&deployments::others(&path, own, now), now))
}

fn shared(others: &[OtherDeployment], now: Timestamp) -> Found {
    match others.iter().map(|other| other.used_at).max() {
        None => {
            let days = deployments::RECENT_DAYS;
            Found::good(DEPLOYMENTS, format!("no other one left a mark in the last {days} days"))
        }
        Some(used_at) => {
            let named = deployments::named(others);
            let finding = format!("{named} uses it too, last {}", words::ago(used_at, now));
            Found::doubtful(DEPLOYMENTS, finding, deployments::FIX)
        }
    }
}

/// Checks what must hold wherever a work directory is used.
pub fn of_folder(path: &Path, now: Timestamp) -> Vec<Found> {
    let about = rustix::fs::statvfs(path).map_err(io::Error::from);
    vec![
        open_to_others(fs::metadata(path).map(|about| about.mode())),
        room(about.as_ref().map(|about| about.f_bavail.saturating_mul(about.f_frsize))),
        inodes(about.as_ref().map(|about| (about.f_files, about.f_favail))),
        links(path, try_links(path)),
        syncs(try_sync(path)),
        locks(path, try_locks(path)),
        times(try_time(path), now),
    ]
}

fn open_to_others(mode: io::Result<u32>) -> Found {
    const STICKY: u32 = 0o1000;
    match mode {
        Ok(mode) if mode & 0o002 != 0 && mode & STICKY == 0 => Found::bad(
            "mode",
            format!("anybody may change the work directory (mode {:o})", mode & 0o7777),
            "chmod o-w on it",
        ),
        Ok(mode) => Found::good("mode", format!("{:o}", mode & 0o7777)),
        Err(error) => Found::bad("mode", error.to_string(), "ls -ld on the work directory"),
    }
}

fn room(free: Result<u64, &io::Error>) -> Found {
    let fix = "make room, or set SW_WORK_DIR";
    match free {
        Ok(free) => {
            let finding = format!("{} free", format_memory(free));
            Found::judged(Verdict::of_rest(free, ROOM, NO_ROOM), "room", finding, fix)
        }
        Err(error) => Found::doubtful("room", format!("not known: {error}"), "df"),
    }
}

/// `files` are the file system's files in all and those that can be made; some have no limit, and say 0.
fn inodes(files: Result<(u64, u64), &io::Error>) -> Found {
    let fix = "remove files that nobody needs, or set SW_WORK_DIR";
    match files {
        Ok((0, _)) => Found::good("inodes", "no limit"),
        Ok((_, left)) => {
            let finding = format!("{left} files can be made");
            Found::judged(Verdict::of_rest(left, INODES, NO_INODES), "inodes", finding, fix)
        }
        Err(error) => Found::doubtful("inodes", format!("not known: {error}"), "df --inodes"),
    }
}

fn links(path: &Path, tried: io::Result<()>) -> Found {
    match tried {
        Ok(()) => Found::good("hard links", "made once, and never twice"),
        Err(error) => Found::bad(
            "hard links",
            format!("{} cannot be trusted with them: {error}", path.display()),
            "use a file system with atomic hard links (ext4, XFS, NFS exported `sync`)",
        ),
    }
}

fn syncs(tried: io::Result<Duration>) -> Found {
    match tried {
        Ok(took) if took > SLOW => Found::doubtful(
            "sync",
            format!("fsync works, and took {} ms", took.as_millis()),
            "each launch waits for it: look at the disk, or at the file server",
        ),
        Ok(took) => Found::good("sync", format!("fsync took {} ms", took.as_millis())),
        Err(error) => Found::bad(
            "sync",
            format!("fsync fails: {error}"),
            "use a file system that keeps what was synced",
        ),
    }
}

fn locks(path: &Path, tried: io::Result<()>) -> Found {
    match tried {
        Ok(()) => Found::good("file locks", "kept while their process lives"),
        Err(error) => Found::bad(
            "file locks",
            format!("{} has none: {error}", path.display()),
            "use a file system with locks (NFS: with the lock service running)",
        ),
    }
}

/// A file server may have a clock of its own; the ages of files are told by it.
fn times(of_file: io::Result<Timestamp>, now: Timestamp) -> Found {
    match of_file {
        Ok(theirs) => clock("file times", "this machine's clock", theirs, now),
        Err(error) => Found::bad("file times", error.to_string(), "make the directory writable"),
    }
}

fn bundles(folder: Result<Option<PathBuf>, SettingsError>) -> Found {
    match folder {
        Ok(None) => Found::good("bundles", "kept in the work directory"),
        Ok(Some(bundles)) => match fs::create_dir_all(&bundles).and_then(|()| try_time(&bundles)) {
            Ok(_) => Found::good("bundles", bundles.display().to_string()),
            Err(error) => {
                let finding = format!("{}: {error}", bundles.display());
                Found::bad("bundles", finding, "make SW_BUNDLE_DIR writable")
            }
        },
        Err(error) => Found::bad("bundles", error.to_string(), "mend SW_BUNDLE_DIR"),
    }
}

fn temporary(folder: &Path) -> Found {
    let tried = try_time(folder);
    let free =
        rustix::fs::statvfs(folder).map(|about| about.f_bavail.saturating_mul(about.f_frsize));
    let named = folder.display();
    match (tried, free) {
        (Err(error), _) => {
            Found::bad("temporary", format!("{named}: {error}"), "make it writable, or set TMPDIR")
        }
        (Ok(_), Ok(free)) if free < ROOM / 8 => Found::doubtful(
            "temporary",
            format!("{} free in {named}", format_memory(free)),
            "make room, or set TMPDIR",
        ),
        (Ok(_), _) => Found::good("temporary", format!("{named} can be written")),
    }
}

/// Tries what decides that an attempt starts once: of two links to one name, one wins.
fn try_links(folder: &Path) -> io::Result<()> {
    let file = fresh_name(folder);
    let link = file.with_extension("link");
    let tried = (|| {
        File::create_new(&file)?.write_all(b"niassa")?;
        fs::hard_link(&file, &link)?;
        match fs::hard_link(&file, &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return Err(io::Error::other("a second link replaced the first")),
        }
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

/// Tries what makes an order durable: a file and its folder are synced.
fn try_sync(folder: &Path) -> io::Result<Duration> {
    let file = fresh_name(folder);
    let begun = Instant::now();
    let mut opened = File::create_new(&file)?;
    let tried = opened
        .write_all(b"niassa")
        .and_then(|()| opened.sync_all())
        .and_then(|()| File::open(folder)?.sync_all());
    let took = begun.elapsed();
    fs::remove_file(&file)?;
    tried.map(|()| took)
}

/// Tries what decides that one supervisor lives: a lock that is held cannot be taken.
fn try_locks(folder: &Path) -> io::Result<()> {
    let path = fresh_name(folder);
    let held = File::create_new(&path)?;
    let tried = held.lock().and_then(|()| match File::open(&path)?.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Ok(()),
        Err(fs::TryLockError::Error(error)) => Err(error),
        Ok(()) => Err(io::Error::other("a lock was given twice")),
    });
    fs::remove_file(&path)?;
    tried
}

/// Makes a file and returns the time that its file system gave it.
fn try_time(folder: &Path) -> io::Result<Timestamp> {
    let path = fresh_name(folder);
    let mut file = File::create_new(&path)?;
    let about = file.write_all(b"niassa").and_then(|()| file.metadata());
    fs::remove_file(&path)?;
    let about = about?;
    let micros = about.mtime().saturating_mul(1_000_000).saturating_add(about.mtime_nsec() / 1_000);
    Ok(Timestamp::from_micros(micros))
}

fn fresh_name(folder: &Path) -> PathBuf {
    folder.join(format!(".check-{}", uuid::Uuid::new_v4().simple()))
}

#[cfg(test)]
mod tests {
    use super::super::found::Verdict::{Bad, Doubtful, Good};
    use super::super::found::assert_verdict;
    use super::*;

    fn error() -> io::Error {
        io::Error::other("the server is away")
    }

    #[test]
    fn a_good_directory_passes_and_is_left_clean() {
        let folder = tempfile::tempdir().unwrap();
        try_links(folder.path()).unwrap();
        try_sync(folder.path()).unwrap();
        try_locks(folder.path()).unwrap();
        try_time(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let nowhere = Path::new("/proc");
        assert!(try_links(nowhere).is_err() && try_sync(nowhere).is_err());
        assert!(try_locks(nowhere).is_err() && try_time(nowhere).is_err());
    }

    #[test]
    fn what_was_tried_is_judged() {
        let path = Path::new("/runs");
        assert_verdict(&links(path, Ok(())), Good);
        assert_verdict(&links(path, Err(error())), Bad);
        assert_verdict(&locks(path, Ok(())), Good);
        assert_verdict(&locks(path, Err(error())), Bad);
        assert_verdict(&syncs(Ok(SLOW)), Good);
        assert_verdict(&syncs(Ok(SLOW * 2)), Doubtful);
        assert_verdict(&syncs(Err(error())), Bad);
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        assert_verdict(&times(Ok(at(10)), at(0)), Good);
        assert_verdict(&times(Ok(at(60)), at(0)), Doubtful);
        assert_verdict(&times(Ok(at(3_600)), at(0)), Bad);
        assert_verdict(&times(Err(error()), at(0)), Bad);
    }

    #[test]
    fn a_directory_that_anybody_may_change_is_a_fault() {
        for mode in [0o40750, 0o41777, 0o42770] {
            assert_verdict(&open_to_others(Ok(mode)), Good);
        }
        assert_verdict(&open_to_others(Ok(0o40777)), Bad);
        assert_verdict(&open_to_others(Err(error())), Bad);
    }

    #[test]
    fn room_and_files_run_out_with_a_warning() {
        assert_verdict(&room(Ok(ROOM)), Good);
        assert_verdict(&room(Ok(ROOM - 1)), Doubtful);
        assert_verdict(&room(Ok(NO_ROOM - 1)), Bad);
        assert_verdict(&room(Err(&error())), Doubtful);
        assert_verdict(&inodes(Ok((0, 0))), Good);
        assert_verdict(&inodes(Ok((20_000, INODES))), Good);
        assert_verdict(&inodes(Ok((20_000, INODES - 1))), Doubtful);
        assert_verdict(&inodes(Ok((20_000, NO_INODES - 1))), Bad);
        assert_verdict(&inodes(Err(&error())), Doubtful);
    }

    #[test]
    fn folders_beside_the_work_directory_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("a/b");
        assert_verdict(&bundles(Ok(None)), Good);
        assert_verdict(&bundles(Ok(Some(made.clone()))), Good);
        assert_verdict(&bundles(Ok(Some("/proc/bundles".into()))), Bad);
        assert_verdict(&temporary(Path::new("/proc")), Bad);
        let tried = temporary(&made);
        assert!(matches!(tried.verdict, Good | Doubtful), "{tried:?}");
    }
}
