//! What the controller says of itself, and of numbers that it does not know.

use super::super::SchedulerError;
use super::super::command::Answer;
use super::{SCONTROL, not_understood};

/// What it says of jobs that are not there, are over or are not held.
const PASSED_OVER: [&str; 5] = [
    "Invalid job id specified",
    "Job has already finished",
    "Job/step already completing or completed",
    "Job is no longer pending execution",
    "Job is not pending nor running",
];

/// Returns the value of a line `Key   = value` of `scontrol show config`.
pub(super) fn value<'a>(config: &'a str, key: &'static str) -> Result<&'a str, SchedulerError> {
    let value_of = |line: &'a str| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == key).then(|| value.trim())
    };
    config
        .lines()
        .find_map(value_of)
        .filter(|value| !value.is_empty() && *value != "(null)")
        .ok_or_else(|| not_understood(SCONTROL, format!("there is no {key}")))
}

/// Returns how many elements, numbered from 1, an array may have.
///
/// `MaxArraySize` is one more than the highest number; 0 and 1 mean that there are no arrays. An array
/// of more elements than the controller keeps jobs would never get in.
pub(super) fn array_limit(config: &str) -> Result<u32, SchedulerError> {
    let number = |key| -> Result<u32, SchedulerError> {
        let text = value(config, key)?;
        text.parse().map_err(|_| not_understood(SCONTROL, format!("{key} is `{text}`")))
    };
    let highest = number("MaxArraySize")?.saturating_sub(1);
    Ok(highest.min(number("MaxJobCount")?.saturating_sub(1)).max(1))
}

/// Takes an answer about several jobs; that some of them are not there is no error.
pub(super) fn passed_over(answer: Answer, program: &'static str) -> Result<(), SchedulerError> {
    let complaints = || answer.stderr.lines().filter(|line| !line.trim().is_empty());
    let harmless = |line: &str| PASSED_OVER.iter().any(|words| line.contains(words));
    if answer.code.is_some() && complaints().next().is_some() && complaints().all(harmless) {
        return Ok(());
    }
    answer.success(program).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: &str = "Configuration data as of 2026-11-30T17:24:00\n\
        AccountingStorageBackupHost = (null)\n\
        BOOT_TIME               = 2026-11-30T17:20:47\n\
        ClusterName             = niassa\n\
        MaxArraySize            = 1001\n\
        MaxJobCount             = 2000\n";

    #[test]
    fn values_of_the_configuration() {
        assert_eq!(value(CONFIG, "ClusterName").unwrap(), "niassa");
        assert_eq!(value(CONFIG, "BOOT_TIME").unwrap(), "2026-11-30T17:20:47");
        assert!(value(CONFIG, "AccountingStorageBackupHost").is_err());
        assert!(value(CONFIG, "Cluster").is_err());
        assert!(value("", "ClusterName").is_err());
    }

    #[test]
    fn arrays_are_numbered_from_1() {
        assert_eq!(array_limit(CONFIG).unwrap(), 1_000);
        assert_eq!(array_limit("MaxArraySize = 1\nMaxJobCount = 10").unwrap(), 1);
        assert_eq!(array_limit("MaxArraySize = 0\nMaxJobCount = 10").unwrap(), 1);
        assert_eq!(array_limit("MaxArraySize = 1001\nMaxJobCount = 10").unwrap(), 9);
        assert!(array_limit("MaxArraySize = many\nMaxJobCount = 10").is_err());
    }

    #[test]
    fn jobs_that_are_not_there_are_no_error() {
        let answer = |code, stderr: &str| {
            let (stdout, stderr) = (String::new(), stderr.to_owned());
            passed_over(Answer { code, stdout, stderr }, SCONTROL)
        };
        assert!(answer(Some(0), "").is_ok());
        let gone = "Job has already finished for job 1\nslurm_suspend error: Job has already finished\n\
            Invalid job id specified for job 99\nslurm_suspend error: Invalid job id specified\n";
        assert!(answer(Some(1), gone).is_ok());
        let denied = format!("{gone}Access/permission denied for job 3\n");
        assert!(answer(Some(1), &denied).is_err());
        let down = "scancel: error: Kill job error on job id 4: Unable to contact slurm controller";
        assert!(answer(Some(8), down).is_err());
        assert!(answer(Some(1), "").is_err());
        assert!(answer(None, gone).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer_or_an_error(text in "(?s).{0,200}") {
            drop(value(&text, "ClusterName"));
            drop(array_limit(&text));
        }
    }
}
