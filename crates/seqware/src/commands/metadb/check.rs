//! `seqware metadb check`.

use niassa_webservice::administer;
use serde_json::json;

use super::MetadbArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Looks whether a MetaDB can be used: it answers, is migrated, and is whole.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware metadb check --metadb /var/lib/niassa/niassa.db")]
pub struct Args {
    #[command(flatten)]
    location: MetadbArgs,
}

/// Checks a MetaDB.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    administer::check(args.location.existing()?).await?;
    context.ui.did("The MetaDB can be used", None, &json!({ "usable": true }))?;
    Ok(Exit::Done)
}
