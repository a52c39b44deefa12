//! `seqware bundle`: workflow bundles.

pub mod dry_run;
pub mod init;
pub mod inspect;
pub mod install;
pub mod launch;
pub mod list;
mod opened;
pub mod package;

use clap::Subcommand;

use super::{block_on, block_on_many};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to do with bundles.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "Write the skeleton of a new bundle")]
    Init(init::Args),
    #[command(about = "List the workflows in a bundle, or in a folder of bundles")]
    List(list::Args),
    #[command(about = "Show parameters and steps of a bundle, and what is odd about them")]
    Inspect(inspect::Args),
    #[command(about = "Make plan and scripts of a run, without running anything")]
    DryRun(dry_run::Args),
    #[command(about = "Run a bundle now, on this machine, and follow it to its end")]
    Launch(launch::Args),
    #[command(about = "Pack a bundle into a zip archive")]
    Package(package::Args),
    #[command(about = "Install a bundle, so that its workflow can be scheduled")]
    Install(install::Args),
}

/// Runs a command about bundles.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(args, context),
        Command::List(args) => list::run(&args, context),
        Command::Inspect(args) => inspect::run(&args, context),
        Command::DryRun(args) => dry_run::run(&args, context),
        Command::Launch(args) => block_on_many(launch::run(args, context)),
        Command::Package(args) => package::run(&args, context),
        Command::Install(args) => block_on(install::run(args, context)),
    }
}
