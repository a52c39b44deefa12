//! `seqware token`: credentials that can do less than a password, for a limited time.

pub mod create;
pub mod list;
pub mod revoke;

use clap::Subcommand;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to do with tokens.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "Make a token; its secret is shown this once")]
    Create(create::Args),
    #[command(about = "List your tokens")]
    List(list::Args),
    #[command(about = "Make a token useless")]
    Revoke(revoke::Args),
}

/// Runs a command about tokens.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Create(args) => block_on(create::run(args, context)),
        Command::List(args) => block_on(list::run(args, context)),
        Command::Revoke(args) => block_on(revoke::run(args, context)),
    }
}
