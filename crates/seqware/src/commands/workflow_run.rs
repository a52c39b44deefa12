//! `seqware workflow-run`: executions of workflows.

pub mod cancel;
pub mod explain;
pub mod ini;
pub mod launch_scheduled;
pub mod logs;
pub mod mark;
pub mod priority;
pub mod propagate_statuses;
pub mod report;
pub mod reschedule;
pub mod retry;
pub mod watch;
mod whole_log;

use clap::Subcommand;
use niassa_api::runs::{RunResult, RunResults};

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to do with runs.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "Launch the runs that wait for this host")]
    LaunchScheduled(launch_scheduled::Args),
    #[command(about = "Tell the Web Service what the engine did")]
    PropagateStatuses(propagate_statuses::Args),
    #[command(about = "Report on one run, or list my last 20")]
    Report(report::Args),
    #[command(about = "Follow a run to its end")]
    Watch(watch::Args),
    #[command(about = "Say why a run stands where it stands, and what to do")]
    Explain(explain::Args),
    #[command(about = "Ask for runs to be cancelled")]
    Cancel(cancel::Args),
    #[command(about = "Ask for failed or cancelled runs to be tried again")]
    Retry(retry::Args),
    #[command(about = "Say how urgent runs are")]
    Priority(priority::Args),
    #[command(about = "Give marks to runs, and take marks away")]
    Mark(mark::Args),
    #[command(about = "Schedule a run's workflow and values once more")]
    Reschedule(reschedule::Args),
    #[command(about = "Write a run's standard output to a file")]
    Stdout(logs::Args),
    #[command(about = "Write a run's standard error to a file")]
    Stderr(logs::Args),
    #[command(about = "Write a run's effective ini to a file")]
    Ini(ini::Args),
}

/// Runs a command about runs.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::LaunchScheduled(args) => block_on(launch_scheduled::run(args, context)),
        Command::PropagateStatuses(args) => block_on(propagate_statuses::run(args, context)),
        Command::Report(args) => block_on(report::run(args, context)),
        Command::Watch(args) => block_on(watch::run(args, context)),
        Command::Explain(args) => block_on(explain::run(args, context)),
        Command::Cancel(args) => block_on(cancel::run(args, context)),
        Command::Retry(args) => block_on(retry::run(args, context)),
        Command::Priority(args) => block_on(priority::run(args, context)),
        Command::Mark(args) => block_on(mark::run(args, context)),
        Command::Reschedule(args) => block_on(reschedule::run(args, context)),
        Command::Stdout(args) => block_on(logs::run(args, logs::Stream::Stdout, context)),
        Command::Stderr(args) => block_on(logs::run(args, logs::Stream::Stderr, context)),
        Command::Ini(args) => block_on(ini::run(args, context)),
    }
}

/// Tells which runs of a request could not be served. Some of them is partly; all of them is a
/// conflict, or not found where none of them may be seen.
fn told_results(results: &RunResults, context: &mut Context) -> Exit {
    for result in &results.results {
        if let Some(why) = &result.refused {
            context.ui.note(&format!("run {}: {why}", result.swid));
        }
    }
    exit_of_results(&results.results)
}

fn exit_of_results(results: &[RunResult]) -> Exit {
    let refused = results.iter().filter(|result| result.refused.is_some()).count();
    match refused {
        0 => Exit::Done,
        all if all < results.len() => Exit::Partly,
        _ if results.iter().all(|result| result.status.is_none()) => Exit::NotFound,
        _ => Exit::Conflict,
    }
}

/// Writes accessions as Niassa does: `[1, 2]`.
fn bracketed(accessions: &[niassa_model::accession::Accession]) -> String {
    let texts: Vec<String> = accessions.iter().map(ToString::to_string).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use niassa_model::accession::Accession;
    use niassa_model::run::RunStatus;

    use super::*;

    #[test]
    fn what_could_not_be_done_decides_the_exit_code() {
        let result = |status: Option<RunStatus>, refused: Option<&str>| RunResult {
            swid: Accession::try_from(1).unwrap(),
            status,
            refused: refused.map(str::to_owned),
        };
        let done = result(Some(RunStatus::SubmittedCancel), None);
        let over = result(Some(RunStatus::Completed), Some("it is over"));
        let unseen = result(None, Some("no such run"));
        let code = |results: &[&RunResult]| {
            let results: Vec<RunResult> = results.iter().map(|one| (*one).clone()).collect();
            exit_of_results(&results).code()
        };
        assert_eq!(code(&[&done, &done]), 0);
        assert_eq!(code(&[&done, &over]), 8);
        assert_eq!(code(&[&over, &unseen]), 5);
        assert_eq!(code(&[&unseen]), 3);
    }
}
