//! What `sacct` tells of jobs that are over.
//!
//! A cluster without accounting is common: then nothing is told, and that is no error.

use niassa_model::job::{EndedJob, JobId, JobName};

use super::super::SchedulerError;
use super::super::command::Answer;
use super::state::{ExitStatus, job_end};
use super::{SACCT, is_number, not_understood};

/// What it is asked for.
pub(super) const COLUMNS: &str = "JobID,State,ExitCode,JobName";

/// Stands between columns: a byte that no name of ours and no word of Slurm holds.
const COLUMN_END: char = '\u{1f}';

/// How it is told so.
pub(super) const DELIMITER: &str = "--delimiter=\u{1f}";

/// What it says where the cluster keeps no accounting.
const DISABLED: &str = "accounting storage is disabled";

/// Tells whether the cluster keeps no accounting.
pub(super) fn is_absent(answer: &Answer) -> bool {
    answer.code != Some(0) && answer.stderr.to_ascii_lowercase().contains(DISABLED)
}

/// Reads the whole answer; jobs that are not over, and those whose name is not ours, are left out.
pub(super) fn parse(told: &str) -> Result<Vec<EndedJob>, SchedulerError> {
    if !told.is_empty() && !told.ends_with('\n') {
        return Err(not_understood(SACCT, "the last line is cut off"));
    }
    let mut ends = Vec::new();
    for line in told.lines() {
        ends.extend(parse_line(line)?);
    }
    Ok(ends)
}

fn parse_line(line: &str) -> Result<Option<EndedJob>, SchedulerError> {
    let wrong = |what: &str| not_understood(SACCT, format!("{what} in the line `{line}`"));
    let columns: Vec<&str> = line.splitn(4, COLUMN_END).collect();
    let [id, state, exit, name] = columns[..] else { return Err(wrong("the columns")) };
    let Ok(name) = name.parse::<JobName>() else { return Ok(None) };
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
    Ok(Some(EndedJob { id: JobId(id.to_owned()), name, end }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use niassa_model::job::JobEnd;
    use proptest::prelude::*;

    const NAME: &str = "nia-7-abcdefghij-s0-a1";

    /// As recorded from 22.05, with `|` for the end of a column, and without the name.
    fn recorded(lines: &str) -> String {
        lines.replace('|', "\u{1f}").replace('\n', &format!("\u{1f}{NAME}\n"))
    }

    fn told(line: &str) -> Option<(JobId, JobEnd)> {
        let told = parse(&recorded(&format!("{line}\n"))).unwrap_or_else(|error| panic!("{error}"));
        told.into_iter().next().map(|job| (job.id, job.end))
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
            "2||7:0\n",
            "2|FAILED|seven\n",
            "x|FAILED|7:0\n",
            "1|COMPLETED|0:0\n\n",
        ] {
            assert!(parse(&recorded(garbled)).is_err(), "{garbled}");
        }
    }

    #[test]
    fn of_a_number_that_was_dealt_out_twice_only_jobs_of_ours_are_told() {
        let told =
            recorded("2|FAILED|7:0\n") + "2\u{1f}COMPLETED\u{1f}0:0\u{1f}a\u{1f}stranger's\n";
        let jobs = parse(&told).unwrap();
        assert_eq!(jobs.len(), 1);
        assert_eq!((jobs[0].end, jobs[0].name.to_string().as_str()), (JobEnd::Exited(7), NAME));
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
        fn any_text_is_an_answer_or_an_error(text in "(?s).{0,200}", line in "[0-9_\u{1f}:A-Z \n]{0,60}") {
            drop(parse(&text));
            drop(parse(&line));
        }
    }
}
