//! Slurm, through `sbatch`, `squeue`, `scontrol`, `scancel` and `sacct`; tested on 22.05.
//!
//! What is said to these programs and what they answer is text and types in the files below; here
//! they are only called. Several numbers of jobs go into one call, in chunks.

mod accounting;
mod controller;
mod queue;
mod state;
mod submit;

use niassa_model::job::{EndedJob, JobId};
use niassa_model::place::EngineKind;

use super::command::{Answer, ask, ask_unless};
use super::{ClusterSettings, JobRequest, Queue, Scheduler, SchedulerError, SubmitError};

/// How many jobs one call names.
const JOBS_PER_CALL: usize = 200;

const SBATCH: &str = "sbatch";
const SQUEUE: &str = "squeue";
const SCONTROL: &str = "scontrol";
const SCANCEL: &str = "scancel";
const SACCT: &str = "sacct";

/// A Slurm cluster, as the programs in PATH of the given environment reach it.
#[derive(Debug, Clone)]
pub struct Slurm {
    settings: ClusterSettings,
}

impl Slurm {
    /// Makes the adapter; nothing is called yet.
    pub fn new(settings: ClusterSettings) -> Self {
        Self { settings }
    }

    fn call(&self, program: &'static str, words: &[&str]) -> Result<Answer, SchedulerError> {
        ask(program, words, &self.settings.environment)
    }

    fn config(&self) -> Result<String, SchedulerError> {
        self.call(SCONTROL, &["show", "config"])?.success(SCONTROL)
    }
}

impl Scheduler for Slurm {
    fn kind(&self) -> EngineKind {
        EngineKind::Slurm
    }

    fn cluster_name(&self) -> Result<String, SchedulerError> {
        Ok(controller::value(&self.config()?, "ClusterName")?.to_owned())
    }

    fn array_limit(&self) -> Result<u32, SchedulerError> {
        controller::array_limit(&self.config()?)
    }

    fn submit(&self, job: &JobRequest) -> Result<JobId, SubmitError> {
        let arguments = submit::arguments(job, &self.settings)?;
        let environment = &self.settings.environment;
        let asked = ask_unless(SBATCH, arguments, environment, submit::GOES_ON_TRYING);
        submit::answer(&asked.map_err(|error| SubmitError::InDoubt(crate::chain(&error)))?)
    }

    fn look(&self) -> Result<Queue, SchedulerError> {
        // The start time first: a restart between the two calls must not make old numbers look new.
        let started = controller::value(&self.config()?, "BOOT_TIME")?.to_owned();
        let user = rustix::process::geteuid().as_raw().to_string();
        let columns = queue::columns();
        // `-a`: jobs in partitions that are hidden from this user would seem to be gone.
        let words = ["-a", "-h", "-r", "-t", "all", "-u", &user, "-O", &columns];
        let shown = self.call(SQUEUE, &words)?.success(SQUEUE)?;
        Ok(Queue { scheduler_started: Some(started), jobs: queue::parse(&shown)? })
    }

    fn release(&self, jobs: &[JobId]) -> Result<(), SchedulerError> {
        for chunk in jobs.chunks(JOBS_PER_CALL) {
            let ids = numbers(chunk, SCONTROL)?;
            let answer = self.call(SCONTROL, &[&["release"], ids.as_slice()].concat())?;
            controller::passed_over(answer, SCONTROL)?;
        }
        Ok(())
    }

    /// Within a chunk Slurm decides the order. No child of ours starts by it: it waits with `afterok`,
    /// which a cancelled job never fulfils.
    fn cancel(&self, jobs: &[JobId]) -> Result<(), SchedulerError> {
        for chunk in jobs.chunks(JOBS_PER_CALL) {
            let answer = self.call(SCANCEL, &numbers(chunk, SCANCEL)?)?;
            controller::passed_over(answer, SCANCEL)?;
        }
        Ok(())
    }

    fn ends(&self, jobs: &[JobId]) -> Result<Vec<EndedJob>, SchedulerError> {
        let mut ends = Vec::new();
        for chunk in jobs.chunks(JOBS_PER_CALL) {
            let ids = numbers(chunk, SACCT)?.join(",");
            // `-D`: else only the last job of a number is told, which may be a stranger's.
            let words = ["-n", "-P", "-X", "-D", accounting::DELIMITER, "-j", &ids, "-o"];
            let answer = self.call(SACCT, &[&words[..], &[accounting::COLUMNS]].concat())?;
            if accounting::is_absent(&answer) {
                return Ok(Vec::new());
            }
            ends.extend(accounting::parse(&answer.success(SACCT)?)?);
        }
        // A whole array is answered by its elements; only what was asked for is told.
        ends.retain(|job| jobs.contains(&job.id));
        Ok(ends)
    }
}

/// Returns numbers as words for a command line; anything else never gets there.
fn numbers<'a>(jobs: &'a [JobId], program: &'static str) -> Result<Vec<&'a str>, SchedulerError> {
    let number = |id: &'a JobId| match is_number(&id.0) {
        true => Ok(id.0.as_str()),
        false => Err(not_understood(program, format!("`{id}` as the number of a job"))),
    };
    jobs.iter().map(number).collect()
}

/// Tells whether it is `17` or `17_4`.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('_') {
        Some((job, element)) => digits(job) && digits(element),
        None => digits(text),
    }
}

fn not_understood(program: &'static str, what: impl Into<String>) -> SchedulerError {
    SchedulerError::NotUnderstood { program, what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_jobs_reach_a_command_line() {
        for text in ["17", "17_4"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "_", "17_", "_4", "17_4_1", "-17", "17 18", "17_[1-4]", "17+1", "--me"] {
            assert!(!is_number(text), "{text}");
        }
        let slurm = Slurm::new(ClusterSettings::default());
        let strange = [JobId("--me".to_owned())];
        assert!(matches!(slurm.cancel(&strange), Err(SchedulerError::NotUnderstood { .. })));
        assert!(matches!(slurm.release(&strange), Err(SchedulerError::NotUnderstood { .. })));
        assert!(matches!(slurm.ends(&strange), Err(SchedulerError::NotUnderstood { .. })));
    }

    #[test]
    fn nothing_is_called_for_no_jobs() {
        let slurm = Slurm::new(ClusterSettings::default());
        assert!(slurm.cancel(&[]).is_ok() && slurm.release(&[]).is_ok());
        assert!(matches!(slurm.ends(&[]), Ok(ends) if ends.is_empty()));
        assert_eq!(slurm.kind(), EngineKind::Slurm);
    }
}
