//! Where this process works: the work directory with its id, the OS user, the machine.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use niassa_model::place::{EngineKind, Place};

/// The name of the file that holds a work directory's id.
const ID_FILE: &str = ".niassa-id";

/// A work directory: a folder with an id that was drawn once, the same wherever it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkDir {
    path: PathBuf,
    id: String,
}

/// What can go wrong with a work directory.
#[derive(Debug, thiserror::Error)]
pub enum WorkDirError {
    /// It cannot be made or written.
    #[error("make the work directory {}", path.display())]
    Make {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its id cannot be read: it may not be mounted.
    #[error("read {}: is the work directory mounted?", path.display())]
    ReadId {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Runs were launched from it before, and it is another now, or empty.
    #[error(
        "{} is not the work directory that it was (its id was {id}): is it mounted? If its runs were taken away \
         on purpose, take its line out of {}",
        path.display(),
        known.display()
    )]
    NotItself {
        /// The directory.
        path: PathBuf,
        /// The file that remembers it.
        known: PathBuf,
        /// Its id before.
        id: String,
    },
    /// Its id is not one that we wrote.
    #[error("{} does not hold the id of a work directory", .0.display())]
    NotAnId(PathBuf),
}

impl WorkDir {
    /// Opens a work directory; makes it, and draws its id, the first time.
    pub fn open(path: &Path) -> Result<Self, WorkDirError> {
        let failed = |source| WorkDirError::Make { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o750).create(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let id_file = path.join(ID_FILE);
        if !id_file.exists() {
            draw_id(&path, &id_file).map_err(failed)?;
        }
        let text = fs::read_to_string(&id_file)
            .map_err(|source| WorkDirError::ReadId { path: id_file.clone(), source })?;
        let id = text.trim().to_owned();
        if id.len() != 20 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(WorkDirError::NotAnId(id_file));
        }
        Ok(Self { path, id })
    }

    /// Opens a work directory like [`Self::open`], unless it was known and is not itself: an empty folder at
    /// its place is taken for one that is not mounted, in which no run must be launched.
    ///
    /// `known` is a file of this OS user's on this machine: a line for each work directory, its id and path.
    /// Where it cannot be written, nothing is remembered. One that is gone altogether was removed, and is made
    /// anew; its path is then known with both ids.
    pub fn open_known(path: &Path, known: &Path) -> Result<Self, WorkDirError> {
        let ids = fs::read_to_string(known).unwrap_or_default();
        let place = path.canonicalize().ok();
        let of_place = ids.lines().filter_map(|line| {
            let (id, known_path) = line.split_once(' ')?;
            (place.as_deref() == Some(Path::new(known_path))).then_some(id)
        });
        let known_ids: Vec<&str> = of_place.collect();
        let not_itself = || WorkDirError::NotItself {
            path: path.to_owned(),
            known: known.to_owned(),
            id: known_ids.join(" or "),
        };
        if !known_ids.is_empty() && !path.join(ID_FILE).exists() {
            return Err(not_itself());
        }
        let opened = Self::open(path)?;
        if known_ids.contains(&opened.id.as_str()) {
            return Ok(opened);
        }
        if !known_ids.is_empty() {
            return Err(not_itself());
        }
        if let Err(error) = opened.remember(known) {
            tracing::debug!(file = %known.display(), %error, "a work directory is not remembered");
        }
        Ok(opened)
    }

    fn remember(&self, known: &Path) -> io::Result<()> {
        if let Some(folder) = known.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file = fs::OpenOptions::new().append(true).create(true).open(known)?;
        file.write_all(format!("{} {}\n", self.id, self.path.display()).as_bytes())
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the place of runs that are launched from here on an engine.
    pub fn place(&self, engine: EngineKind, cluster: String) -> Place {
        Place { work_dir_id: self.id.clone(), os_user: os_user(), engine, cluster }
    }
}

/// Draws an id and links it into place: of several processes that do so at once, one wins.
fn draw_id(work_dir: &Path, id_file: &Path) -> io::Result<()> {
    let alphabet = b"abcdefghijklmnopqrstuvwxyz234567";
    let random: [u8; 20] = rand::random();
    let id: String = random.iter().map(|b| char::from(alphabet[usize::from(b % 32)])).collect();
    link_new(work_dir, id_file, format!("{id}\n").as_bytes()).map(drop)
}

/// Whether a file was made now or was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linked {
    /// It was made by this call.
    Now,
    /// Somebody made it before; its content was left alone.
    Before,
}

/// Makes a file with its whole content at once: written beside it, then linked. The first wins.
///
/// The caller makes it durable.
pub(crate) fn link_new(folder: &Path, path: &Path, content: &[u8]) -> io::Result<Linked> {
    let temporary = folder.join(format!(".tmp-{:016x}", rand::random::<u64>()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let written = file.write_all(content);
    let linked = written.and_then(|()| match fs::hard_link(&temporary, path) {
        Ok(()) => Ok(Linked::Now),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Linked::Before),
        Err(error) => Err(error),
    });
    fs::remove_file(&temporary)?;
    linked
}

/// Makes everything durable that was written to the file system of an open folder, by anybody.
pub(crate) fn sync_file_system(folder: &fs::File) -> io::Result<()> {
    rustix::fs::syncfs(folder).map_err(io::Error::from)
}

/// Returns the name of the OS user this process runs as, or its number where it has no name.
pub fn os_user() -> String {
    let user = rustix::process::geteuid().as_raw();
    let name = fs::read_to_string("/etc/passwd").ok().and_then(|passwd| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let number = fields.nth(1)?.parse::<u32>().ok()?;
            (number == user).then(|| name.to_owned())
        })
    });
    name.unwrap_or_else(|| user.to_string())
}

/// Returns the machine's node name.
pub fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_work_directory_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/runs");
        let opened: Vec<WorkDir> = std::thread::scope(|scope| {
            let open = || WorkDir::open(&path).unwrap();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(opened.iter().all(|work_dir| *work_dir == opened[0]));
        assert_eq!(WorkDir::open(&path).unwrap(), opened[0]);
        fs::write(path.join(ID_FILE), "../x").unwrap();
        assert!(matches!(WorkDir::open(&path), Err(WorkDirError::NotAnId(_))));
    }

    #[test]
    fn a_known_work_directory_that_is_empty_now_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, known) = (folder.path().join("runs"), folder.path().join("home/known"));
        let opened = WorkDir::open_known(&path, &known).unwrap();
        assert_eq!(WorkDir::open_known(&path, &known).unwrap(), opened);
        assert_eq!(fs::read_to_string(&known).unwrap().lines().count(), 1);
        let elsewhere = folder.path().join("unmounted");
        fs::rename(&path, &elsewhere).unwrap();
        fs::create_dir(&path).unwrap();
        let refused = WorkDir::open_known(&path, &known).unwrap_err();
        assert!(refused.to_string().contains("is it mounted?"), "{refused}");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "nothing was put there");
        WorkDir::open(&path).unwrap();
        assert!(matches!(
            WorkDir::open_known(&path, &known),
            Err(WorkDirError::NotItself { id, .. }) if id == opened.id
        ));
        fs::remove_dir_all(&path).unwrap();
        let anew = WorkDir::open_known(&path, &known).unwrap();
        assert_eq!(
            WorkDir::open_known(&path, &known).unwrap(),
            anew,
            "it was removed, not unmounted"
        );
        fs::remove_dir_all(&path).unwrap();
        fs::rename(&elsewhere, &path).unwrap();
        assert_eq!(WorkDir::open_known(&path, &known).unwrap(), opened);
    }

    #[test]
    fn the_first_content_wins() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        assert_eq!(link_new(folder.path(), &file, b"1").unwrap(), Linked::Now);
        assert_eq!(link_new(folder.path(), &file, b"2").unwrap(), Linked::Before);
        assert_eq!(fs::read(&file).unwrap(), b"1");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
