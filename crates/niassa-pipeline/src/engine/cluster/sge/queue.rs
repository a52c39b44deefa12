//! What `qstat -xml -r` and `qconf` say, as jobs.
//!
//! An answer that is cut off, or has a job of ours that is not understood, is an error as a whole: a
//! job that is missing from it would look as if it were gone. Jobs that are not ours are passed over.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use niassa_model::job::{JobId, JobName, JobState, SeenJob};
use niassa_model::time::Timestamp;
use roxmltree::{Document, Node};

use crate::engine::cluster::SchedulerError;

/// Jobs and elements in one answer; more are taken for garbage.
const JOBS: usize = 1_000_000;
/// Bytes of a cluster's name.
const NAME_BYTES: usize = 200;

/// Jobs in one answer, before it is known which of them are held by somebody.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen(Vec<(SeenJob, Doubt)>);

/// Whether the state of a job is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// It is.
    None,
    /// It waits for other jobs, and may be held as well.
    MayBeHeld,
}

impl Seen {
    /// Tells whether any job may be held or only wait.
    pub(super) fn has_doubtful(&self) -> bool {
        self.0.iter().any(|(_, doubt)| *doubt == Doubt::MayBeHeld)
    }

    /// Returns the jobs; doubtful ones are held if they are in the list of held ones.
    pub(super) fn settle(self, held: &HashSet<JobId>) -> Vec<SeenJob> {
        let settled = |(mut job, doubt): (SeenJob, Doubt)| {
            if doubt == Doubt::MayBeHeld {
                job.state = match held.contains(&job.id) {
                    true => JobState::Held,
                    false => JobState::Waiting,
                };
            }
            job
        };
        self.0.into_iter().map(settled).collect()
    }
}

/// Reads an answer, with times in UTC.
pub(super) fn read(text: &str, now: Timestamp) -> Result<Seen, SchedulerError> {
    let mut seen = Vec::new();
    each_job(text, |node| {
        let Some(name) = name(node) else { return Ok(()) };
        let Some((state, doubt)) = state(node, now)? else { return Ok(()) };
        let node_name = child(node, "queue_name").and_then(|queue| Some(queue.split_once('@')?.1));
        for (id, element) in ids(node)? {
            if seen.len() == JOBS {
                return Err(not_understood(format!("it has more than {JOBS} jobs")));
            }
            let words = words(node, &state, &id);
            let job = SeenJob {
                id,
                name: name.clone(),
                element,
                state: state.clone(),
                words,
                node: node_name.filter(|node| !node.is_empty()).map(str::to_owned),
            };
            seen.push((job, doubt));
        }
        Ok(())
    })?;
    Ok(Seen(seen))
}

/// Reads the numbers of all jobs in an answer.
pub(super) fn read_ids(text: &str) -> Result<HashSet<JobId>, SchedulerError> {
    let mut all = HashSet::new();
    each_job(text, |node| {
        for (id, _) in ids(node)? {
            if all.len() == JOBS {
                return Err(not_understood(format!("it has more than {JOBS} jobs")));
            }
            all.insert(id);
        }
        Ok(())
    })?;
    Ok(all)
}

/// Returns the value of a line `name value` as `qconf` prints it.
pub(super) fn setting<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(char::is_whitespace)?;
        (key == name).then(|| value.trim())
    })
}

/// Makes a cluster's name of the host that `qconf -sss` prints and the cell. It becomes a part of
/// paths: other characters become `_`.
pub(super) fn cluster_name(said: &str, cell: &str) -> Result<String, SchedulerError> {
    let host = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if host.is_empty() || host.contains(char::is_whitespace) || host.len() > NAME_BYTES {
        let what = "the qmaster's host is missing".to_owned();
        return Err(SchedulerError::NotUnderstood { program: "qconf", what });
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
    Ok(format!("{host}.{cell}").chars().map(plain).take(2 * NAME_BYTES).collect())
}

fn each_job(
    text: &str,
    mut take: impl FnMut(Node<'_, '_>) -> Result<(), SchedulerError>,
) -> Result<(), SchedulerError> {
    let document = Document::parse(text).map_err(|error| not_understood(error.to_string()))?;
    let root = document.root_element();
    let parts: Vec<Node<'_, '_>> = root.children().filter(Node::is_element).collect();
    let has = |name: &str| parts.iter().any(|part| part.has_tag_name(name));
    if !(root.has_tag_name("job_info") && has("queue_info") && has("job_info")) {
        return Err(not_understood("it has no lists of jobs".to_owned()));
    }
    let lists = parts.into_iter().flat_map(|part| part.children());
    lists.filter(|node| node.has_tag_name("job_list")).try_for_each(&mut take)
}

fn child<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let child = node.children().find(|child| child.has_tag_name(name))?;
    Some(child.text().unwrap_or_default().trim())
}

fn name(node: Node<'_, '_>) -> Option<JobName> {
    child(node, "full_job_name").or_else(|| child(node, "JB_name"))?.parse().ok()
}

/// Reads a state's letters; none for a job that is over.
fn state(node: Node<'_, '_>, now: Timestamp) -> Result<Option<(JobState, Doubt)>, SchedulerError> {
    let letters = child(node, "state").unwrap_or_default();
    let has = |any: &str| letters.contains(|letter| any.contains(letter));
    let certain = |state| Ok(Some((state, Doubt::None)));
    if letters.is_empty() || letters.contains(|c: char| !c.is_ascii_alphabetic()) {
        return Err(not_understood(format!("a job's state is `{letters}`")));
    }
    if has("z") {
        return Ok(None);
    }
    if has("E") {
        return certain(JobState::Stuck);
    }
    if has("sSTP") {
        return certain(JobState::Suspended);
    }
    if has("rt") {
        return certain(JobState::Running(running_for(node, now)));
    }
    if !letters.contains("qw") {
        return Err(not_understood(format!("a job's state is `{letters}`")));
    }
    if !has("h") {
        return certain(JobState::Waiting);
    }
    let waits = node.children().any(|child| {
        child.has_tag_name("predecessor_jobs") || child.has_tag_name("ad_predecessor_jobs")
    });
    Ok(Some(match waits {
        true => (JobState::Waiting, Doubt::MayBeHeld),
        false => (JobState::Held, Doubt::None),
    }))
}

/// Returns for how long a job has run; nothing where that cannot be told.
fn running_for(node: Node<'_, '_>, now: Timestamp) -> Duration {
    let started = child(node, "JAT_start_time")
        .and_then(|text| text.parse::<jiff::civil::DateTime>().ok())
        .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map(|time| Timestamp::from_micros(time.timestamp().as_microsecond()));
    let micros = started.map_or(0, |started| now.micros_since(started));
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn words(node: Node<'_, '_>, state: &JobState, id: &JobId) -> String {
    let letters = child(node, "state").unwrap_or_default();
    match state {
        JobState::Stuck => format!("{letters}; `qstat -j {}` tells why", id.whole()),
        _ => letters.to_owned(),
    }
}

/// Returns the job's number, or those of the elements that an entry stands for.
fn ids(node: Node<'_, '_>) -> Result<Vec<(JobId, Option<u32>)>, SchedulerError> {
    let number = child(node, "JB_job_number").unwrap_or_default();
    if number.is_empty() || number.len() > 10 || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(not_understood(format!("a job's number is `{number}`")));
    }
    let Some(tasks) = child(node, "tasks") else {
        return Ok(vec![(JobId(number.to_owned()), None)]);
    };
    let elements =
        elements(tasks).ok_or_else(|| not_understood(format!("the elements are `{tasks}`")))?;
    let id = |element: u32| (JobId(format!("{number}.{element}")), Some(element));
    Ok(elements.into_iter().map(id).collect())
}

/// Reads `4`, `2,5-7:1` or `1-9:2`.
fn elements(text: &str) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (range, step) = element_range(part.trim())?;
        let count = (range.end() - range.start()) / step;
        if all.len() + count as usize >= JOBS {
            return None;
        }
        all.extend(range.step_by(step as usize));
    }
    Some(all)
}

fn element_range(text: &str) -> Option<(RangeInclusive<u32>, u32)> {
    let (range, step) = text.split_once(':').unwrap_or((text, "1"));
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let (from, to, step) = (from.parse().ok()?, to.parse().ok()?, step.parse().ok()?);
    (1 <= from && from <= to && 1 <= step).then_some((from..=to, step))
}

fn not_understood(what: String) -> SchedulerError {
    SchedulerError::NotUnderstood { program: "qstat", what }
}

#[cfg(test)]
mod tests;
