//! Marks of ended steps: what wakes an agent on the same machine before its next look at a cluster.
//!
//! A step runner touches one empty file per run, `SW_WORK_DIR/.seqware/ended-<uid>/<swid>-<tag>`, after the
//! result is there. The folder is made by whoever watches it; without it nothing is marked. A mark is a
//! hint and no evidence: it is taken away once it was heard, or after a minute, and one that is lost costs the
//! time until the next look. The kernel tells of changes made on the same machine only, so on a network file
//! system agents hear of the steps that run beside them, and look each second for the others.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::inotify;

/// How old a mark becomes that nobody hears of.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// Somebody who hears of marks.
#[derive(Debug)]
pub(crate) struct EndedMarks {
    folder: PathBuf,
    notify: Option<OwnedFd>,
    swept_at: Option<Instant>,
}

/// Marks that a step of a run has ended. Where that is not possible nothing is lost but time.
pub(crate) fn leave(run_dir: &Path) {
    let (Some(work_dir), Some(name)) = (run_dir.parent(), run_dir.file_name()) else { return };
    let mark = folder(work_dir).join(name);
    // Closing what was open for writing is what is heard of. Nobody may listen: then there is no folder.
    let _unheard = fs::OpenOptions::new().create(true).append(true).open(mark);
}

fn folder(work_dir: &Path) -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    work_dir.join(".seqware").join(format!("ended-{user}"))
}

impl EndedMarks {
    /// Names the marks of a work directory; hears of none yet.
    pub(crate) fn of(work_dir: &Path) -> Self {
        Self { folder: folder(work_dir), notify: None, swept_at: None }
    }

    /// Begins to hear, unless that has begun.
    pub(crate) fn listen(&mut self) {
        if self.notify.is_none() {
            match self.ask_for_notice() {
                Ok(notify) => self.notify = Some(notify),
                Err(error) => {
                    tracing::debug!(folder = %self.folder.display(), %error, "marks are not heard of");
                }
            }
        }
    }

    /// Returns the names of the directories of runs that were marked since the last time.
    pub(crate) fn take(&mut self) -> BTreeSet<String> {
        self.sweep();
        let mut names = BTreeSet::new();
        let Some(notify) = &self.notify else { return names };
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4_096];
        let mut reader = inotify::Reader::new(notify, &mut buffer);
        // The last one says that there is nothing more.
        while let Ok(event) = reader.next() {
            if let Some(name) = event.file_name().and_then(|name| name.to_str().ok()) {
                names.insert(name.to_owned());
            }
        }
        for name in &names {
            // Another agent may have been faster; it was told of the mark as well as we were.
            let _gone = fs::remove_file(self.folder.join(name));
        }
        names
    }

    fn ask_for_notice(&self) -> io::Result<OwnedFd> {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(&self.folder)?;
        let notify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&notify, &self.folder, inotify::WatchFlags::CLOSE_WRITE)?;
        Ok(notify)
    }

    /// Takes marks away that nobody heard of.
    fn sweep(&mut self) {
        if self.swept_at.is_some_and(|at| at.elapsed() < FORGOTTEN_AFTER) {
            return;
        }
        self.swept_at = Some(Instant::now());
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|about| about.modified());
            let age = modified.ok().and_then(|at| at.elapsed().ok());
            if age.is_some_and(|age| age >= FORGOTTEN_AFTER) {
                let _gone = fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(marks: &mut EndedMarks) -> Vec<String> {
        marks.take().into_iter().collect()
    }

    #[test]
    fn marks_are_heard_of_once_by_each_and_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let run = |name: &str| folder.path().join(name);
        leave(&run("7-abcdefghij"));
        let mut marks = EndedMarks::of(folder.path());
        assert!(heard(&mut marks).is_empty() && !marks.folder.exists(), "nobody listens");
        let mut others = EndedMarks::of(folder.path());
        marks.listen();
        others.listen();
        leave(&run("7-abcdefghij"));
        leave(&run("7-abcdefghij"));
        leave(&run("8-abcdefghij"));
        assert_eq!(heard(&mut marks), ["7-abcdefghij", "8-abcdefghij"]);
        assert_eq!(heard(&mut others), ["7-abcdefghij", "8-abcdefghij"]);
        assert!(heard(&mut marks).is_empty());
        assert_eq!(fs::read_dir(&marks.folder).unwrap().count(), 0);
        leave(&run("7-abcdefghij"));
        assert_eq!(heard(&mut marks), ["7-abcdefghij"], "the next end is news again");
    }

    #[test]
    fn what_nobody_heard_of_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut marks = EndedMarks::of(folder.path());
        marks.listen();
        marks.notify = None;
        for (name, age) in [("7-abcdefghij", 61), ("8-abcdefghij", 1)] {
            leave(&folder.path().join(name));
            let file = fs::File::open(marks.folder.join(name)).unwrap();
            let now = file.metadata().unwrap().modified().unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
        }
        assert!(heard(&mut marks).is_empty());
        let left: Vec<_> = fs::read_dir(&marks.folder).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "8-abcdefghij");
    }
}
