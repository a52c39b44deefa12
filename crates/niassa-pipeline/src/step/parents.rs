//! Whether the attempts before this one have succeeded, as far as this node can see it.
//!
//! A scheduler's own dependencies only save slots. A result on NFS can be seen later than the job that
//! follows it is started, so it is looked for again; a result other than success never changes.

use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use niassa_model::step::StepStatus;

use super::watch::Event;
use crate::run_dir::attempt_files::{EXIT, ExitFile, is_there, read};

/// The pauses between looks grow up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why the wait for the attempts before ended without their success.
#[derive(Debug, thiserror::Error)]
pub enum ParentsError {
    /// One came to something else.
    #[error("{} came to {status}", .parent.display())]
    CameTo {
        /// The attempt before.
        parent: PathBuf,
        /// What it came to.
        status: StepStatus,
    },
    /// One has no result that can be seen here.
    #[error("{} has no result", .0.display())]
    NoResult(PathBuf),
    /// It is no path below the run directory.
    #[error("{} is not an attempt of this run", .0.display())]
    NotOfThisRun(PathBuf),
    /// The scheduler asked the runner to end.
    #[error("the scheduler asked for its end by signal {0}")]
    Asked(i32),
}

/// Waits until all of them have succeeded, for at most so long.
pub(super) fn wait(
    run: &Path,
    parents: &[PathBuf],
    patience: Duration,
    events: &Receiver<Event>,
) -> Result<(), ParentsError> {
    let is_below = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(stranger) = parents.iter().find(|path| !is_below(path)) {
        return Err(ParentsError::NotOfThisRun(stranger.clone()));
    }
    let begun = Instant::now();
    let mut left: Vec<&PathBuf> = parents.iter().collect();
    let mut pause = Duration::from_millis(50);
    loop {
        left = without_success(run, left)?;
        let Some(missing) = left.first() else { return Ok(()) };
        if begun.elapsed() >= patience {
            return Err(ParentsError::NoResult((*missing).clone()));
        }
        match events.recv_timeout(pause) {
            Ok(Event::Signal(signal)) => return Err(ParentsError::Asked(signal)),
            Ok(Event::Stop | Event::Fence | Event::Ended(_)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Returns those that have no result yet. What cannot be read is looked at again, as if it were not
/// there yet.
fn without_success<'a>(
    run: &Path,
    parents: Vec<&'a PathBuf>,
) -> Result<Vec<&'a PathBuf>, ParentsError> {
    let mut left = Vec::new();
    for parent in parents {
        let attempt = run.join(parent);
        let exit = match is_there(&attempt, EXIT) {
            Ok(true) => read::<ExitFile>(&attempt, EXIT).ok().flatten(),
            Ok(false) | Err(_) => None,
        };
        match exit.map(|exit| exit.outcome.status) {
            Some(StepStatus::Success) => {}
            Some(status) => return Err(ParentsError::CameTo { parent: parent.clone(), status }),
            None => left.push(parent),
        }
    }
    Ok(left)
}
