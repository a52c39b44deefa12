//! `seqware account disable` and `enable`.

use niassa_api::accounts::{AccountState, ChangeAccount};
use niassa_model::account::Email;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Names an account.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware account disable bob@lab.net
  $ seqware account enable bob@lab.net")]
pub struct Args {
    /// The account's e-mail address
    #[arg(value_name = "EMAIL")]
    email: Email,
}

/// Keeps an account from signing in.
pub async fn disable(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    change(args, AccountState::Disabled, "Disabled", context).await
}

/// Lets an account sign in again.
pub async fn enable(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    change(args, AccountState::Enabled, "Enabled", context).await
}

async fn change(
    args: Args,
    state: AccountState,
    word: &str,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let request = ChangeAccount { state: Some(state), role: None };
    let account = context.client()?.change_account(&args.email, &request).await?;
    context.ui.did(&format!("{word} account {}", account.email), None, &json!(account))?;
    Ok(Exit::Done)
}
