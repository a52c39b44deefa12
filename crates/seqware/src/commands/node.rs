//! Hidden verbs that engines start: `guard`, `supervise`, `provision`, and on clusters `step`.

use std::path::PathBuf;
use std::sync::Arc;

use niassa_pipeline::engine::local::{LocalError, LocalHome, guardian, supervisor};
use niassa_pipeline::step::{provision, runner};

use crate::clock::SystemClock;
use crate::exit::{Exit, Failure};
use crate::settings::{Surroundings, this_executable};

/// Where the engine works.
#[derive(clap::Args)]
pub struct LocalArgs {
    /// The work directory
    #[arg(long, value_name = "DIR")]
    work_dir: PathBuf,
}

/// Which attempt has outputs.
#[derive(clap::Args)]
pub struct ProvisionArgs {
    /// The attempt's directory
    #[arg(value_name = "DIR")]
    attempt: PathBuf,
}

/// Which attempt a job of a cluster is about.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct StepArgs {
    /// The attempt's directory
    #[arg(value_name = "DIR")]
    attempt: Option<PathBuf>,
    /// A list of attempts' directories; the scheduler's number of the array's element says which
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
}

/// Starts steps on this machine until there was nothing to do for a while.
pub fn supervise(args: &LocalArgs) -> Result<Exit, Failure> {
    let home = open(args)?;
    let environment = Surroundings::for_jobs();
    let options = supervisor::SupervisorOptions::of_this_machine(executable()?, environment);
    supervisor::run(&home, options, Arc::new(SystemClock)).map_err(failed)?;
    Ok(Exit::Done)
}

/// Starts the supervisor, and reaps its steps should it be killed.
pub fn guard(args: &LocalArgs) -> Result<Exit, Failure> {
    guardian::run(&open(args)?, &executable()?, &SystemClock).map_err(failed)?;
    Ok(Exit::Done)
}

/// Checksums an attempt's outputs and moves them to their place.
pub fn provision(args: &ProvisionArgs) -> Result<Exit, Failure> {
    provision::run(&args.attempt).map_err(|error| Failure::of(Exit::Unexpected, &error))?;
    Ok(Exit::Done)
}

/// Runs one attempt as a job of a cluster. Ends with 0 only where its result is success, and else
/// with 1: schedulers give other codes a meaning of their own.
pub fn step(args: StepArgs) -> Result<Exit, Failure> {
    let which = match (args.list, args.attempt) {
        (Some(list), _) => runner::Which::ElementOf(list),
        (None, Some(attempt)) => runner::Which::Attempt(attempt),
        (None, None) => return Err(Failure::new(Exit::Unexpected, "no attempt is named")),
    };
    runner::run(&which, Surroundings::for_jobs(), &SystemClock)
        .map_err(|error| Failure::of(Exit::Unexpected, &error))?;
    Ok(Exit::Done)
}

fn open(args: &LocalArgs) -> Result<LocalHome, Failure> {
    LocalHome::open(&args.work_dir).map_err(failed)
}

fn executable() -> Result<PathBuf, Failure> {
    this_executable().map_err(|error| Failure::io("find this program's file", error))
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn failed(error: LocalError) -> Failure {
    Failure::of(Exit::Unexpected, &error)
}
