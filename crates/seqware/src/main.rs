//! The `seqware` executable: arguments in, printed lines and an exit code out.
//!
//! Nothing is decided here: a command reads its arguments, calls the crate that knows, and prints
//! what came of it through `ui`. An asynchronous runtime is made only by commands that need one.

#![expect(
    unreachable_pub,
    reason = "in an executable `pub` says what a module offers to the others of this crate"
)]

mod clock;
mod commands;
mod context;
mod deployments;
mod exit;
mod faults;
mod files;
mod follow;
mod host;
mod on_change;
mod pipeline;
mod service;
mod settings;
mod ui;
mod work_loop;

use std::process::ExitCode;

use clap::Parser;

use commands::Cli;
use context::Context;
use settings::Surroundings;
use ui::Ui;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let surroundings = Surroundings::of_this_process();
    let ui = Ui::standard(cli.output.format(), surroundings.look());
    let mut context = Context::new(ui, surroundings);
    let exit = match commands::run(cli.command, &mut context) {
        Ok(exit) => exit,
        Err(failure) => {
            context.ui.failure(&failure);
            failure.exit()
        }
    };
    ExitCode::from(exit.code())
}
