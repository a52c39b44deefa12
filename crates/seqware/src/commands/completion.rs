//! `seqware completion`, hidden: packages call it.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Prints a completion script.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware completion bash > /etc/bash_completion.d/seqware")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints a completion script.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "seqware", &mut script);
    context.ui.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
