//! `seqware host`: host labels and the launchers that serve them.

pub mod list;

use clap::Subcommand;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to do with host labels.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "List labels, who serves them, and what waits")]
    List(list::Args),
}

/// Runs a command about host labels.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => block_on(list::run(args, context)),
    }
}
