//! The local engine: this machine runs the steps, under a supervisor that outlives whoever started it.
//!
//! Launchers write orders into an inbox; one detached supervisor per OS user, work directory and
//! host grants, starts and reaps steps, and appends what happened to its journal, which is the
//! truth. Nobody but the supervisor writes the journal, nobody on another host reads its pids.

pub mod archive;
pub mod client;
pub mod guardian;
pub mod inbox;
pub mod journal;
mod retire;
pub mod supervisor;
pub mod watch;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use niassa_model::accession::Accession;
use niassa_model::resources::Resources;
use niassa_model::step::{AttemptKey, Outcome};
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::machine;

/// What can go wrong with the engine's files and processes.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}", path.display())]
pub struct LocalError {
    operation: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Names the operation and the path of a failed call.
pub(crate) fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LocalError {
    let path = path.to_owned();
    move |source| LocalError { operation, path, source }
}

/// The engine's folder in a work directory: one per host, `SW_WORK_DIR/.local/<host>-<machine id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalHome {
    work_dir: PathBuf,
    path: PathBuf,
    cluster: String,
}

/// What a launcher asks of the supervisor. Everything may be asked twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Start an attempt once everything it waits for has succeeded.
    Start(Start),
    /// Never start this attempt; it comes to this outcome unless it was granted before.
    Close {
        /// The attempt.
        key: AttemptKey,
        /// What it then came to.
        outcome: Outcome,
    },
    /// End this attempt, whether it runs or waits.
    Stop {
        /// The attempt.
        key: AttemptKey,
    },
}

/// An attempt to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The attempt.
    pub key: AttemptKey,
    /// Its directory; `command.sh` lies in its parent, the run's `work/` four levels up.
    pub attempt_dir: PathBuf,
    /// What it may use.
    pub resources: Resources,
    /// The attempts that must have succeeded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<AttemptKey>,
    /// Its step's processing accession, exported to the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing: Option<Accession>,
    /// The id under which logs find its run, exported too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// What happens once the command has succeeded.
    #[serde(default)]
    pub provisioning: Provisioning,
    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// What happens once a step's command has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provisioning {
    /// Nothing: it has no outputs.
    #[default]
    Nothing,
    /// Its outputs are checksummed and moved.
    Outputs,
}

impl Order {
    /// Returns the attempt the order is about.
    pub fn key(&self) -> &AttemptKey {
        match self {
            Self::Start(start) => &start.key,
            Self::Close { key, .. } | Self::Stop { key } => key,
        }
    }
}

impl LocalHome {
    /// Opens the engine's folder for this host; makes it the first time.
    pub fn open(work_dir: &Path) -> Result<Self, LocalError> {
        let cluster = machine::host_and_id();
        let path = work_dir.join(".local").join(&cluster);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path.join("inbox"))
            .map_err(failed("make", &path))?;
        Ok(Self { work_dir: work_dir.to_owned(), path, cluster })
    }

    /// Returns the folders of all hosts in a work directory.
    fn all(work_dir: &Path) -> io::Result<Vec<Self>> {
        let entries = match fs::read_dir(work_dir.join(".local")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed?,
        };
        let mut homes = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let cluster = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                homes.push(Self { work_dir: work_dir.to_owned(), path, cluster });
            }
        }
        Ok(homes)
    }

    /// Returns the work directory it belongs to.
    pub fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name under which this host is a place of its own.
    pub fn cluster_name(&self) -> String {
        self.cluster.clone()
    }

    pub(crate) fn inbox(&self) -> PathBuf {
        self.path.join("inbox")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }
}
