//! What a process of an attempt is given: its folders, its environment, a group of its own.
//!
//! The same on every engine. Secrets, a scheduler's variables and what would change the shell itself
//! are not passed on; what names the attempt is.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use niassa_model::accession::Accession;
use niassa_model::step::AttemptKey;

/// Returns the step's directory and the run's `work/`, from an attempt's directory.
pub(crate) fn folders(attempt_dir: &Path) -> io::Result<(&Path, PathBuf)> {
    let not_ours = || io::Error::new(io::ErrorKind::InvalidInput, "not an attempt's directory");
    let step = attempt_dir.parent().ok_or_else(not_ours)?;
    let run = run_dir(attempt_dir).ok_or_else(not_ours)?;
    Ok((step, run.join("work")))
}

/// Returns the run directory of an attempt: `<run>/steps/<thousands>/<step>/<attempt>`.
pub(crate) fn run_dir(attempt_dir: &Path) -> Option<&Path> {
    attempt_dir.ancestors().nth(4)
}

/// Tells a command which attempt it runs for.
pub(crate) fn describe(
    command: &mut Command,
    key: &AttemptKey,
    attempt_dir: &Path,
    processing: Option<Accession>,
    trace: Option<&str>,
) {
    command.env("WORKFLOW_RUN_ACCESSION", key.run.to_string());
    command.env("NIASSA_ATTEMPT_DIR", attempt_dir);
    if let Some(trace) = trace {
        command.env("NIASSA_TRACE_ID", trace);
    }
    if let Some(processing) = processing {
        command.env("PROCESSING_ACCESSION", processing.to_string());
    }
}

/// Makes a command lead a group of its own, with this environment and what it was told already.
pub(crate) fn lead_group(
    command: &mut Command,
    key: &AttemptKey,
    environment: &[(OsString, OsString)],
) {
    let own: Vec<(OsString, OsString)> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .envs(own)
        .env("NIASSA_KEY", key.to_string())
        .process_group(0);
}

/// Keeps of an environment what commands may have.
pub(crate) fn passed_on(environment: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    environment.into_iter().filter(|(name, _)| name.to_str().is_none_or(is_passed_on)).collect()
}

/// Tells whether a variable is passed on to commands: secrets, schedulers' variables, and those that
/// make a bash read other files or take other options are not.
fn is_passed_on(name: &str) -> bool {
    const SECRETS: [&str; 3] = ["SW_REST_", "SW_DB_", "AWS_"];
    const SCHEDULERS: [&str; 8] =
        ["SLURM_", "SLURMD_", "SBATCH_", "SRUN_", "SGE_", "JOB_", "NIASSA_", "NOTIFY_"];
    let is_taken_out = matches!(
        name,
        "WORKFLOW_RUN_ACCESSION" | "PROCESSING_ACCESSION"
            // Grid Engine's own words without a prefix.
            | "NSLOTS" | "NHOSTS" | "NQUEUES" | "PE" | "PE_HOSTFILE" | "RESTARTED"
            // A shell would give up waiting after so many seconds.
            | "BASH_ENV" | "ENV" | "SHELLOPTS" | "BASHOPTS" | "TMOUT"
    );
    !is_taken_out && !SECRETS.iter().chain(&SCHEDULERS).any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempts_folders_are_found() {
        let attempt = Path::new("/w/7-abc/steps/0/3-align/attempt-2");
        let (step, work) = folders(attempt).unwrap();
        assert_eq!(step, Path::new("/w/7-abc/steps/0/3-align"));
        assert_eq!(work, Path::new("/w/7-abc/work"));
        assert!(folders(Path::new("/attempt-2")).is_err());
    }

    #[test]
    fn secrets_and_schedulers_variables_stay_behind() {
        let secret = ["SW_REST_PASS", "AWS_SECRET_ACCESS_KEY"];
        let others = ["SLURM_JOB_ID", "JOB_ID", "BASH_ENV", "TMOUT"];
        for name in secret.into_iter().chain(others) {
            assert!(!is_passed_on(name), "{name}");
        }
        for name in ["PATH", "HOME", "TMPDIR", "BASH_FUNC_module%%", "CUDA_VISIBLE_DEVICES"] {
            assert!(is_passed_on(name), "{name}");
        }
    }
}
