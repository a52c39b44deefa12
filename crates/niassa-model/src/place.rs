//! Places: where the evidence of a run lies and who can act on it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The engines a run can be launched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// This machine.
    Local,
    /// A Slurm cluster.
    Slurm,
    /// A Grid Engine cluster.
    Sge,
}

/// A word that names no engine of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineKindError {
    /// Oozie, which the original ran on.
    #[error("engine `oozie` needs a Hadoop cluster and is not supported; use local, slurm or sge")]
    Oozie,
    /// Any other word.
    #[error("`{0}` is not an engine; use local, slurm or sge")]
    Unknown(String),
}

impl EngineKind {
    /// Returns the word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Slurm => "slurm",
            Self::Sge => "sge",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for EngineKind {
    type Err = EngineKindError;

    /// Reads an engine's word, or the one that Niassa's users know it by.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "local" | "whitestar" | "whitestar-parallel" => Ok(Self::Local),
            "slurm" => Ok(Self::Slurm),
            "sge" | "whitestar-sge" | "oozie-sge" => Ok(Self::Sge),
            "oozie" => Err(EngineKindError::Oozie),
            other => Err(EngineKindError::Unknown(other.to_owned())),
        }
    }
}

/// Where a run's evidence lies: one work directory, one OS user, one engine, one cluster.
///
/// A run keeps the place it was first launched at. Whoever serves the same place can take it over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The random word in the work directory's `.niassa-id`: same word, same file system.
    pub work_dir_id: String,
    /// The OS user whose files and jobs they are.
    pub os_user: String,
    /// The engine.
    pub engine: EngineKind,
    /// The cluster's name; for the local engine, host name and machine id.
    pub cluster: String,
}

impl Place {
    /// Returns the one text by which places are stored and compared.
    pub fn key(&self) -> String {
        format!("{}/{}/{}/{}", self.work_dir_id, self.os_user, self.engine, self.cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_original_are_understood() {
        assert_eq!("whitestar-parallel".parse(), Ok(EngineKind::Local));
        assert_eq!("oozie-sge".parse(), Ok(EngineKind::Sge));
        assert_eq!("oozie".parse::<EngineKind>(), Err(EngineKindError::Oozie));
        assert_eq!("Slurm".parse::<EngineKind>(), Err(EngineKindError::Unknown("Slurm".into())));
    }
}
