//! From lines of the journal to facts for the service: with the ends of the streams, and outputs.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use niassa_api::facts::{AttemptFact, LogTail};
use niassa_model::file::OutputFile;
use niassa_model::limits::LOG_TAIL_BYTES;
use niassa_model::step::{AttemptKey, StepStatus};

use crate::engine::local::journal::Evidence;
use crate::place::machine;
use crate::reconcile::cluster::AttemptLook;
use crate::step::provision::OUTPUTS_FILE;

/// An attempt and what the journal says of it.
pub(crate) type News = (AttemptKey, Evidence);

/// Most bytes of streams' ends in one call: what is escaped on the wire may take six times as much.
const TAILS_PER_CALL: usize = 16 * 1024 * 1024;

/// Puts together what several records say of one attempt, in the order of the first.
pub(super) fn merged(news: Vec<News>) -> Vec<News> {
    let mut positions: HashMap<AttemptKey, usize> = HashMap::with_capacity(news.len());
    let mut merged: Vec<News> = Vec::with_capacity(news.len());
    for (key, evidence) in news {
        if let Some(position) = positions.get(&key) {
            merged[*position].1.add(evidence);
        } else {
            positions.insert(key.clone(), merged.len());
            merged.push((key, evidence));
        }
    }
    merged
}

/// Splits facts into calls of a bounded size.
pub(super) fn into_calls(facts: Vec<AttemptFact>) -> Vec<Vec<AttemptFact>> {
    let mut calls: Vec<Vec<AttemptFact>> = Vec::new();
    let mut room = 0;
    for fact in facts {
        let tails = [&fact.stdout, &fact.stderr].into_iter().flatten();
        let bytes: usize = tails.map(|log| log.tail.len()).sum();
        if calls.is_empty() || bytes > room {
            calls.push(Vec::new());
            room = TAILS_PER_CALL;
        }
        room = room.saturating_sub(bytes);
        if let Some(call) = calls.last_mut() {
            call.push(fact);
        }
    }
    calls
}

/// Makes facts of news, one per attempt, reading the ends of streams with so many threads.
pub(super) fn make(work_dir: &Path, news: &[News], threads: NonZeroUsize) -> Vec<AttemptFact> {
    let size = news.len().div_ceil(threads.get()).max(16);
    let machine = machine();
    let make = |news: &[News]| -> Vec<AttemptFact> {
        news.iter().map(|(key, evidence)| fact(work_dir, key, evidence, &machine)).collect()
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            news.chunks(size).map(|news| scope.spawn(move || make(news))).collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(facts) => facts,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    })
}

fn fact(work_dir: &Path, key: &AttemptKey, evidence: &Evidence, machine: &str) -> AttemptFact {
    let mut fact = AttemptFact {
        run: key.run,
        tag: key.tag.clone(),
        step: key.step,
        attempt: key.attempt,
        status: StepStatus::Running,
        reason: None,
        exit_code: None,
        signal: None,
        started_at: evidence.started_at(),
        ended_at: None,
        machine: Some(machine.to_owned()),
        cpu_micros: None,
        peak_memory_bytes: None,
        stdout: None,
        stderr: None,
        outputs: Vec::new(),
        message: None,
    };
    let Some(end) = evidence.end() else { return fact };
    let outcome = end.outcome;
    fact.status = outcome.status;
    fact.reason = outcome.reason;
    fact.exit_code = outcome.exit_code;
    fact.signal = outcome.signal;
    fact.ended_at = Some(end.ended_at);
    fact.message.clone_from(&end.message);
    fact.cpu_micros = end.cpu_micros;
    fact.peak_memory_bytes = end.peak_memory_bytes;
    if let Some(attempt) = &end.attempt_dir {
        let attempt = &work_dir.join(attempt);
        fact.stdout = tail(&attempt.join("stdout"));
        fact.stderr = tail(&attempt.join("stderr"));
        if outcome.status == StepStatus::Success {
            fact.outputs = outputs(attempt);
        }
    }
    fact
}

/// Returns what the files of an attempt on a cluster say it is; `None` while nobody has its claim.
pub(crate) fn status_of(attempt: &AttemptLook) -> Option<StepStatus> {
    match (&attempt.exit, &attempt.claim) {
        (Some(exit), _) => Some(exit.outcome.status),
        (None, Some(claim)) if claim.job.is_some() => Some(StepStatus::Running),
        (None, _) => None,
    }
}

/// Makes a fact of what the files of an attempt on a cluster say.
pub(crate) fn of_attempt(
    path: &Path,
    key: AttemptKey,
    attempt: &AttemptLook,
    status: StepStatus,
) -> AttemptFact {
    let claim = attempt.claim.as_ref().filter(|claim| claim.job.is_some());
    let mut fact = AttemptFact {
        run: key.run,
        tag: key.tag,
        step: key.step,
        attempt: key.attempt,
        status,
        reason: None,
        exit_code: None,
        signal: None,
        started_at: claim.map(|claim| claim.at),
        ended_at: None,
        machine: claim.map(|claim| claim.machine.clone()),
        cpu_micros: None,
        peak_memory_bytes: None,
        stdout: None,
        stderr: None,
        outputs: Vec::new(),
        message: None,
    };
    let Some(exit) = &attempt.exit else { return fact };
    fact.message.clone_from(&exit.message);
    fact.reason = exit.outcome.reason;
    fact.exit_code = exit.outcome.exit_code;
    fact.signal = exit.outcome.signal;
    fact.started_at = exit.started_at.or(fact.started_at);
    fact.ended_at = Some(exit.ended_at);
    fact.machine.get_or_insert_with(|| exit.machine.clone());
    fact.cpu_micros = exit.cpu_micros;
    fact.peak_memory_bytes = exit.peak_memory_bytes;
    fact.stdout = tail(&path.join("stdout"));
    fact.stderr = tail(&path.join("stderr"));
    if status == StepStatus::Success {
        fact.outputs = outputs(path);
    }
    fact
}

/// Reads the end of a stream; nothing for an empty one.
fn tail(path: &Path) -> Option<LogTail> {
    let size = fs::metadata(path).ok()?.len();
    if size == 0 {
        return None;
    }
    match read_tail(path, size) {
        Ok(tail) => Some(LogTail { path: path.display().to_string(), size, tail }),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the end of a stream cannot be read");
            None
        }
    }
}

fn read_tail(path: &Path, size: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(size.saturating_sub(LOG_TAIL_BYTES as u64)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES as u64).read_to_end(&mut bytes)?;
    // PostgreSQL keeps no NUL in text.
    Ok(String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}"))
}

fn outputs(attempt: &Path) -> Vec<OutputFile> {
    let Ok(text) = fs::read(attempt.join(OUTPUTS_FILE)) else { return Vec::new() };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::error!(attempt = %attempt.display(), %error, "outputs.json cannot be read");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use niassa_model::step::{Outcome, StepReason};
    use niassa_model::time::Timestamp;

    use super::*;
    use crate::engine::local::journal::{Ended, Record};

    const NOW: Timestamp = Timestamp::from_micros(1_000);

    #[test]
    fn a_tail_is_bounded_and_is_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stdout");
        fs::write(&path, "").unwrap();
        assert_eq!(tail(&path), None);
        let mut bytes = vec![b'x'; LOG_TAIL_BYTES + 10];
        bytes.extend(b"\xff\0end");
        fs::write(&path, &bytes).unwrap();
        let tail = tail(&path).unwrap();
        assert_eq!(tail.size, bytes.len() as u64);
        assert!(tail.tail.ends_with("x\u{fffd}\u{fffd}end"));
        assert!(tail.tail.chars().count() <= LOG_TAIL_BYTES);
    }

    #[test]
    fn an_attempt_is_looked_for_where_the_work_directory_is_now() {
        let folder = tempfile::tempdir().unwrap();
        let key: AttemptKey = "nia-7-aaaaaaaaaa-s0-a1".parse().unwrap();
        let attempt = PathBuf::from("7-aaaaaaaaaa/steps/0/0-a/attempt-1");
        fs::create_dir_all(folder.path().join(&attempt)).unwrap();
        fs::write(folder.path().join(&attempt).join("stderr"), "no\n").unwrap();
        let outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CouldNotStart);
        let ended = Ended {
            key: key.clone(),
            attempt_dir: Some(attempt),
            outcome,
            started_at: None,
            ended_at: NOW,
            cpu_micros: None,
            peak_memory_bytes: None,
            message: None,
        };
        let mut evidence = Evidence::default();
        evidence.take(Record::Exit(ended));
        let fact = fact(folder.path(), &key, &evidence, "here");
        assert_eq!(fact.stderr.map(|log| log.tail).as_deref(), Some("no\n"));
    }

    #[test]
    fn what_was_closed_says_when_and_why() {
        let key: AttemptKey = "nia-7-aaaaaaaaaa-s0-a1".parse().unwrap();
        let outcome = Outcome::without_exit(StepStatus::Failed, StepReason::CouldNotStart);
        let message = Some("the step asks for 100 threads, this machine has 8".to_owned());
        let mut evidence = Evidence::default();
        let closed =
            Record::Closed { key: key.clone(), outcome, message: message.clone(), at: NOW };
        evidence.take(closed);
        let fact = fact(Path::new("/nowhere"), &key, &evidence, "here");
        assert_eq!((fact.message, fact.ended_at), (message, Some(NOW)));
    }
}
