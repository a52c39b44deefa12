//! What can be wrong with settings.

use std::io;
use std::path::PathBuf;

use super::{Key, Origin};

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("cannot read the settings in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file named by `SEQWARE_SETTINGS` does not exist.
    #[error("SEQWARE_SETTINGS names {}, which does not exist", .0.display())]
    NotThere(PathBuf),
    /// A file is not Java properties.
    #[error("{}{} is not `NAME=value`: {why}", path.display(), at(*line))]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, where known.
        line: Option<usize>,
        /// What is odd.
        why: String,
    },
    /// A file with a secret can be read or changed by others.
    #[error("{} holds a secret and is open to others (mode {mode:o})", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file with a secret belongs to somebody else.
    #[error("{} holds a secret and belongs to another user (uid {owner})", path.display())]
    NotYours {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The site's file holds a secret.
    #[error("{} is for everybody and holds the secret {name}", path.display())]
    SecretForAll {
        /// The file.
        path: PathBuf,
        /// The secret's name.
        name: String,
    },
    /// A needed setting has no value.
    #[error("{} is not set", .0.name())]
    Missing(Key),
    /// A value cannot be used.
    #[error("{}=`{value}` ({origin}): {why}", key.name())]
    Wrong {
        /// The setting.
        key: Key,
        /// Its value.
        value: String,
        /// Where it is from.
        origin: Origin,
        /// What is wrong with it.
        why: String,
    },
}

impl SettingsError {
    /// Returns what to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::OpenToOthers { path, .. } => format!("chmod 600 '{}'", path.display()),
            Self::NotYours { .. } => "make a file of your own: seqware init".to_owned(),
            Self::SecretForAll { name, .. } => {
                format!("move {name} into ~/.seqware/settings and chmod 600 that file")
            }
            Self::Missing(key) => format!("seqware init, or export {}=...", key.name()),
            Self::NotThere(_) => "seqware init".to_owned(),
            Self::Read { .. } | Self::Parse { .. } | Self::Wrong { .. } => {
                "seqware check --settings".to_owned()
            }
        }
    }
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}
