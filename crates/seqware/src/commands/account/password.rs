//! `seqware account password`.

use niassa_api::accounts::SetPassword;
use niassa_model::account::Email;
use serde_json::json;

use super::new_password;
use crate::commands::metadb::MetadbArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Sets a password: your own, or as an administrator anybody's.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware account password bob@lab.net
  $ seqware account password root@lab.net --metadb /var/lib/niassa/niassa.db")]
pub struct Args {
    /// The account's e-mail address
    #[arg(value_name = "EMAIL")]
    email: Email,
    /// Write to this MetaDB directly, without the service: for a lost administrator
    #[arg(long, value_name = "URL|PATH")]
    metadb: Option<String>,
}

/// Sets a password.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let email = args.email;
    if let Some(metadb) = args.metadb {
        let password = new_password(&email)?;
        MetadbArgs::at(metadb).set_password(&email, &password).await?;
    } else {
        let client = context.client()?;
        let password = new_password(&email)?;
        client.set_password(&email, &SetPassword { password }).await?;
    }
    let line = format!("Set the password of {email}");
    context.ui.did(&line, None, &json!({ "email": email }))?;
    Ok(Exit::Done)
}
