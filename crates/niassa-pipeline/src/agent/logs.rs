//! Reading ranges of logs for the service, in the directories of runs that this agent may serve.
//!
//! What is asked is typed: run, step, attempt, stream and range. The file is found here: from the work
//! directory down, no symbolic link is followed, and what is read is a plain file of this OS user in the
//! directory of a run whose place this agent serves. Nothing larger than one range is ever in memory.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use niassa_api::logs::{LogAnswer, LogRange, ReadLog};
use niassa_model::accession::Accession;
use niassa_model::limits::LOG_RANGE_BYTES;
use niassa_model::place::Place;
use niassa_model::run::RunTag;
use niassa_model::step::StepIndex;
use rustix::fs::{Dir, FileType, Mode, OFlags, Stat, fstat, open, openat};
use serde::Deserialize;

use crate::run_dir::{RunDir, STEPS_PER_FOLDER};

/// Most bytes of `run.json` that are read: it holds the values of the run.
const RUN_JSON_BYTES: u64 = 64 * 1024 * 1024;

/// Reads logs of the runs at some places.
#[derive(Debug, Clone)]
pub struct LogReader {
    work_dir: PathBuf,
    places: Vec<Place>,
}

/// Why a log was not read.
#[derive(Debug, thiserror::Error)]
enum LogReadError {
    #[error("this agent does not serve the run's place")]
    NotServed,
    #[error("{0} is the directory of another run")]
    AnotherRun(String),
    #[error("the step has no directory")]
    NoStep,
    #[error("{0} is no plain file or directory of this agent's OS user")]
    NotOurs(String),
    #[error("cannot open {0}: {1}")]
    Open(String, #[source] io::Error),
    #[error("cannot read {0}: {1}")]
    Read(String, #[source] io::Error),
}

/// What `run.json` says of whose directory it is.
#[derive(Deserialize)]
struct Whose {
    swid: Accession,
    tag: RunTag,
    place: Place,
}

impl LogReader {
    /// Reads logs below a work directory, of runs at these places.
    pub(crate) fn new(work_dir: &Path, places: Vec<Place>) -> Self {
        Self { work_dir: work_dir.to_owned(), places }
    }

    /// Returns the keys of the places, one a line, as the service is told them.
    pub(crate) fn serves(&self) -> String {
        let keys: Vec<String> = self.places.iter().map(Place::key).collect();
        keys.join("\n")
    }

    /// Reads what is asked, or says why not.
    pub(crate) fn answer(&self, question: &ReadLog) -> LogAnswer {
        match self.read(question) {
            Ok(range) => LogAnswer::Read(range),
            Err(error) => LogAnswer::Refused(error.to_string()),
        }
    }

    fn read(&self, question: &ReadLog) -> Result<LogRange, LogReadError> {
        if !self.places.iter().any(|place| place.key() == question.place) {
            return Err(LogReadError::NotServed);
        }
        let attempt = self.attempt(question)?;
        let name = question.stream.as_str();
        let file = match open_below(&attempt, name, FileType::RegularFile) {
            Ok(file) => File::from(file),
            // A step that has not begun to write has no file yet.
            Err(LogReadError::Open(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(LogRange { offset: 0, size: 0, bytes: Vec::new() });
            }
            Err(error) => return Err(error),
        };
        range(&file, question).map_err(|error| LogReadError::Read(name.to_owned(), error))
    }

    /// Opens the directory of the attempt, step by step.
    fn attempt(&self, question: &ReadLog) -> Result<OwnedFd, LogReadError> {
        let work_dir = self.work_dir.display().to_string();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(&self.work_dir, flags, Mode::empty());
        let root = root.map_err(|error| LogReadError::Open(work_dir, error.into()))?;
        let name = RunDir::name(question.run, &question.tag);
        let run = open_below(&root, &name, FileType::Directory)?;
        is_of(&run, question).and_then(|is_it| match is_it {
            true => Ok(()),
            false => Err(LogReadError::AnotherRun(name)),
        })?;
        let steps = open_below(&run, "steps", FileType::Directory)?;
        let folder = (question.step.0 / STEPS_PER_FOLDER).to_string();
        let folder = open_below(&steps, &folder, FileType::Directory)?;
        let step = find_step(&folder, question.step)?;
        let step = open_below(&folder, &step, FileType::Directory)?;
        open_below(&step, &format!("attempt-{}", question.attempt), FileType::Directory)
    }
}

/// Tells whether a directory is that of the run, at the place that is meant.
fn is_of(run: &OwnedFd, question: &ReadLog) -> Result<bool, LogReadError> {
    let name = "run.json";
    let failed = |error| LogReadError::Read(name.to_owned(), error);
    let file = File::from(open_below(run, name, FileType::RegularFile)?);
    let mut text = Vec::new();
    file.take(RUN_JSON_BYTES).read_to_end(&mut text).map_err(failed)?;
    let whose: Whose = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    Ok(whose.swid == question.run
        && whose.tag == question.tag
        && whose.place.key() == question.place)
}

/// Opens something of this OS user in a directory; a symbolic link is refused.
fn open_below(folder: &OwnedFd, name: &str, kind: FileType) -> Result<OwnedFd, LogReadError> {
    // A pipe would be waited for without the last of these.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = match openat(folder, name, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(rustix::io::Errno::LOOP) => return Err(LogReadError::NotOurs(name.to_owned())),
        Err(error) => return Err(LogReadError::Open(name.to_owned(), error.into())),
    };
    let about = fstat(&opened).map_err(|e| LogReadError::Open(name.to_owned(), e.into()))?;
    if is_ours(&about, kind) { Ok(opened) } else { Err(LogReadError::NotOurs(name.to_owned())) }
}

fn is_ours(about: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(about.st_mode) == kind
        && about.st_uid == rustix::process::geteuid().as_raw()
}

/// Finds the directory of a step among its neighbours by its index.
fn find_step(folder: &OwnedFd, step: StepIndex) -> Result<String, LogReadError> {
    let failed = |error: rustix::io::Errno| LogReadError::Read("steps".to_owned(), error.into());
    let begins = format!("{step}-");
    for entry in Dir::read_from(folder.as_fd()).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_bytes().to_vec();
        if let Ok(name) = OsString::from_vec(name).into_string()
            && name.starts_with(&begins)
        {
            return Ok(name);
        }
    }
    Err(LogReadError::NoStep)
}

fn range(file: &File, question: &ReadLog) -> io::Result<LogRange> {
    let size = file.metadata()?.len();
    let length = u64::from(question.length.min(LOG_RANGE_BYTES));
    let offset = question.offset.unwrap_or(size.saturating_sub(length)).min(size);
    let length = usize::try_from(length.min(size - offset)).unwrap_or(0);
    let mut bytes = vec![0; length];
    let mut read = 0;
    while read < length {
        match file.read_at(&mut bytes[read..], offset + read as u64)? {
            0 => break,
            some => read += some,
        }
    }
    bytes.truncate(read);
    Ok(LogRange { offset, size, bytes })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use niassa_api::logs::LogStream;
    use niassa_model::place::EngineKind;
    use niassa_model::step::AttemptNumber;
    use uuid::Uuid;

    use super::*;

    struct Site {
        folder: tempfile::TempDir,
        reader: LogReader,
        question: ReadLog,
    }

    impl Site {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let place = Place {
                work_dir_id: "w".to_owned(),
                os_user: "bob".to_owned(),
                engine: EngineKind::Local,
                cluster: "c".to_owned(),
            };
            let question = ReadLog {
                id: Uuid::nil(),
                run: 7.try_into().unwrap(),
                tag: "abcdefghij".parse().unwrap(),
                place: place.key(),
                step: StepIndex(1_001),
                attempt: AttemptNumber(2),
                stream: LogStream::Stdout,
                offset: Some(0),
                length: LOG_RANGE_BYTES,
            };
            let site = Self {
                reader: LogReader::new(folder.path(), vec![place.clone()]),
                folder,
                question,
            };
            fs::create_dir_all(site.attempt()).unwrap();
            let run =
                serde_json::json!({"swid": 7, "tag": "abcdefghij", "place": place, "more": 1});
            fs::write(site.run().join("run.json"), run.to_string()).unwrap();
            site
        }

        fn run(&self) -> PathBuf {
            self.folder.path().join("7-abcdefghij")
        }

        fn attempt(&self) -> PathBuf {
            self.run().join("steps/1/1001-align/attempt-2")
        }

        fn read(&self, change: impl FnOnce(&mut ReadLog)) -> LogAnswer {
            let mut question = self.question.clone();
            change(&mut question);
            self.reader.answer(&question)
        }

        fn refused(&self, change: impl FnOnce(&mut ReadLog)) -> String {
            match self.read(change) {
                LogAnswer::Refused(why) => why,
                LogAnswer::Read(range) => panic!("{range:?}"),
            }
        }
    }

    fn read(offset: u64, size: u64, bytes: &[u8]) -> LogAnswer {
        LogAnswer::Read(LogRange { offset, size, bytes: bytes.to_vec() })
    }

    #[test]
    fn ranges_are_read_and_nothing_more_than_there_is() {
        let site = Site::new();
        assert_eq!(site.read(|_| {}), read(0, 0, b""), "it wrote nothing yet");
        fs::write(site.attempt().join("stdout"), b"0123456789").unwrap();
        assert_eq!(site.read(|_| {}), read(0, 10, b"0123456789"));
        let part = |offset, length| {
            site.read(|question| (question.offset, question.length) = (offset, length))
        };
        assert_eq!(part(Some(8), 5), read(8, 10, b"89"));
        assert_eq!(part(Some(99), 5), read(10, 10, b""));
        assert_eq!(part(None, 3), read(7, 10, b"789"));
        assert_eq!(part(Some(u64::MAX), u32::MAX), read(10, 10, b""));
        let large = vec![b'x'; LOG_RANGE_BYTES as usize + 1];
        fs::write(site.attempt().join("stdout"), &large).unwrap();
        let LogAnswer::Read(range) = part(Some(0), u32::MAX) else { panic!("refused") };
        assert_eq!(range.bytes.len(), LOG_RANGE_BYTES as usize);
    }

    #[test]
    fn nothing_but_files_of_served_runs_is_read() {
        let site = Site::new();
        let stdout = site.attempt().join("stdout");
        assert!(site.refused(|q| q.place = "other".to_owned()).contains("does not serve"));
        assert!(site.refused(|q| q.tag = "bbbbbbbbbb".parse().unwrap()).contains("cannot open"));
        assert!(site.refused(|q| q.step = StepIndex(1_002)).contains("has no directory"));
        assert!(site.refused(|q| q.attempt = AttemptNumber(3)).contains("attempt-3"));
        let secret = site.folder.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        symlink(&secret, &stdout).unwrap();
        assert!(site.refused(|_| {}).contains("no plain file"));
        fs::remove_file(&stdout).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &stdout, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
        assert!(site.refused(|_| {}).contains("no plain file"));
        // Nor through a link further up.
        let elsewhere = site.folder.path().join("elsewhere");
        fs::rename(site.run().join("steps"), &elsewhere).unwrap();
        symlink(&elsewhere, site.run().join("steps")).unwrap();
        assert!(site.refused(|_| {}).contains("no plain file"));
    }

    #[test]
    fn the_directory_of_another_run_is_told_apart() {
        let site = Site::new();
        let text = fs::read_to_string(site.run().join("run.json")).unwrap();
        for (was, is) in [("\"swid\":7", "\"swid\":8"), ("\"bob\"", "\"eve\"")] {
            fs::write(site.run().join("run.json"), text.replace(was, is)).unwrap();
            assert!(site.refused(|_| {}).contains("another run"), "{is}");
        }
    }
}
