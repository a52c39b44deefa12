//! How jobs ended, by what Grid Engine's accounting records of them.
//!
//! A job has a record for each time it was run; the last one counts.

use std::collections::{BTreeMap, HashSet};

use niassa_model::job::{EndedJob, JobEnd, JobId, JobName};

/// What one record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The job's number.
    pub(super) number: String,
    /// The element's number, for one of an array.
    pub(super) element: Option<u32>,
    /// The job's name.
    pub(super) name: String,
    /// Grid Engine's own verdict.
    pub(super) failed: u32,
    /// The script's exit status, with 128 and the signal's number for a signal.
    pub(super) exit_status: i32,
    /// What was asked for, such as `-l h_rt=3660`.
    pub(super) asked: String,
    /// Seconds from the start to the end.
    pub(super) seconds: u64,
}

impl Record {
    /// Reads a line of the accounting file; none where it is something else.
    pub(super) fn from_line(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let field = |place: usize| fields.get(place).copied();
        let time = |place: usize| field(place)?.parse::<u64>().ok();
        let element = field(35)?.parse::<u32>().ok()?;
        Some(Self {
            number: field(5).filter(|number| is_number(number))?.to_owned(),
            element: Some(element).filter(|element| *element > 0),
            name: field(4)?.to_owned(),
            failed: field(11)?.parse().ok()?,
            exit_status: field(12)?.parse().ok()?,
            asked: field(39)?.to_owned(),
            seconds: time(10)?.saturating_sub(time(9)?),
        })
    }

    /// Returns the job's number, with that of the element.
    pub(super) fn id(&self) -> JobId {
        match self.element {
            Some(element) => JobId(format!("{}.{element}", self.number)),
            None => JobId(self.number.clone()),
        }
    }

    /// Returns how the job ended; none where it did not, because it is to be run again.
    ///
    /// The numbers of `failed` are those of `sge_status(5)`.
    pub(super) fn end(&self) -> Option<JobEnd> {
        Some(match self.failed {
            24 | 25 => return None,
            0 | 12..=16 | 30 => exited(self.exit_status),
            1..=11 | 26..=29 | 31..=36 | 38 => JobEnd::CouldNotStart,
            37 => self.limit(),
            17 | 100 => signalled(self.exit_status),
            // The daemon of the node lost it, perhaps after it had run.
            _ => JobEnd::Unknown,
        })
    }

    /// Returns which limit was enforced. One code stands for all; only a limit of memory that was
    /// asked for, with time left, tells itself apart.
    fn limit(&self) -> JobEnd {
        let has_time_left = self.asked_seconds().is_none_or(|limit| self.seconds < limit);
        match self.asked.contains("h_vmem=") && has_time_left {
            true => JobEnd::OutOfMemory,
            false => JobEnd::TimeLimit,
        }
    }

    fn asked_seconds(&self) -> Option<u64> {
        let (_, rest) = self.asked.split_once("h_rt=")?;
        rest.split([',', ' ']).next()?.parse().ok()
    }
}

fn exited(status: i32) -> JobEnd {
    if status == 0 { JobEnd::Completed } else { JobEnd::Exited(status) }
}

fn signalled(status: i32) -> JobEnd {
    match status {
        129..=255 => JobEnd::Signalled(status - 128),
        _ => JobEnd::Unknown,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The jobs asked about, and what was found of them.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// Those asked about, as they were named; a whole array stands for its elements.
    jobs: HashSet<&'a str>,
    /// Jobs asked about of which nothing was found.
    missing: HashSet<&'a str>,
    found: BTreeMap<(JobId, JobName), Option<JobEnd>>,
}

impl<'a> Wanted<'a> {
    /// Asks about jobs.
    pub(super) fn new(jobs: &'a [JobId]) -> Self {
        let jobs: HashSet<&str> = jobs.iter().map(|job| job.0.as_str()).collect();
        Self { missing: jobs.clone(), jobs, found: BTreeMap::new() }
    }

    /// Tells whether nothing is left to look for.
    pub(super) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Takes a record that is older than all before.
    pub(super) fn take_earlier(&mut self, record: &Record) {
        if let Some(id) = self.asked(record) {
            self.found.entry(id).or_insert_with(|| record.end());
        }
    }

    /// Takes a record that is newer than all before.
    pub(super) fn take_later(&mut self, record: &Record) {
        if let Some(id) = self.asked(record) {
            self.found.insert(id, record.end());
        }
    }

    /// Returns the ends of the jobs that are over.
    pub(super) fn into_ends(self) -> Vec<EndedJob> {
        let ended = |((id, name), end): (_, Option<_>)| Some(EndedJob { id, name, end: end? });
        self.found.into_iter().filter_map(ended).collect()
    }

    /// Returns the job of a record that is asked for. Numbers are dealt out again after a while: a job
    /// that has no name of ours is another.
    fn asked(&mut self, record: &Record) -> Option<(JobId, JobName)> {
        let id = record.id();
        if !self.jobs.contains(id.0.as_str()) && !self.jobs.contains(record.number.as_str()) {
            return None;
        }
        let name = record.name.parse::<JobName>().ok()?;
        self.missing.remove(id.0.as_str());
        Some((id, name))
    }
}

#[cfg(test)]
mod tests;
