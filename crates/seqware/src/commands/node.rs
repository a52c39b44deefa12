//! Hidden verbs that the local engine starts: `guard`, `supervise`, `provision`.

use std::path::PathBuf;
use std::sync::Arc;

use niassa_pipeline::engine::local::{LocalError, LocalHome, guardian, supervisor};
use niassa_pipeline::step::provision;

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
