//! What `sacct` tells of jobs that are over.
//!
//! A cluster without accounting is common: then nothing is told, and that is no error.

use niassa_model::job::{JobEnd, JobId};

use super::super::SchedulerError;
use super::super::command::Answer;
use super::state::{ExitStatus, job_end};
use super::{SACCT, is_number, not_understood};

/// What it is asked for.
pub(super) const COLUMNS: &str = "JobID,State,ExitCode";

/// What it says where the cluster keeps no accounting.
const DISABLED: &str = "accounting storage is disabled";

/// Tells whether the cluster keeps no accounting.
pub(super) fn is_absent(answer: &Answer) -> bool {
    answer.code != Some(0) && answer.stderr.to_ascii_lowercase().contains(DISABLED)
}

/// Reads the whole answer; jobs that are not over are left out.
pub(super) fn parse(told: &str) -> Result<Vec<(JobId, JobEnd)>, SchedulerError> {
    if !told.is_empty() && !told.ends_with('\n') {
        return Err(not_understood(SACCT, "the last line is cut off"));
    }
    let mut ends = Vec::new();
    for line in told.lines() {
        ends.extend(parse_line(line)?);
    }
    Ok(ends)
}

fn parse_line(line: &str) -> Result<Option<(JobId, JobEnd)>, SchedulerError> {
    let wrong = |what: &str| not_understood(SACCT, format!("{what} in the line `{line}`"));
    let columns: Vec<&str> = line.split('|').collect();
    let [id, state, exit] = columns[..] else { return Err(wrong("the columns")) };
    if state.is_empty() {
        return Err(wrong("the state"));
    }
    let (code, signal) = exit.split_once(':').ok_or_else(|| wrong("the exit code"))?;
    let number = |text: &str| text.parse().map_err(|_| wrong("the exit code"));
    let exit = ExitStatus { code: number(code)?, signal: number(signal)? };
    let Some(end) = job_end(state, exit) else { return Ok(None) };
    // Elements of an array that were cancelled before any had begun are told as one: `7_[3-9]`.
    if !is_number(id) {
        let id_of_many = id.contains('[') || id.contains('+');
        return if id_of_many { Ok(None) } else { Err(wrong("the number")) };
    }
    Ok(Some((JobId(id.to_owned()), end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(line: &str) -> Option<(JobId, JobEnd)> {
        parse(&format!("{line}\n")).unwrap_or_else(|error| panic!("{error}")).pop()
    }

    #[test]
    fn ends_as_the_accounting_tells_them() {
        for (line, id, end) in [
            ("2|FAILED|7:0", "2", JobEnd::Exited(7)),
            ("3|FAILED|0:53", "3", JobEnd::CouldNotStart),
            ("4_1|COMPLETED|0:0", "4_1", JobEnd::Completed),
            ("5|CANCELLED by 1001|0:0", "5", JobEnd::Cancelled),
            ("6|OUT_OF_MEMORY|0:125", "6", JobEnd::OutOfMemory),
            ("7|NODE_FAIL|0:0", "7", JobEnd::NodeFailure),
            ("8|FAILED|0:9", "8", JobEnd::Signalled(9)),
        ] {
            assert_eq!(told(line), Some((JobId(id.to_owned()), end)), "{line}");
        }
        for line in ["9|RUNNING|0:0", "10_[1-4%2]|PENDING|0:0", "10_[1-4]|CANCELLED by 0|0:0"] {
            assert_eq!(told(line), None, "{line}");
        }
        assert!(parse("").is_ok_and(|ends| ends.is_empty()));
    }

    #[test]
    fn one_line_that_is_not_understood_spoils_the_answer() {
        for garbled in [
            "2|FAILED|7:0",
            "2|FAILED\n",
            "2|FAILED|7:0|x\n",
            "2||7:0\n",
            "2|FAILED|seven\n",
            "x|FAILED|7:0\n",
            "1|COMPLETED|0:0\n\n",
        ] {
            assert!(parse(garbled).is_err(), "{garbled}");
        }
    }

    #[test]
    fn no_accounting_is_told_from_trouble() {
        let answer =
            |code, stderr: &str| Answer { code, stdout: String::new(), stderr: stderr.to_owned() };
        assert!(is_absent(&answer(Some(1), "Slurm accounting storage is disabled\n")));
        let trouble = "sacct: error: slurm_persist_conn_open: Something happened with the receipt";
        assert!(!is_absent(&answer(Some(1), trouble)));
        assert!(!is_absent(&answer(Some(0), "")));
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer_or_an_error(text in "(?s).{0,200}", line in "[0-9_|:A-Z \n]{0,60}") {
            drop(parse(&text));
            drop(parse(&line));
        }
    }
}
