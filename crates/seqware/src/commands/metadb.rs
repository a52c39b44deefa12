//! `seqware metadb`: setting up and looking after the MetaDB, without the service.

pub mod backup;
pub mod check;
pub mod init;
pub mod migrate;
pub mod reconcile;
pub mod restore;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use niassa_model::account::{Email, Role};
use niassa_pipeline::server_programs::{Server, ServerProgramError};
use niassa_webservice::administer::{self, AdministerError};
use niassa_webservice::backup::{BackupError, ServerAccess};
use niassa_webservice::config::ServiceConfig;

use super::{block_on, serve};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::settings::Surroundings;

/// What to do with the MetaDB.
#[derive(Subcommand)]
pub enum Command {
    #[command(about = "Migrate a new MetaDB and make its first account")]
    Init(init::Args),
    #[command(about = "Bring a MetaDB to the version of this program")]
    Migrate(migrate::Args),
    #[command(about = "Copy a MetaDB and its archives while the service goes on")]
    Backup(backup::Args),
    #[command(about = "Put a backup back into a new place")]
    Restore(restore::Args),
    #[command(about = "Look whether a MetaDB can be relied upon")]
    Check(check::Args),
    #[command(about = "Take in runs that only their directories know, after a restore")]
    Reconcile(reconcile::Args),
}

/// Runs a command about the MetaDB.
pub fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => block_on(init::run(args, context)),
        Command::Migrate(args) => block_on(migrate::run(args, context)),
        Command::Backup(args) => block_on(backup::run(args, context)),
        Command::Restore(args) => block_on(restore::run(args, context)),
        Command::Check(args) => block_on(check::run(args, context)),
        Command::Reconcile(args) => block_on(reconcile::run(args, context)),
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
        exists(&self.metadb).map(|()| self.metadb.as_str())
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

/// Where a service keeps what it knows: the MetaDB and the archives.
#[derive(clap::Args, Clone)]
pub struct StoredArgs {
    /// A file for SQLite, a URL for PostgreSQL; by default what the service's configuration says
    #[arg(long, value_name = "URL|PATH")]
    metadb: Option<String>,
    /// A file with the password of a PostgreSQL server, closed to others
    #[arg(long, value_name = "FILE")]
    metadb_password_file: Option<PathBuf>,
    /// The service's data directory, where bundles are kept
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The service's configuration file; by default the one that `serve` reads
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl StoredArgs {
    /// Puts the flags over the service's configuration.
    pub fn config(&self, surroundings: &Surroundings) -> Result<ServiceConfig, Failure> {
        let config = serve::config_in_file(self.config.clone(), surroundings)?;
        let config = ServiceConfig {
            metadb: self.metadb.clone().or(config.metadb),
            metadb_password_file: self.metadb_password_file.clone().or(config.metadb_password_file),
            data: self.data.clone().or(config.data).or_else(|| surroundings.data_dir()),
            ..config
        };
        if self.metadb.is_some() && config.location()?.holds_password() {
            return Err(AdministerError::PasswordOnCommandLine.into());
        }
        Ok(config)
    }

    /// The same, where the MetaDB has to be there: a file is not made by looking at it.
    pub fn existing(&self, surroundings: &Surroundings) -> Result<ServiceConfig, Failure> {
        let config = self.config(surroundings)?;
        let metadb = match &config.metadb {
            Some(metadb) => metadb.clone(),
            None => config.data().join("niassa.db").display().to_string(),
        };
        exists(&metadb).map(|()| config)
    }
}

fn exists(metadb: &str) -> Result<(), Failure> {
    if metadb.contains("://") || Path::new(metadb).exists() {
        return Ok(());
    }
    let what = format!("there is no MetaDB at {metadb}");
    let hint = format!("seqware metadb init --metadb '{metadb}' --admin EMAIL");
    Err(Failure::new(Exit::NotFound, what).with_hint(hint))
}

/// Says how a server's own programs reach it.
fn server_of(access: &ServerAccess) -> Server<'_> {
    Server { url: &access.url, password: access.password.as_deref() }
}

impl From<ServerProgramError> for Failure {
    fn from(error: ServerProgramError) -> Self {
        let failure = Self::of(Exit::Unexpected, &error);
        match error {
            ServerProgramError::NotInstalled { .. } => failure.with_hint(
                "install PostgreSQL's client programs of the server's version or a later one",
            ),
            ServerProgramError::Failed { said, .. } if said.contains("version mismatch") => failure
                .with_hint("put client programs of the server's version or a later one into PATH"),
            ServerProgramError::Failed { .. } | ServerProgramError::Start { .. } => failure,
        }
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let exit = match &error {
            BackupError::Busy(_)
            | BackupError::NotEmpty(_)
            | BackupError::Changed(_)
            | BackupError::Newer { .. }
            | BackupError::NotTheSame => Exit::Conflict,
            BackupError::NoBackup(_) | BackupError::NoArchives { .. } => Exit::NotFound,
            BackupError::OtherDatabase { .. } => Exit::Usage,
            BackupError::File { .. } | BackupError::MetaDb(_) | BackupError::Manifest { .. } => {
                Exit::Unexpected
            }
            BackupError::Administer(_) | BackupError::Config(_) => {
                return match error {
                    BackupError::Administer(error) => error.into(),
                    BackupError::Config(error) => error.into(),
                    error => Self::of(Exit::Unexpected, &error),
                };
            }
        };
        let failure = Self::of(exit, &error);
        match error {
            BackupError::NoArchives { .. } => {
                failure.with_hint("name the service's data directory: --data DIR")
            }
            _ => failure,
        }
    }
}
