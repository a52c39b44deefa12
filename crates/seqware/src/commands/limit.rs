//! `seqware limit`: how many runs may run at a time. For administrators.

pub mod list;
pub mod remove;
pub mod set;

use clap::Subcommand;
use niassa_api::limits::LimitOn;
use niassa_model::accession::Accession;
use niassa_model::account::Email;
use niassa_model::host::HostLabel;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to do with limits.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "Set how many runs may run at a time")]
    Set(set::Args),
    #[command(about = "List limits, and how many runs each counts")]
    List(list::Args),
    #[command(about = "Let any number of runs run at a time")]
    Remove(remove::Args),
}

/// Runs a command about limits.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Set(args) => block_on(set::run(args, context)),
        Command::List(args) => block_on(list::run(args, context)),
        Command::Remove(args) => block_on(remove::run(args, context)),
    }
}

/// Names what a limit is on.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct OnArgs {
    /// The runs of a workflow
    #[arg(long, value_name = "SWID")]
    workflow: Option<Accession>,
    /// The runs of an account
    #[arg(long, value_name = "EMAIL")]
    account: Option<Email>,
    /// The runs with a label
    #[arg(long, value_name = "LABEL")]
    host: Option<HostLabel>,
}

impl OnArgs {
    /// Returns what was named.
    fn on(self) -> Result<LimitOn, Failure> {
        let workflow = self.workflow.map(LimitOn::Workflow);
        let account = self.account.map(LimitOn::Account);
        let named = workflow.or(account).or(self.host.map(LimitOn::Host));
        named.ok_or_else(|| Failure::usage("one of --workflow, --account and --host is needed"))
    }
}

/// Writes what a limit is on.
fn named(on: &LimitOn) -> String {
    match on {
        LimitOn::Workflow(swid) => format!("workflow {swid}"),
        LimitOn::Account(email) => format!("account {email}"),
        LimitOn::Host(label) => format!("host {label}"),
    }
}
