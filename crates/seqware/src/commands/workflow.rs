//! `seqware workflow`: installed workflows.

pub mod ini;
pub mod list;
pub mod report;
pub mod schedule;

use clap::Subcommand;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to do with workflows.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "List installed workflows")]
    List(list::Args),
    #[command(about = "Write an ini file with a workflow's parameters")]
    Ini(ini::Args),
    #[command(about = "Schedule a run for a host")]
    Schedule(schedule::Args),
    #[command(about = "Report on the runs of a workflow")]
    Report(report::Args),
}

/// Runs a command about workflows.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => block_on(list::run(args, context)),
        Command::Ini(args) => block_on(ini::run(args, context)),
        Command::Schedule(args) => block_on(schedule::run(args, context)),
        Command::Report(args) => block_on(report::run(args, context)),
    }
}
