//! What `qsub` is told, and what its answer means.
//!
//! Options stand on the command line only: the prefix of directives is one that no script has. Site
//! defaults (`sge_request`) stay in force, because sites keep projects and memory in them; what would
//! change how a job runs here is said explicitly instead.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use niassa_model::job::JobId;
use niassa_model::resources::Resources;
use niassa_model::time::Timestamp;

use super::release_cancel::is_id;
use crate::engine::cluster::command::Answer;
use crate::engine::cluster::{ClusterSettings, Hold, JobRequest, SchedulerError, SubmitError};

/// Lines of a script that begin so would be options; none does.
const NO_DIRECTIVES: &str = "#niassa-gives-no-options-here";
/// Seconds over a step's own limit after which Grid Engine ends the job: the step runner, which tells
/// more, comes first.
const GRACE_SECONDS: u64 = 60;
/// What overrides the defaults of a site or user that would change what a job of ours is: not waited
/// for, not run at once or never, a script rather than a command, never started twice.
const FIXED: [&str; 14] =
    ["-terse", "-sync", "n", "-now", "n", "-b", "n", "-r", "n", "-j", "y", "-S", "/bin/bash", "-C"];

/// What `qsub` says when the queue takes no more jobs now.
const FULL: [&str; 3] =
    ["jobs are allowed per user", "jobs are allowed per cluster", "too many jobs"];
/// What it says when it, or its daemon, will not have this job.
const REFUSED: [&str; 14] = [
    "job rejected",
    "job was rejected",
    "job is rejected",
    "unknown resource",
    "unknown queue",
    "no suitable queues",
    "no suitable queue",
    "is not a time value",
    "is not a memory value",
    "invalid option argument",
    "unable to read script file",
    "two files are specified",
    "qsub: argument to",
    "denied:",
];
/// What it says when it may have failed on its way there or back; outweighs the other words.
const IN_DOUBT: [&str; 7] = [
    "commlib",
    "unable to send message",
    "unable to contact",
    "got send error",
    "reading answer list",
    "timeout",
    "timed out",
];

/// Returns the arguments of `qsub` for one job.
pub(super) fn arguments(
    job: &JobRequest,
    settings: &ClusterSettings,
    exported: &[String],
    now: Timestamp,
) -> Result<Vec<OsString>, SubmitError> {
    let mut words: Vec<OsString> = FIXED.iter().map(OsString::from).collect();
    words.push(NO_DIRECTIVES.into());
    let mut option = |name: &str, value: OsString| words.extend([name.into(), value]);
    option("-N", job.name.to_string().into());
    option("-wd", path("directory", job.directory.as_os_str())?.to_owned());
    option("-o", output(job.output.as_os_str())?);
    if !exported.is_empty() {
        option("-v", exported.join(",").into());
    }
    if let Some(elements) = job.elements {
        option("-t", format!("1-{elements}").into());
    }
    if !job.after.is_empty() {
        option("-hold_jid", parents(&job.after)?.into());
    }
    if job.delay_seconds > 0 {
        option("-a", moment(now, job.delay_seconds)?.into());
    }
    for (name, ours, sites) in [
        ("-q", &job.options.queue, &settings.sge.queue),
        ("-P", &job.options.project, &settings.sge.project),
    ] {
        if let Some(value) = ours.as_ref().or(sites.as_ref()) {
            option(name, name_of(value)?.into());
        }
    }
    if job.hold == Hold::Held {
        words.push("-h".into());
    }
    words.extend(resources(&job.resources, settings));
    words.extend(settings.sge_extra.iter().map(OsString::from));
    words.push(job.script.clone().into());
    for argument in &job.arguments {
        words.push(one_line("argument", argument)?.to_owned());
    }
    Ok(words)
}

/// Returns the numbers of the jobs before, for `-hold_jid`. It waits for their end, whatever that is.
fn parents(after: &[JobId]) -> Result<String, SubmitError> {
    if let Some(odd) = after.iter().find(|job| !is_id(job)) {
        return Err(SubmitError::Refused(format!("`{odd}` is no number of a job")));
    }
    let numbers: Vec<&str> = after.iter().map(JobId::whole).collect();
    Ok(numbers.join(","))
}

/// Returns what is asked for threads, memory and time. Threads and memory are asked for in the site's
/// format only: without one they are not, because a wrong guess would keep every job from running. The
/// step then runs with what the queue gives, as it did with the original.
fn resources(asked: &Resources, settings: &ClusterSettings) -> Vec<OsString> {
    let mut words = Vec::new();
    if let (Some(format), true) = (&settings.sge_threads, asked.threads > 1) {
        words.extend(filled(format, "${threads}", u64::from(asked.threads)));
    }
    if let (Some(format), Some(bytes)) = (&settings.sge_memory, asked.memory_bytes) {
        words.extend(filled(format, "${maxMemory}", bytes.div_ceil(1 << 20).max(1)));
    }
    if let Some(seconds) = asked.seconds {
        let limit = seconds.saturating_add(GRACE_SECONDS);
        words.extend(["-l".into(), format!("h_rt={limit}").into()]);
    }
    words
}

fn filled(format: &str, place: &str, value: u64) -> Vec<OsString> {
    let value = value.to_string();
    format.split_whitespace().map(|word| word.replace(place, &value).into()).collect()
}

/// Returns the moment before which a job is not started, in UTC: `qsub` runs there.
fn moment(now: Timestamp, delay_seconds: u64) -> Result<String, SubmitError> {
    let wrong = || SubmitError::Refused(format!("a job cannot wait for {delay_seconds} s"));
    let delay = i64::try_from(delay_seconds).map_err(|_| wrong())?;
    // One second more makes up for the fraction that is cut off.
    let second = now.as_micros().div_euclid(1_000_000).checked_add(delay).ok_or_else(wrong)? + 1;
    let at = jiff::Timestamp::from_second(second).map_err(|_| wrong())?;
    Ok(at.strftime("%Y%m%d%H%M.%S").to_string())
}

/// Returns the output's path behind a colon: before the first one stands the name of a host.
fn output(file: &OsStr) -> Result<OsString, SubmitError> {
    let mut word = OsString::from(":");
    word.push(path("output", file)?);
    Ok(word)
}

/// Refuses paths that Grid Engine takes for several, or in which it would put in values of its own.
fn path<'a>(what: &str, path: &'a OsStr) -> Result<&'a OsStr, SubmitError> {
    if path.as_bytes().iter().any(|byte| b",$".contains(byte)) {
        let path = path.display();
        let why = format!("Grid Engine takes no {what} with a comma or a dollar sign: `{path}`");
        return Err(SubmitError::Refused(why));
    }
    one_line(what, path)
}

/// Refuses text of several lines: Grid Engine cuts it at the first.
fn one_line<'a>(what: &str, text: &'a OsStr) -> Result<&'a OsStr, SubmitError> {
    match text.as_bytes().contains(&b'\n') {
        false => Ok(text),
        true => Err(SubmitError::Refused(format!("Grid Engine takes no {what} of several lines"))),
    }
}

fn name_of(value: &str) -> Result<&str, SubmitError> {
    match value.starts_with('-') {
        false => Ok(value),
        true => Err(SubmitError::Refused(format!("`{value}` is no name of a queue or project"))),
    }
}

/// Tells what came of a call of `qsub`. Whatever is not known for certain is doubt.
pub(super) fn outcome(answer: Result<Answer, SchedulerError>) -> Result<JobId, SubmitError> {
    let answer = answer.map_err(|error| SubmitError::InDoubt(error.to_string()))?;
    let id = match answer.code {
        Some(0) => answer.stdout.lines().rev().find_map(|line| number(line.trim())),
        // With a warning `qsub` fails, even though it handed the job over and says so.
        _ => answer.stdout.lines().chain(answer.stderr.lines()).find_map(handed_over),
    };
    if let Some(id) = id {
        return Ok(id);
    }
    let words = answer.words();
    let all = format!("{}\n{}", answer.stdout, answer.stderr).to_lowercase();
    let says = |list: &[&str]| list.iter().any(|part| all.contains(part));
    if matches!(answer.code, None | Some(0)) || says(&IN_DOUBT) {
        Err(SubmitError::InDoubt(words))
    } else if says(&FULL) {
        Err(SubmitError::Full(words))
    } else if says(&REFUSED) {
        Err(SubmitError::Refused(words))
    } else {
        Err(SubmitError::InDoubt(words))
    }
}

/// Reads `17`, or `17.1-4:1` for an array.
fn number(word: &str) -> Option<JobId> {
    let (number, elements) = word.split_once('.').unwrap_or((word, ""));
    let is_range = elements.bytes().all(|byte| byte.is_ascii_digit() || b"-:".contains(&byte));
    let fits = (1..=10).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    (fits && is_range).then(|| JobId(number.to_owned()))
}

/// Reads `Your job 17 ("name") has been submitted`, or `Your job-array 17.1-4:1 (...`.
fn handed_over(line: &str) -> Option<JobId> {
    let line = line.trim().strip_suffix("has been submitted")?;
    let rest = line.strip_prefix("Your job ").or_else(|| line.strip_prefix("Your job-array "))?;
    number(rest.split_whitespace().next()?)
}

#[cfg(test)]
mod tests;
