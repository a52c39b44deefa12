//! What `qrls` and `qdel` are given, and what they say.
//!
//! Both go through all the jobs they are given and fail if they missed one. A job that is not there
//! any more is what a caller may meet at any time, and no failure.

use niassa_model::job::JobId;

use crate::engine::cluster::SchedulerError;
use crate::engine::cluster::command::Answer;

/// Ends and parts of lines that tell of success, or of nothing left to do.
const FINE: [&str; 7] = [
    "does not exist",
    "do not exist",
    "is already in deletion",
    "has deleted job",
    "has registered the job",
    "modified hold of job",
    "modified job id hold of job",
];

/// Tells whether an id is `17` or `17.4`. Nothing else may reach a program: in the place of a number
/// Grid Engine takes names with wildcards as well, and `*` is every job of the user.
pub(super) fn is_id(job: &JobId) -> bool {
    let (number, element) = job.0.split_once('.').unwrap_or((&job.0, "1"));
    let is_number = |text: &str| {
        (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    is_number(number) && is_number(element)
}

/// Checks an answer; jobs that are not there are passed over.
pub(super) fn check(program: &'static str, answer: &Answer) -> Result<(), SchedulerError> {
    if answer.code == Some(0) {
        return Ok(());
    }
    let lines: Vec<&str> = answer
        .stdout
        .lines()
        .chain(answer.stderr.lines())
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let is_fine = |line: &&str| FINE.iter().any(|part| line.contains(part));
    if answer.code.is_some() && !lines.is_empty() && lines.iter().all(is_fine) {
        return Ok(());
    }
    let odd: Vec<&str> = lines.iter().filter(|line| !is_fine(line)).copied().collect();
    let words = Answer { stderr: odd.join("\n"), ..answer.clone() }.words();
    Err(SchedulerError::Refused { program, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: Option<i32>, text: &str) -> Result<(), SchedulerError> {
        check("qdel", &Answer { code, stdout: text.to_owned(), stderr: String::new() })
    }

    #[test]
    fn jobs_that_are_gone_are_no_failure() {
        let mixed = "niassa-test has deleted job-array task 30.17\n\
            denied: job \"88888\" does not exist\njob \"30\" task \"400\" does not exist\n\
            job 30 is already in deletion\n\
            niassa-test has registered the job-array task 30.4 for deletion\n";
        assert!(said(Some(1), mixed).is_ok());
        assert!(said(Some(3), "denied: job \"9999\" does not exist\n").is_ok());
        assert!(said(Some(0), "whatever").is_ok());
    }

    #[test]
    fn only_numbers_are_ids() {
        for id in ["17", "17.4", "4000000000.75000"] {
            assert!(is_id(&JobId(id.to_owned())), "{id}");
        }
        for id in ["", "*", "17.", ".4", "17.4.1", "17_4", "-u", "nia-7", "17,18", "12345678901"] {
            assert!(!is_id(&JobId(id.to_owned())), "{id}");
        }
    }

    #[test]
    fn anything_else_is() {
        let commlib = "error: commlib error: got select error (Connection refused)\n\
            error: unable to send message to qmaster using port 1 on host \"vm\": got send error\n";
        assert!(said(Some(1), commlib).is_err());
        assert!(said(Some(1), "").is_err());
        assert!(said(None, "denied: job \"9\" does not exist\n").is_err());
        let denied = "denied: job \"9\" does not exist\nbob - you do not have the necessary \
            privileges to delete the job \"7\"\n";
        let Err(error) = said(Some(1), denied) else { panic!("taken for success") };
        assert!(error.to_string().contains("privileges"), "{error}");
        assert!(!error.to_string().contains("does not exist"), "{error}");
    }
}
