//! `seqware bundle install`.

use niassa_api::bundles::InstallQuery;
use niassa_api::client::Archive;
use serde_json::json;

use super::opened::BundleArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Installs a bundle, so that everybody can schedule its workflow.
///
/// The same content again is the same workflow. Other content needs another version: what runs were
/// made of stays as it was.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware bundle install --dir CountReads
  $ seqware bundle install --zip CountReads.zip")]
pub struct Args {
    #[command(flatten)]
    bundle: BundleArgs,
}

/// Installs a bundle.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let archive = args.bundle.open()?.pack()?;
    let archive = Archive::File(archive.path());
    let installed = client.install_bundle(archive, &InstallQuery::default()).await?;
    let line = format!("Added '{}' (SWID: {})", installed.name, installed.swid);
    context.ui.did(&line, Some(installed.swid), &json!(installed))?;
    Ok(Exit::Done)
}
