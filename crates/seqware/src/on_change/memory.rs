//! What the program of `SW_ON_CHANGE` was told, in files of the work directory.
//!
//! ```text
//! .seqware/on-change/<account and service>/runs/<swid>           until when it was told of a run
//!                                         /told/<sequence>-<tag> an event that was told: first wins
//!                                         /fault                 how the program last failed
//! ```
//!
//! Ticks may overlap: whoever makes an event's file tells it, and nobody else. Files of runs go when
//! the run is over, those of events after a day, when they are too old to be looked at again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use niassa_model::accession::Accession;
use niassa_model::run::RunTag;
use niassa_model::time::Timestamp;

use super::OnChangeError;

/// How long an event's file is kept, in microseconds.
const KEPT_MICROS: i128 = 86_400 * 1_000_000;
/// The longest file name we make of an identity.
const NAME_BYTES: usize = 200;

/// The files of one account at one service.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    folder: PathBuf,
}

impl Memory {
    pub(super) fn of(work_dir: &Path, identity: &str) -> Self {
        Self { folder: work_dir.join(".seqware/on-change").join(file_name(identity)) }
    }

    /// Notes that a run is to be looked at.
    pub(super) fn note(&self, run: Accession) -> Result<(), OnChangeError> {
        create_new(&self.folder.join("runs"), &run.to_string()).map(drop)
    }

    /// Returns the runs to be looked at, and until when their changes were told.
    pub(super) fn open(&self) -> Result<BTreeMap<Accession, Timestamp>, OnChangeError> {
        let folder = self.folder.join("runs");
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            entries => entries.map_err(failed(&folder))?,
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let runs = names.filter_map(|name| {
            let run: Accession = name.parse().ok()?;
            // A file that was just made, or is being written, says nothing yet.
            let text = fs::read_to_string(folder.join(&name)).unwrap_or_default();
            Some((run, Timestamp::from_micros(text.trim().parse().unwrap_or(0))))
        });
        Ok(runs.collect())
    }

    /// Remembers until when the changes of a run were told.
    pub(super) fn told_until(&self, run: Accession, at: Timestamp) -> Result<(), OnChangeError> {
        let path = self.folder.join("runs").join(run.to_string());
        fs::write(&path, at.as_micros().to_string()).map_err(failed(&path))
    }

    /// Looks at a run no more.
    pub(super) fn forget(&self, run: Accession) -> Result<(), OnChangeError> {
        remove(&self.folder.join("runs").join(run.to_string()))
    }

    /// Tells whether an event is told now for the first time; of several who ask, one hears so.
    pub(super) fn is_first(&self, tag: &RunTag, sequence: i64) -> Result<bool, OnChangeError> {
        create_new(&self.folder.join("told"), &format!("{sequence}-{tag}"))
    }

    /// Remembers that the program last ended well.
    pub(super) fn went_well(&self) -> Result<(), OnChangeError> {
        remove(&self.folder.join("fault"))
    }

    /// Remembers how the program last failed.
    pub(super) fn went_wrong(&self, what: &str) -> Result<(), OnChangeError> {
        let path = self.folder.join("fault");
        fs::write(&path, what).map_err(failed(&path))
    }

    /// Returns how the program last failed, unless it did well since.
    pub(super) fn fault(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("fault")).ok().filter(|text| !text.is_empty())
    }

    /// Removes files of events that nobody will ask for again.
    pub(super) fn prune(&self, now: Timestamp) -> Result<(), OnChangeError> {
        let entries = fs::read_dir(self.folder.join("told")).into_iter().flatten().flatten();
        let is_old = |entry: &fs::DirEntry| {
            let modified = entry.metadata().and_then(|about| about.modified()).ok();
            let since = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            since.is_some_and(|since| {
                i128::from(now.as_micros()) - since.as_micros().cast_signed() > KEPT_MICROS
            })
        };
        entries.filter(is_old).try_for_each(|entry| remove(&entry.path()))
    }
}

/// Makes an empty file, and returns whether it is new.
fn create_new(folder: &Path, name: &str) -> Result<bool, OnChangeError> {
    let path = folder.join(name);
    let mut made = File::create_new(&path);
    if made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        made = fs::create_dir_all(folder).and_then(|()| File::create_new(&path));
    }
    match made {
        Ok(_file) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(&path)(error)),
    }
}

fn remove(path: &Path) -> Result<(), OnChangeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> OnChangeError {
    move |source| OnChangeError::Memory { path: path.to_owned(), source }
}

/// Returns a file name for a text; different texts have different names, but for very long ones.
fn file_name(text: &str) -> String {
    let mut name = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'@' | b'-' | b'_' => {
                name.push(char::from(byte));
            }
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    name.truncate(NAME_BYTES);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(swid: i64) -> Accession {
        swid.to_string().parse().unwrap()
    }

    #[test]
    fn a_run_is_looked_at_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::of(folder.path(), "bob@lab.net https://a/");
        assert!(memory.open().unwrap().is_empty());
        memory.note(run(7)).unwrap();
        memory.told_until(run(7), Timestamp::from_micros(9)).unwrap();
        memory.note(run(7)).unwrap();
        assert_eq!(memory.open().unwrap(), [(run(7), Timestamp::from_micros(9))].into());
        assert!(Memory::of(folder.path(), "eve@lab.net https://a/").open().unwrap().is_empty());
        memory.forget(run(7)).unwrap();
        memory.forget(run(7)).unwrap();
        assert!(memory.open().unwrap().is_empty());
    }

    #[test]
    fn of_all_who_ask_for_an_event_one_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::of(folder.path(), "bob");
        let tag: RunTag = "abcdefghij".parse().unwrap();
        let ask = || {
            std::thread::scope(|scope| {
                let one = || memory.is_first(&tag, 3).unwrap();
                let asked: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                asked.into_iter().map(|one| one.join().unwrap()).filter(|first| *first).count()
            })
        };
        assert_eq!(ask(), 1);
        assert_eq!(ask(), 0);
        let made =
            fs::metadata(memory.folder.join("told/3-abcdefghij")).unwrap().modified().unwrap();
        let micros = i64::try_from(made.duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
        memory.prune(Timestamp::from_micros(micros + 86_399_000_000)).unwrap();
        assert_eq!(ask(), 0);
        memory.prune(Timestamp::from_micros(micros + 86_401_000_000)).unwrap();
        assert_eq!(ask(), 1);
    }

    #[test]
    fn a_fault_lasts_until_the_program_does_well() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::of(folder.path(), "bob");
        memory.note(run(1)).unwrap();
        assert_eq!(memory.fault(), None);
        memory.went_wrong("run 1: no mailer").unwrap();
        assert_eq!(memory.fault().as_deref(), Some("run 1: no mailer"));
        memory.went_well().unwrap();
        assert_eq!(memory.fault(), None);
    }

    #[test]
    fn names_of_files_differ_and_climb_nowhere() {
        assert_eq!(file_name("a@b ../c"), "a@b%20%2e%2e%2fc");
        assert_ne!(file_name("a b"), file_name("a%20b"));
    }
}
