//! `cargo xtask faults`: the crash tests of `crates/seqware/tests/it/faults.rs`, chosen, counted, and
//! written into docs/reliability.md.

mod options;
pub(crate) mod page;
mod results;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::repository::Repository;
use options::{Options, Order};
pub(crate) use results::Results;

/// Plays cells and counts what was found.
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let options = Options::parse(arguments)?;
    let (is_success, results) = match &options.kept {
        Some(kept) => (true, Results::read(kept)?),
        None => play(repository, &options)?,
    };
    print!("{}", results.told());
    if options.order == Order::Compared {
        for order in [page::THEIRS, page::OURS] {
            println!("{order}: {}", results.of(order).counts());
        }
    }
    if options.is_written {
        page::write(repository.root(), &results, options.order)?;
    }
    let is_good = match options.order {
        Order::IntentFirst => results.is_good(),
        Order::Compared => results.of(page::OURS).is_good(),
    };
    Ok(if is_success && is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays cells; tells whether all went well, and what came of each.
fn play(repository: &Repository, options: &Options) -> Result<(bool, Results)> {
    let file = tempfile::NamedTempFile::new().context("cannot make the file of results")?;
    // A person may want to keep the results.
    let path = std::env::var_os(results::VARIABLE).map(PathBuf::from);
    let path = path.unwrap_or_else(|| file.path().to_owned());
    let mut command = command(repository, options);
    let status = command.env(results::VARIABLE, &path).status();
    Ok((status.context("cannot start cargo test")?.success(), Results::read(&path)?))
}

/// Returns the command that plays a sample, for the whole test run, in the time it has left; it writes its results to where
/// [`results::VARIABLE`] says.
pub(crate) fn sample(repository: &Repository, left: Duration) -> Command {
    command(repository, &Options::within(left))
}

/// The environment variable that names the file of results.
pub(crate) const RESULTS: &str = results::VARIABLE;

fn command(repository: &Repository, options: &Options) -> Command {
    let mut command = repository.cargo();
    command.args(["test", "--quiet", "--workspace", "--test", "it", "--"]);
    command.args(["--exact", options.order.test(), "--nocapture", "--include-ignored"]);
    command.envs(options.environment());
    command
}
