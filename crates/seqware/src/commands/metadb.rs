//! `seqware metadb`: setting up and looking after the MetaDB, without the service.

pub mod check;
pub mod init;
pub mod migrate;

use std::path::Path;

use clap::Subcommand;
use niassa_model::account::{Email, Role};
use niassa_webservice::administer;

use super::block_on;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What to do with the MetaDB.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "Migrate a new MetaDB and make its first account")]
    Init(init::Args),
    #[command(about = "Bring a MetaDB to the version of this program")]
    Migrate(migrate::Args),
    #[command(about = "Look whether a MetaDB can be used")]
    Check(check::Args),
}

/// Runs a command about the MetaDB.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => block_on(init::run(args, context)),
        Command::Migrate(args) => block_on(migrate::run(args, context)),
        Command::Check(args) => block_on(check::run(args, context)),
    }
}

/// Where a MetaDB is.
#[derive(clap::Args, Clone)]
pub struct MetadbArgs {
    /// A file for SQLite, a URL for PostgreSQL; the password is never part of the command line
    #[arg(long, value_name = "URL|PATH")]
    pub metadb: String,
}

impl MetadbArgs {
    /// Names a MetaDB.
    pub fn at(metadb: String) -> Self {
        Self { metadb }
    }

    /// Returns where it is, if it may be there: a file is not made by looking at it.
    pub fn existing(&self) -> Result<&str, Failure> {
        let is_url = self.metadb.contains("://");
        if is_url || Path::new(&self.metadb).exists() {
            return Ok(&self.metadb);
        }
        let what = format!("there is no MetaDB at {}", self.metadb);
        let hint = format!("seqware metadb init --metadb '{}' --admin EMAIL", self.metadb);
        Err(Failure::new(Exit::NotFound, what).with_hint(hint))
    }

    /// Makes an account in it.
    pub async fn create_account(
        &self,
        email: &Email,
        role: Role,
        password: &str,
    ) -> Result<(), Failure> {
        Ok(administer::create_account(self.existing()?, email, role, password).await?)
    }

    /// Sets a password in it.
    pub async fn set_password(&self, email: &Email, password: &str) -> Result<(), Failure> {
        Ok(administer::set_password(self.existing()?, email, password).await?)
    }
}
