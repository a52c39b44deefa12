//! `seqware account create`.

use niassa_api::accounts::CreateAccount;
use niassa_model::account::{Email, Role};
use serde_json::json;

use super::new_password;
use crate::commands::metadb::MetadbArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Makes an account. The password is asked for, or read from standard input.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware account create bob@lab.net
  $ pass show niassa/bob | seqware account create bob@lab.net
  $ seqware account create root@lab.net --admin --metadb ~/niassa.db")]
pub struct Args {
    /// The e-mail address it signs in with
    #[arg(value_name = "EMAIL")]
    email: Email,
    /// Make it an administrator, who sees and does everything
    #[arg(long)]
    admin: bool,
    /// Write to this MetaDB directly, without the service: for a lost administrator
    #[arg(long, value_name = "URL|PATH")]
    metadb: Option<String>,
}

/// Makes an account.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let role = if args.admin { Role::Administrator } else { Role::Member };
    let email = args.email;
    if let Some(metadb) = args.metadb {
        let location = MetadbArgs::at(metadb);
        let password = new_password(&email)?;
        location.create_account(&email, role, &password).await?;
    } else {
        let client = context.client()?;
        let password = new_password(&email)?;
        client.create_account(&CreateAccount { email: email.clone(), role, password }).await?;
    }
    let line = format!("Created account {email} ({})", role.as_str());
    context.ui.did(&line, None, &json!({ "email": email, "role": role }))?;
    Ok(Exit::Done)
}
