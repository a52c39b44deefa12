//! `seqware host`: host labels and the launchers that serve them.

pub mod hold;
pub mod list;
pub mod release;

use clap::Subcommand;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to do with host labels.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "List labels, who serves them, and what waits")]
    List(list::Args),
    #[command(about = "Let a label give out no new launches")]
    Hold(hold::Args),
    #[command(about = "Let a label give out launches again")]
    Release(release::Args),
}

/// Runs a command about host labels.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => block_on(list::run(args, context)),
        Command::Hold(args) => block_on(hold::run(args, context)),
        Command::Release(args) => block_on(release::run(args, context)),
    }
}
