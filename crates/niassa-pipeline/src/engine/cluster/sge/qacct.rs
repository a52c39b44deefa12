//! What `qacct -j` prints: records of one job, a `name value` per line.

use niassa_model::job::JobId;

use super::accounting::Record;
use super::queue::setting;
use crate::engine::cluster::SchedulerError;
use crate::engine::cluster::command::Answer;

/// What it says of jobs it has no record of, and where there is no accounting yet.
const UNKNOWN: [&str; 3] = ["not found", "no jobs running", "No such file"];

/// Reads the records, from the oldest to the newest; none of a job that it does not know.
pub(super) fn read(answer: &Answer) -> Result<Vec<Record>, SchedulerError> {
    let said = answer.words();
    if answer.code != Some(0) {
        let is_unknown = answer.code.is_some() && UNKNOWN.iter().any(|words| said.contains(words));
        return match is_unknown {
            true => Ok(Vec::new()),
            false => Err(SchedulerError::Refused { program: "qacct", words: said }),
        };
    }
    let mut blocks: Vec<String> = Vec::new();
    for line in answer.stdout.lines() {
        if line.starts_with("=====") {
            blocks.push(String::new());
        } else if let Some(block) = blocks.last_mut() {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks.iter().map(|block| record(block)).collect()
}

fn record(block: &str) -> Result<Record, SchedulerError> {
    let missing = |name: &str| SchedulerError::NotUnderstood {
        program: "qacct",
        what: format!("a record has no `{name}`"),
    };
    let value = |name: &str| setting(block, name).ok_or_else(|| missing(name));
    let first = |name: &str| {
        let word = value(name)?.split_whitespace().next().ok_or_else(|| missing(name))?;
        word.parse::<i32>().map_err(|_| missing(name))
    };
    let wall = value("ru_wallclock")?.split(|c: char| !c.is_ascii_digit()).next();
    Ok(Record {
        number: JobId(value("jobnumber")?.to_owned()).whole().to_owned(),
        element: value("taskid")?.parse().ok().filter(|element| *element > 0),
        name: value("jobname")?.to_owned(),
        failed: u32::try_from(first("failed")?).map_err(|_| missing("failed"))?,
        exit_status: first("exit_status")?,
        asked: setting(block, "category").unwrap_or_default().to_owned(),
        seconds: wall.and_then(|seconds| seconds.parse().ok()).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use niassa_model::job::JobEnd;
    use proptest::prelude::*;

    use super::*;

    /// Two records of one element; the blanks that end the lines are left out.
    const TWO_RUNS: &str = "\
==============================================================
qname        main.q
jobname      nia-9-abcdefghij-e1-l0
jobnumber    30
taskid       2
failed       25  : rescheduling
exit_status  99
ru_wallclock 2s
category     NONE
==============================================================
jobname      nia-9-abcdefghij-e1-l0
jobnumber    30
taskid       2
failed       100 : assumedly after job
exit_status  137                  (Killed)
ru_wallclock 2s
category     NONE
";

    fn said(code: i32, stdout: &str, stderr: &str) -> Result<Vec<Record>, SchedulerError> {
        read(&Answer { code: Some(code), stdout: stdout.into(), stderr: stderr.into() })
    }

    #[test]
    fn records_are_read_in_their_order() {
        let records = said(0, TWO_RUNS, "").unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].end(), None);
        assert_eq!(records[1].end(), Some(JobEnd::Signalled(9)));
        assert_eq!(records[1].id(), JobId("30.2".to_owned()));
        let single = TWO_RUNS.replace("taskid       2", "taskid       undefined");
        assert_eq!(said(0, &single, "").unwrap()[1].id(), JobId("30".to_owned()));
    }

    #[test]
    fn a_job_without_records_is_no_failure() {
        assert_eq!(said(1, "", "error: job id 999 not found\n").unwrap(), []);
        assert!(said(1, "", "error: commlib error").is_err());
        assert!(said(0, &TWO_RUNS.replace("jobnumber", "numberjob"), "").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(cut in 0..TWO_RUNS.len(), more: String) {
            drop(said(0, &format!("{}{more}", &TWO_RUNS[..cut]), ""));
        }
    }
}
