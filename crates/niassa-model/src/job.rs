//! Jobs: what a cluster's scheduler holds, in words that are the same for every scheduler.
//!
//! A job is known by its name, never by its number alone: numbers are dealt out again after a
//! scheduler lost its memory. One attempt can have several jobs; the claim file picks one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::accession::Accession;
use crate::run::RunTag;
use crate::step::AttemptKey;

/// A scheduler's number of a job: `17`; of an element of a job array `17_4` (Slurm) or `17.4` (Grid
/// Engine).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

impl JobId {
    /// Returns the number without that of an array's element.
    pub fn whole(&self) -> &str {
        self.0.split(['_', '.']).next().unwrap_or(&self.0)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Names a job array of a run: `nia-<swid>-<tag>-e<epoch>-l<number>`.
///
/// Its elements, numbered from 1, stand in a list in the run directory, one attempt per line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListKey {
    /// The run's accession.
    pub run: Accession,
    /// The run's random tag.
    pub tag: RunTag,
    /// The epoch of the claim under which it was made.
    pub epoch: i64,
    /// Its number among the lists of that claim.
    pub number: u32,
}

impl fmt::Display for ListKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "nia-{}-{}-e{}-l{}", self.run, self.tag, self.epoch, self.number)
    }
}

/// What a job of ours is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum JobName {
    /// One attempt.
    Attempt(AttemptKey),
    /// An array over a list of attempts.
    List(ListKey),
}

/// Text that is not the name of a job of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a job of a run")]
pub struct JobNameError(String);

impl JobName {
    /// Returns the run it belongs to.
    pub fn run(&self) -> (Accession, &RunTag) {
        match self {
            Self::Attempt(key) => (key.run, &key.tag),
            Self::List(key) => (key.run, &key.tag),
        }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(key) => key.fmt(formatter),
            Self::List(key) => key.fmt(formatter),
        }
    }
}

impl FromStr for JobName {
    type Err = JobNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(key) = text.parse() {
            return Ok(Self::Attempt(key));
        }
        parse_list(text).map(Self::List).ok_or_else(|| JobNameError(text.to_owned()))
    }
}

fn parse_list(text: &str) -> Option<ListKey> {
    let mut parts = text.strip_prefix("nia-")?.split('-');
    let key = ListKey {
        run: parts.next()?.parse().ok()?,
        tag: parts.next()?.parse().ok()?,
        epoch: parts.next()?.strip_prefix('e')?.parse().ok()?,
        number: parts.next()?.strip_prefix('l')?.parse().ok()?,
    };
    (parts.next().is_none() && key.to_string() == text).then_some(key)
}

impl TryFrom<String> for ListKey {
    type Error = JobNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse_list(&text).ok_or(JobNameError(text))
    }
}

impl From<ListKey> for String {
    fn from(key: ListKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for JobName {
    type Error = JobNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<JobName> for String {
    fn from(name: JobName) -> Self {
        name.to_string()
    }
}

/// A job as its scheduler shows it in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenJob {
    /// Its number, with that of the element for one element of an array.
    pub id: JobId,
    /// Its name.
    pub name: JobName,
    /// The element's number in its list, from 1; none for a job that is no array.
    pub element: Option<u32>,
    /// Where it stands.
    pub state: JobState,
    /// The scheduler's own words: its state and reason, for people.
    pub words: String,
    /// Where it runs, once it does.
    pub node: Option<String>,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It waits and is held, by us or by somebody.
    Held,
    /// It waits for its turn, or for jobs before it.
    Waiting,
    /// It waits for jobs that will never end with success: it will never run.
    NeverSatisfied,
    /// It cannot start, and the scheduler keeps it so (Grid Engine's error state).
    Stuck,
    /// It has run for so long, by the scheduler's own count.
    Running(Duration),
    /// It was begun and is suspended.
    Suspended,
    /// It is over, and the scheduler still shows it.
    Ended(JobEnd),
}

impl JobState {
    /// Tells whether the job can still do something.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

/// A job that is over, as the accounting tells it.
///
/// It is known by its name as well: its number may have been dealt out before, or after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedJob {
    /// Its number.
    pub id: JobId,
    /// Its name.
    pub name: JobName,
    /// How it ended.
    pub end: JobEnd,
}

/// How a job ended, as the scheduler or its accounting says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEnd {
    /// Its script exited with 0.
    Completed,
    /// Its script exited with another code.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// It ran for longer than it asked for.
    TimeLimit,
    /// It used more memory than it asked for.
    OutOfMemory,
    /// Its node failed.
    NodeFailure,
    /// The scheduler gave its place to another.
    Preempted,
    /// Somebody cancelled it.
    Cancelled,
    /// It was cancelled because a job before it did not succeed.
    NeverSatisfied,
    /// The scheduler could not start its script.
    CouldNotStart,
    /// It is over; how is not told.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_have_one_spelling() {
        for text in ["nia-7-abcdefghij-s0-a1", "nia-7-abcdefghij-e3-l0", "nia-7-abcdefghij-e12-l9"]
        {
            assert_eq!(text.parse::<JobName>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
        for text in ["nia-7-abcdefghij", "nia-7-abcdefghij-e03-l0", "nia-7-abcdefghij-e3-l0-", "x"]
        {
            assert!(text.parse::<JobName>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_elements_id_names_its_array() {
        for (id, whole) in [("17", "17"), ("17_4", "17"), ("17.4", "17")] {
            assert_eq!(JobId(id.to_owned()).whole(), whole);
        }
    }
}
