//! `seqware metadb init`.

use niassa_model::account::Email;
use niassa_webservice::administer;
use serde_json::json;

use super::MetadbArgs;
use crate::commands::account::new_password;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Migrates a new MetaDB and makes its first account, an administrator.
///
/// The password is asked for, or read from standard input. There is no default account.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware metadb init --metadb ~/niassa.db --admin you@lab.net
  $ pass show niassa | seqware metadb init \\
      --metadb postgresql://niassa@db/niassa --admin you@lab.net")]
pub struct Args {
    #[command(flatten)]
    location: MetadbArgs,
    /// The administrator's e-mail address
    #[arg(long, value_name = "EMAIL")]
    admin: Email,
}

/// Sets up a MetaDB.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let password = new_password(&args.admin)?;
    administer::init_metadb(&args.location.metadb, &args.admin, &password).await?;
    let line = format!("Created account {} (administrator)", args.admin);
    context.ui.did(&line, None, &json!({ "email": args.admin, "role": "administrator" }))?;
    Ok(Exit::Done)
}
