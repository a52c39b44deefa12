//! `seqware metadb migrate`.

use niassa_webservice::administer;
use serde_json::json;

use super::MetadbArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Brings a MetaDB to the version of this program. SQLite needs this not: `serve` does it itself.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware metadb migrate --metadb postgresql://niassa@db/niassa")]
pub struct Args {
    #[command(flatten)]
    location: MetadbArgs,
}

/// Migrates a MetaDB.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    administer::migrate(args.location.existing()?).await?;
    context.ui.did("The MetaDB is up to date", None, &json!({ "migrated": true }))?;
    Ok(Exit::Done)
}
