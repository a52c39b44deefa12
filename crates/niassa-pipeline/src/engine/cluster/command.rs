//! Running a scheduler's program: with a time limit, a bounded answer and a clean environment.
//!
//! A program that does not end in time is killed with its whole group. What it may have done by then is
//! not known: the caller treats it as doubt, never as a failure.

mod listen;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use niassa_model::limits::{SCHEDULER_ANSWER_BYTES, SCHEDULER_CALL};

use self::listen::{Patience, listen};
use super::{SchedulerError, calls};

/// The longest part of a program's words that is told to people.
const WORDS_BYTES: usize = 500;

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Its exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output; bytes that are not UTF-8 are replaced.
    pub(crate) stdout: String,
    /// Its standard error, the same.
    pub(crate) stderr: String,
}

impl Answer {
    /// Returns what it said, cut to what people can read.
    pub(crate) fn words(&self) -> String {
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let from = said.len().saturating_sub(WORDS_BYTES);
        let from = (from..said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(from);
        said[from..].to_owned()
    }

    /// Returns the standard output of a program that ended with 0.
    pub(crate) fn success(self, program: &'static str) -> Result<String, SchedulerError> {
        if self.code == Some(0) {
            return Ok(self.stdout);
        }
        calls::failed(program);
        Err(SchedulerError::Refused { program, words: self.words() })
    }
}

/// Returns where a program is in the PATH of an environment.
pub(crate) fn find(program: &str, environment: &[(OsString, OsString)]) -> Option<PathBuf> {
    let (_, path) = environment.iter().find(|(name, _)| name == "PATH")?;
    let places = std::env::split_paths(path).map(|folder| folder.join(program));
    places.into_iter().find(|place| {
        place.is_file() && rustix::fs::access(place, rustix::fs::Access::EXEC_OK).is_ok()
    })
}

/// Runs a program to its end, or to the time limit of a call.
pub(crate) fn ask<S: AsRef<OsStr>>(
    program: &'static str,
    arguments: impl IntoIterator<Item = S>,
    environment: &[(OsString, OsString)],
) -> Result<Answer, SchedulerError> {
    ask_within(program, arguments, environment, Patience { limit: SCHEDULER_CALL, hopeless: None })
}

/// Runs a program like [`ask`], but ends it as soon as it says these words on standard error: it would
/// go on for longer than anybody waits. The answer then has no exit code.
pub(crate) fn ask_unless<S: AsRef<OsStr>>(
    program: &'static str,
    arguments: impl IntoIterator<Item = S>,
    environment: &[(OsString, OsString)],
    hopeless: &'static str,
) -> Result<Answer, SchedulerError> {
    let patience = Patience { limit: SCHEDULER_CALL, hopeless: Some(hopeless) };
    ask_within(program, arguments, environment, patience)
}

fn ask_within<S: AsRef<OsStr>>(
    program: &'static str,
    arguments: impl IntoIterator<Item = S>,
    environment: &[(OsString, OsString)],
    patience: Patience,
) -> Result<Answer, SchedulerError> {
    let answer = answer_within(program, arguments, environment, patience);
    if answer.is_err() {
        calls::failed(program);
    }
    answer
}

fn answer_within<S: AsRef<OsStr>>(
    program: &'static str,
    arguments: impl IntoIterator<Item = S>,
    environment: &[(OsString, OsString)],
    patience: Patience,
) -> Result<Answer, SchedulerError> {
    let not_there = |source| SchedulerError::NotThere { program, source };
    let child = spawn(program, arguments, environment).map_err(not_there)?;
    let heard = listen(child, patience).map_err(not_there)?;
    let Some(status) = heard.status else { return Err(SchedulerError::Silent(program)) };
    if heard.stdout.len() as u64 >= SCHEDULER_ANSWER_BYTES {
        let what = format!("it is longer than {SCHEDULER_ANSWER_BYTES} bytes");
        return Err(SchedulerError::NotUnderstood { program, what });
    }
    Ok(Answer { code: status.code(), stdout: text(&heard.stdout), stderr: text(&heard.stderr) })
}

/// Starts a program. It is found in PATH here: with a path, and only so, the standard library starts it
/// without copying the page tables of this process, which for hundreds of calls is a third of their cost.
#[expect(clippy::disallowed_methods, reason = "the one place that starts a scheduler's programs")]
fn spawn<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
    environment: &[(OsString, OsString)],
) -> io::Result<Child> {
    calls::called(program);
    let path = find(program, environment).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "it is not in PATH; is the cluster's client installed?",
        )
    })?;
    Command::new(path)
        .arg0(program)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bash(script: &str, limit: Duration) -> Result<Answer, SchedulerError> {
        let path = (OsString::from("PATH"), OsString::from("/usr/bin:/bin"));
        ask_within("bash", ["-c", script], &[path], Patience { limit, hopeless: None })
    }

    #[test]
    fn answers_are_told_apart() {
        let enough = Duration::from_secs(20);
        let answer = bash("echo out; echo err >&2; exit 3", enough).unwrap();
        let expected = Answer { code: Some(3), stdout: "out\n".into(), stderr: "err\n".into() };
        assert_eq!(answer, expected);
        assert_eq!(answer.words(), "err");
        assert!(matches!(answer.success("bash"), Err(SchedulerError::Refused { .. })));
        let nobody = ask("seqware-of-nobody", ["x"], &[]);
        assert!(matches!(nobody, Err(SchedulerError::NotThere { .. })));
    }

    #[test]
    fn a_silent_program_is_killed_with_what_it_started() {
        let silent = bash("sleep 600 & sleep 600", Duration::from_millis(200));
        assert!(matches!(silent, Err(SchedulerError::Silent("bash"))), "{silent:?}");
        // The stream of what it left behind is not waited for.
        let left = bash("sleep 600 & echo done", Duration::from_secs(20)).unwrap();
        assert_eq!(left.stdout, "done\n");
    }

    #[test]
    fn a_program_that_says_it_is_hopeless_is_ended_at_once() {
        let path = (OsString::from("PATH"), OsString::from("/usr/bin:/bin"));
        let ask =
            |script| ask_unless("bash", ["-c", script], std::slice::from_ref(&path), "no room");
        let ended = ask("printf 'there is no ' >&2; sleep 0.1; echo room >&2; sleep 600").unwrap();
        assert_eq!((ended.code, ended.stderr.as_str()), (None, "there is no room\n"));
        let other = ask("echo room >&2; exit 4").unwrap();
        assert_eq!((other.code, other.stderr.as_str()), (Some(4), "room\n"));
    }

    #[test]
    fn the_environment_is_the_given_one() {
        assert_eq!(
            bash("env | grep -c HOME || true", Duration::from_secs(20)).unwrap().stdout,
            "0\n"
        );
    }
}
