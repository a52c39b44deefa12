//! Accessions: the one public numbering (Niassa's SWID) shared by all objects of the MetaDB.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A SWID: positive, dealt out by one sequence, never reused within one MetaDB.
///
/// A MetaDB restored from a backup deals numbers out again; where that matters a run's
/// [`RunTag`](crate::run::RunTag) stands beside its accession.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Accession(i64);

/// Text or a number that cannot be an accession.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an accession: a whole number from 1 is needed")]
pub struct AccessionError(String);

impl Accession {
    /// Returns the number as it is stored and printed.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Accession {
    type Error = AccessionError;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        if number > 0 { Ok(Self(number)) } else { Err(AccessionError(number.to_string())) }
    }
}

impl From<Accession> for i64 {
    fn from(accession: Accession) -> Self {
        accession.0
    }
}

impl fmt::Display for Accession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for Accession {
    type Err = AccessionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim().parse::<i64>().map_err(|_| AccessionError(text.to_owned()))?;
        Self::try_from(number)
    }
}

/// What an accession names. The MetaDB's registry maps each accession to one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A study: the root of metadata and the unit of sharing.
    Study,
    /// An experiment within a study.
    Experiment,
    /// A sample of an experiment, or of another sample.
    Sample,
    /// A run of a sequencing instrument.
    SequencerRun,
    /// A lane of a sequencer run.
    Lane,
    /// An indivisible unit of sequencing.
    Ius,
    /// An installed workflow: one name and version.
    Workflow,
    /// One execution of a workflow.
    WorkflowRun,
    /// The record of one step of a run; a node of the provenance graph.
    Processing,
    /// A file with its place, type and checksums.
    File,
}

impl ObjectKind {
    /// Every kind, in the order of the hierarchy.
    pub const ALL: [Self; 10] = [
        Self::Study,
        Self::Experiment,
        Self::Sample,
        Self::SequencerRun,
        Self::Lane,
        Self::Ius,
        Self::Workflow,
        Self::WorkflowRun,
        Self::Processing,
        Self::File,
    ];

    /// Returns the word used in the MetaDB and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Study => "study",
            Self::Experiment => "experiment",
            Self::Sample => "sample",
            Self::SequencerRun => "sequencer_run",
            Self::Lane => "lane",
            Self::Ius => "ius",
            Self::Workflow => "workflow",
            Self::WorkflowRun => "workflow_run",
            Self::Processing => "processing",
            Self::File => "file",
        }
    }

    /// Tells whether an object of this kind may be the parent of a workflow run: any but a workflow.
    pub fn can_be_parent(self) -> bool {
        self != Self::Workflow
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for ObjectKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a kind of object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_numbers_are_accessions() {
        assert_eq!("17".parse::<Accession>().map(Accession::get), Ok(17));
        for text in ["0", "-1", "", "1.5", "SWID1", "99999999999999999999"] {
            assert!(text.parse::<Accession>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_kind_reads_back_from_its_word() {
        for kind in ObjectKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }
}
