//! `seqware grant`: letting others see what is yours, or launch it.

pub mod launch;
pub mod list;
pub mod revoke;

use clap::Subcommand;
use niassa_model::accession::Accession;
use niassa_model::account::Email;
use serde_json::json;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to share.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "Let an account read a study and everything below it")]
    Read(ReadArgs),
    #[command(about = "Let an account launch your runs on a host")]
    Launch(launch::Args),
    #[command(about = "List who may launch whose runs")]
    List(list::Args),
    #[command(about = "Take back that an account may launch runs")]
    Revoke(revoke::Args),
}

/// Lets an account read a study, the runs below it, and their files.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware grant read --study 2 --to alice@lab.net")]
pub struct ReadArgs {
    /// The study
    #[arg(long, value_name = "SWID")]
    study: Accession,
    /// The account
    #[arg(long, value_name = "EMAIL")]
    to: Email,
}

/// Shares something.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Read(args) => block_on(read(args, context)),
        Command::Launch(args) => block_on(launch::run(args, context)),
        Command::List(args) => block_on(list::run(args, context)),
        Command::Revoke(args) => block_on(revoke::run(args, context)),
    }
}

async fn read(args: ReadArgs, context: &mut Context) -> Result<Exit, Failure> {
    let ReadArgs { study, to } = args;
    context.client()?.add_study_reader(study, to.clone()).await?;
    let line = format!("{to} may read study {study}");
    context.ui.did(&line, Some(study), &json!({ "study": study, "email": to }))?;
    Ok(Exit::Done)
}
