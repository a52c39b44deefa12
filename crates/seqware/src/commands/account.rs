//! `seqware account`: who may use the Web Service.

pub mod change;
pub mod create;
pub mod list;
pub mod password;

use clap::Subcommand;
use std::io::IsTerminal;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::ask_secret;

/// What to do with accounts.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "Make an account")]
    Create(create::Args),
    #[command(about = "List accounts")]
    List(list::Args),
    #[command(about = "Keep an account from signing in; what it owns stays")]
    Disable(change::Args),
    #[command(about = "Let a disabled account sign in again")]
    Enable(change::Args),
    #[command(about = "Set a password: your own, or as an administrator anybody's")]
    Password(password::Args),
}

/// Runs a command about accounts.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Create(args) => block_on(create::run(args, context)),
        Command::List(args) => block_on(list::run(args, context)),
        Command::Disable(args) => block_on(change::disable(args, context)),
        Command::Enable(args) => block_on(change::enable(args, context)),
        Command::Password(args) => block_on(password::run(args, context)),
    }
}

/// Asks for a new password, twice on a terminal.
pub fn new_password(email: impl std::fmt::Display) -> Result<String, Failure> {
    let password = ask_secret(&format!("New password for {email}: "))?;
    if password.chars().count() < 8 {
        return Err(Failure::usage("a password needs at least 8 characters"));
    }
    if std::io::stdin().is_terminal() && ask_secret("Once more: ")? != password {
        return Err(Failure::usage("the two passwords differ"));
    }
    Ok(password)
}
