//! The command line: one enum, one match, one file per command.

#![expect(
    clippy::doc_markdown,
    reason = "the comments of arguments are help texts: people read them as they are"
)]

pub mod account;
pub mod agent;
pub mod audit;
pub mod bundle;
pub mod check;
pub mod completion;
pub mod create;
pub mod demo;
pub mod grant;
pub mod host;
pub mod init;
pub mod limit;
pub mod man;
pub mod metadb;
pub mod node;
pub mod query;
pub mod serve;
pub mod token;
pub mod up;
pub mod workflow;
pub mod workflow_run;

use std::future::Future;

use clap::{Args, Parser, Subcommand};
use niassa_model::accession::Accession;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::Format;

/// Schedules workflow runs through a Web Service, launches them on this host, and reports on them.
#[derive(Parser)]
#[command(
    name = "seqware",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    before_help = "\
Examples:
  $ seqware workflow schedule --accession 1 --parent-accession 99 \\
      --ini workflow.ini --host \"$(hostname --long)\"
  $ seqware workflow-run launch-scheduled --host \"$(hostname --long)\"
  $ seqware workflow-run propagate-statuses --threads 10
  $ seqware workflow-run report
  $ seqware demo       # the whole system once, in a throw-away directory"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How results are printed.
#[derive(Args, Clone, Copy)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Print JSON
    #[arg(long, global = true, conflicts_with_all = ["tsv", "quiet"])]
    json: bool,
    /// Print tab-separated text with a line of titles
    #[arg(long, global = true, conflicts_with = "quiet")]
    tsv: bool,
    /// Print accessions only
    #[arg(short, long, global = true)]
    quiet: bool,
}

impl OutputArgs {
    /// Returns the format that was asked for.
    pub fn format(self) -> Format {
        match self {
            Self { json: true, .. } => Format::Json,
            Self { tsv: true, .. } => Format::Tsv,
            Self { quiet: true, .. } => Format::Quiet,
            Self { .. } => Format::Table,
        }
    }
}

/// A noun, or a command of its own.
#[derive(Subcommand)]
pub enum Command {
    /// Installed workflows: list, ini, schedule, report
    #[command(subcommand)]
    Workflow(workflow::Command),
    /// Runs: launch, propagate, report, watch, explain, cancel, retry
    #[command(subcommand, name = "workflow-run")]
    WorkflowRun(workflow_run::Command),
    /// Workflow bundles: make, inspect, try, package, install, launch
    #[command(subcommand)]
    Bundle(bundle::Command),
    /// Make metadata: study, experiment, sample, workflow, workflow-run, file
    #[command(subcommand)]
    Create(create::Command),
    #[command(about = "Show any object by its accession")]
    Query(query::Args),
    #[command(about = "Write the settings file")]
    Init(init::Args),
    #[command(about = "Look for faults, each with its fix")]
    Check(check::Args),
    #[command(about = "The whole system in one process, for one person on one box")]
    Up(up::Args),
    #[command(about = "Launch and propagate at once when there is work")]
    Agent(agent::Args),
    #[command(about = "Show the whole system at work, in a throw-away directory")]
    Demo(demo::Args),
    #[command(about = "Run the Web Service")]
    Serve(serve::Args),
    /// Set up and look after the MetaDB
    #[command(subcommand)]
    Metadb(metadb::Command),
    /// Accounts of the Web Service
    #[command(subcommand)]
    Account(account::Command),
    /// Your tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Let others see what is yours, or launch it
    #[command(subcommand)]
    Grant(grant::Command),
    /// Host labels, their launchers, and what waits for them
    #[command(subcommand)]
    Host(host::Command),
    /// How many runs may run at a time
    #[command(subcommand)]
    Limit(limit::Command),
    /// Who did what, when, and from where
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(hide = true, about = "Print shell completions")]
    Completion(completion::Args),
    #[command(hide = true, about = "Write manual pages")]
    Man(man::Args),
    #[command(hide = true, about = "Runs steps on this machine")]
    Supervise(node::LocalArgs),
    #[command(hide = true, about = "Waits for steps whose supervisor was killed")]
    Guard(node::LocalArgs),
    #[command(hide = true, about = "Moves the outputs of an attempt to their place")]
    Provision(node::ProvisionArgs),
    #[command(hide = true, about = "Runs one attempt as a job of a cluster")]
    Step(node::StepArgs),
    #[command(hide = true, about = "Looks at a node for `check --from-node`")]
    NodeCheck(check::NodeCheckArgs),
}

/// Runs a command.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Workflow(command) => workflow::run(command, context),
        Command::WorkflowRun(command) => workflow_run::run(command, context),
        Command::Bundle(command) => bundle::run(command, context),
        Command::Create(command) => create::run(command, context),
        Command::Query(args) => block_on(query::run(args, context)),
        Command::Init(args) => block_on(init::run(args, context)),
        Command::Check(args) => block_on(check::run(args, context)),
        Command::Up(args) => block_on_many(up::run(args, context)),
        Command::Agent(args) => block_on_many(agent::run(args, context)),
        Command::Demo(args) => demo::run(&args, context),
        Command::Serve(args) => block_on_many(serve::run(args, context)),
        Command::Metadb(command) => metadb::run(command, context),
        Command::Account(command) => account::run(command, context),
        Command::Token(command) => token::run(command, context),
        Command::Grant(command) => grant::run(command, context),
        Command::Host(command) => host::run(command, context),
        Command::Limit(command) => limit::run(command, context),
        Command::Audit(command) => audit::run(command, context),
        Command::Completion(args) => completion::run(&args, context),
        Command::Man(args) => man::run(&args, context),
        Command::Supervise(args) => node::supervise(&args),
        Command::Guard(args) => node::guard(&args),
        Command::Provision(args) => node::provision(&args),
        Command::Step(args) => node::step(args),
        Command::NodeCheck(args) => check::on_node(&args, context),
    }
}

/// Runs a command on a runtime of one thread: most do one call after another.
pub fn block_on<Output>(
    command: impl Future<Output = Result<Output, Failure>>,
) -> Result<Output, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", error))?
        .block_on(command)
}

/// Runs a command on a runtime of several threads: a service serves many at once.
pub fn block_on_many<Output>(
    command: impl Future<Output = Result<Output, Failure>>,
) -> Result<Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", error))?;
    let result = runtime.block_on(command);
    // A thread that still hashes a password must not keep a stopped service alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result
}

/// Names one object.
#[derive(Args, Clone, Copy)]
pub struct OneAccession {
    /// Its accession (SWID)
    #[arg(long, value_name = "SWID")]
    pub accession: Accession,
}

/// Names several objects.
#[derive(Args, Clone)]
pub struct ManyAccessions {
    /// Accessions (SWIDs), separated by commas or given repeatedly
    #[arg(long, value_name = "SWID", value_delimiter = ',', required = true)]
    pub accession: Vec<Accession>,
}

impl ManyAccessions {
    /// Returns each accession once, in the order given.
    pub fn each_once(self) -> Vec<Accession> {
        let mut seen = std::collections::HashSet::new();
        self.accession.into_iter().filter(|accession| seen.insert(*accession)).collect()
    }
}

#[cfg(test)]
mod packaged;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
