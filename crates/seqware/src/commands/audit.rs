//! `seqware audit`: who did what, when, and from where. For administrators.

pub mod check;
pub mod export;

use clap::Subcommand;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to do with the audit log.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "Print entries as lines of JSON")]
    Export(export::Args),
    #[command(about = "Look whether the log is whole")]
    Check(check::Args),
}

/// Runs a command about the audit log.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Export(args) => block_on(export::run(args, context)),
        Command::Check(args) => block_on(check::run(args, context)),
    }
}
