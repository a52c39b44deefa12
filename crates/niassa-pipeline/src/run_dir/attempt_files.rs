//! The files in an attempt's directory that step runners and launchers share on a cluster.
//!
//! `claim` decides whether the attempt may start, `exit.json` what it came to. Each appears once, whole
//! and durable, by link(2), made by the job or by whoever closes the attempt; neither is ever changed.
//! A link whose answer was lost can say that the file is there although it was ours (NFS retransmits):
//! so the maker of a claim reads it back.

use std::fs;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use niassa_model::accession::Accession;
use niassa_model::job::JobId;
use niassa_model::limits::ClusterWaits;
use niassa_model::resources::Resources;
use niassa_model::step::{AttemptKey, Outcome};
use niassa_model::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::local::Provisioning;

/// What a step runner needs to know; written before the intent to submit.
pub(crate) const JOB: &str = "job.json";
/// The start of an attempt.
pub(crate) const CLAIM: &str = "claim";
/// What an attempt came to.
pub(crate) const EXIT: &str = "exit.json";
/// Changed by the step runner as long as it lives.
pub(crate) const ALIVE: &str = "alive";
/// There when a person cancelled: the runner ends the step.
pub(crate) const STOP: &str = "stop";
/// There when the attempt was given up for lost: a runner that lives on ends the step.
pub(crate) const FENCE: &str = "fence";
/// What a runner has to say that is no result, for people: a line each.
pub(crate) const RUNNER_LOG: &str = "runner.log";
/// Written by a runner that was asked by its scheduler to end: by whom, the scheduler knows.
pub(crate) const TERMINATED: &str = "terminated.json";

/// How many bytes are kept free for `exit.json`; messages are cut so that it fits.
const EXIT_BYTES: usize = 8 * 1024;
/// How much of a message goes into `exit.json`: each of its bytes may need six there.
const MESSAGE_BYTES: usize = 1_000;

/// What a step runner needs to know of its attempt: the plan may be too large to be read by each job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobFile {
    /// The attempt.
    pub(crate) key: AttemptKey,
    /// What it may use; the runner ends it when its time is over.
    pub(crate) resources: Resources,
    /// Its step's processing accession, exported to the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) processing: Option<Accession>,
    /// The id under which logs find its run, exported too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    /// The attempts that must have succeeded before, as paths below the run directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parents: Vec<PathBuf>,
    /// What happens once the command has succeeded.
    #[serde(default)]
    pub(crate) provisioning: Provisioning,
    /// How long to wait for what.
    pub(crate) waits: ClusterWaits,
}

/// Who may start an attempt, or has taken the permission away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClaimFile {
    /// Random: tells a claim from every other.
    pub(crate) by: String,
    /// The job; none where the attempt was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<JobId>,
    /// How often the scheduler had restarted the job.
    #[serde(default)]
    pub(crate) restarts: u32,
    /// What the attempt comes to, where it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closes: Option<Outcome>,
    /// The machine.
    pub(crate) machine: String,
    /// The machine's life: its boot id.
    #[serde(default)]
    pub(crate) boot: String,
    /// The process.
    pub(crate) pid: u32,
    /// When, by the machine's clock.
    pub(crate) at: Timestamp,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExitFile {
    /// The outcome.
    pub(crate) outcome: Outcome,
    /// When the command was started; none where it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<Timestamp>,
    /// When it was over.
    pub(crate) ended_at: Timestamp,
    /// The machine it ran on, or that closed it.
    pub(crate) machine: String,
    /// Processor time used, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_micros: Option<i64>,
    /// Peak memory of its largest process, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peak_memory_bytes: Option<i64>,
    /// What else there is to say, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// That a scheduler asked a runner to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TerminatedFile {
    /// The signal by which it asked.
    pub(crate) signal: i32,
    /// When the command had been started.
    pub(crate) started_at: Timestamp,
    /// When nothing was left of the command.
    pub(crate) ended_at: Timestamp,
    /// Processor time used, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_micros: Option<i64>,
    /// Peak memory of its largest process, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peak_memory_bytes: Option<i64>,
}

/// Takes the claim of an attempt. Returns the one that counts: this one, or whoever was first.
pub(crate) fn take_claim(attempt: &Path, claim: &ClaimFile) -> io::Result<ClaimFile> {
    link_durably(attempt, CLAIM, claim)?;
    read(attempt, CLAIM)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

/// Says what an attempt came to. The first word stays; it is returned.
pub(crate) fn put_exit(attempt: &Path, exit: &ExitFile) -> io::Result<ExitFile> {
    link_durably(attempt, EXIT, exit)?;
    read(attempt, EXIT)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

/// Room for `exit.json` that was taken before the step began, so that a full disk loses no result.
#[derive(Debug)]
pub(crate) struct ReservedExit {
    temporary: PathBuf,
    file: fs::File,
}

impl ReservedExit {
    /// Takes the room, in the attempt's directory.
    pub(crate) fn take(attempt: &Path) -> io::Result<Self> {
        let temporary = temporary(attempt, EXIT);
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        let mut reserved = Self { temporary, file };
        // Blanks behind the content are no fault in JSON, should they be left there.
        reserved.file.write_all(&[b' '; EXIT_BYTES])?;
        reserved.file.sync_all()?;
        Ok(reserved)
    }

    /// Says what the attempt came to, in the room that was taken. The first word stays; it is
    /// returned. It may be tried again.
    pub(crate) fn put(&mut self, attempt: &Path, exit: &ExitFile) -> io::Result<ExitFile> {
        let mut exit = exit.clone();
        exit.message = exit.message.map(|message| shortened(message, MESSAGE_BYTES));
        let text = serde_json::to_vec(&exit)?;
        self.file.rewind()?;
        self.file.write_all(&text)?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_all()?;
        link(&self.temporary, &attempt.join(EXIT))?;
        sync(attempt)?;
        read(attempt, EXIT)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Drop for ReservedExit {
    fn drop(&mut self) {
        // A left-over has a name of its own and is in nobody's way.
        let _leftover = fs::remove_file(&self.temporary);
    }
}

/// Cuts a text to so many bytes, at a character.
fn shortened(mut text: String, bytes: usize) -> String {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}

/// Writes down that a scheduler asked the runner to end.
pub(crate) fn put_terminated(attempt: &Path, terminated: &TerminatedFile) -> io::Result<()> {
    link_durably(attempt, TERMINATED, terminated)
}

/// Reads a file of an attempt; `None` where it is not there.
pub(crate) fn read<T: DeserializeOwned>(attempt: &Path, name: &str) -> io::Result<Option<T>> {
    match fs::read(attempt.join(name)) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells whether a file of an attempt is there, now: opening the folder makes NFS ask its server
/// again instead of remembering that there was none.
pub(crate) fn is_there(attempt: &Path, name: &str) -> io::Result<bool> {
    let _seen_anew: fs::File = fs::File::open(attempt)?;
    attempt.join(name).try_exists()
}

/// Adds a line to a file of the attempt, in one write.
pub(crate) fn append_line(attempt: &Path, name: &str, line: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(attempt.join(name))?;
    file.write_all(format!("{}\n", line.replace('\n', " ")).as_bytes())
}

/// Makes an empty file whose being there says everything, such as `stop`.
pub(crate) fn put_mark(attempt: &Path, name: &str) -> io::Result<()> {
    let made = fs::OpenOptions::new().write(true).create_new(true).open(attempt.join(name));
    match made {
        Ok(file) => file.sync_all().and_then(|()| sync(attempt)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the content beside, syncs it, links it, syncs the folder. A file that is there already is
/// left alone.
fn link_durably(attempt: &Path, name: &str, content: &impl Serialize) -> io::Result<()> {
    let temporary = temporary(attempt, name);
    let text = serde_json::to_vec(content)?;
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| link(&temporary, &attempt.join(name)));
    let removed = fs::remove_file(&temporary);
    written.and(removed)?;
    sync(attempt)
}

fn temporary(attempt: &Path, name: &str) -> PathBuf {
    attempt.join(format!(".{name}-{:016x}", rand::random::<u64>()))
}

/// Links a file to its name; one that is there already is left alone.
fn link(temporary: &Path, place: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, place) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(by: &str) -> ClaimFile {
        ClaimFile {
            by: by.to_owned(),
            job: None,
            restarts: 0,
            closes: None,
            machine: "n1".to_owned(),
            boot: String::new(),
            pid: 1,
            at: Timestamp::from_micros(1),
        }
    }

    #[test]
    fn one_of_many_claims_counts() {
        let folder = tempfile::tempdir().unwrap();
        let winners: Vec<String> = std::thread::scope(|scope| {
            let take = |n: usize| {
                let path = folder.path();
                move || take_claim(path, &claim(&n.to_string())).unwrap().by
            };
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(take(n))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(winners.iter().all(|winner| *winner == winners[0]), "{winners:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_result_goes_where_room_was_taken_and_the_first_stays() {
        use std::os::unix::fs::MetadataExt;

        let folder = tempfile::tempdir().unwrap();
        let exit = |message: &str| ExitFile {
            outcome: Outcome::SUCCESS,
            started_at: None,
            ended_at: Timestamp::from_micros(1),
            machine: "n1".to_owned(),
            cpu_micros: None,
            peak_memory_bytes: None,
            message: Some(message.to_owned()),
        };
        let mut reserved = ReservedExit::take(folder.path()).unwrap();
        let inode = reserved.file.metadata().unwrap().ino();
        assert_eq!(reserved.file.metadata().unwrap().len(), EXIT_BYTES as u64);
        let long = "\u{1}".repeat(100_000);
        let put = reserved.put(folder.path(), &exit(&long)).unwrap();
        let place = fs::metadata(folder.path().join(EXIT)).unwrap();
        assert_eq!(place.ino(), inode, "it needed no new file");
        assert!(place.len() <= EXIT_BYTES as u64, "it fits");
        drop(reserved);
        let mut second = ReservedExit::take(folder.path()).unwrap();
        assert_eq!(second.put(folder.path(), &exit("b")).unwrap(), put);
        drop(second);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(shortened("aé".to_owned(), 2), "a");
        assert_eq!(shortened("aé".to_owned(), 9), "aé");
    }

    #[test]
    fn a_mark_can_be_put_twice() {
        let folder = tempfile::tempdir().unwrap();
        put_mark(folder.path(), STOP).unwrap();
        put_mark(folder.path(), STOP).unwrap();
        assert_eq!(read::<ClaimFile>(folder.path(), CLAIM).unwrap(), None);
    }
}
