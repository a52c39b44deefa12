//! `seqware metadb restore`.

use std::path::PathBuf;

use niassa_pipeline::server_programs;
use niassa_webservice::administer::{self, CheckVerdict};
use niassa_webservice::backup::Restoring;
use serde_json::json;

use super::{StoredArgs, server_of};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Puts a backup back, into a new place: a file that is not there, or an empty database.
///
/// Nothing is written before every SHA-256 was compared. What was accepted after the backup lives
/// only in the run directories: `seqware metadb reconcile` takes it in, once the service runs.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware metadb restore --from /backup/niassa      # the last one
  $ seqware metadb restore --from /backup/niassa/20261130T120000.000000Z \\
      --metadb ~/niassa.db --data ~/niassa-data")]
pub struct Args {
    #[command(flatten)]
    stored: StoredArgs,
    /// A backup, or the folder of backups: then the last one
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
}

/// Restores a MetaDB.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let config = args.stored.config(&context.surroundings)?;
    let restoring = Restoring::begin(&args.from, &config).await?;
    if let Some(copy) = restoring.server_copy()? {
        server_programs::load(server_of(&copy.server), &copy.file)?;
    }
    let restored = restoring.finish().await?;
    let contents = &restored.manifest.contents;
    let line = format!(
        "Restored {} runs, {} archives, as they were at {}",
        contents.runs,
        restored.manifest.archives.len(),
        contents.at
    );
    let data = json!({ "folder": restored.folder, "manifest": restored.manifest });
    context.ui.did(&line, None, &data)?;
    let bad = administer::check(&config).await?;
    let bad: Vec<_> = bad.iter().filter(|one| one.verdict == CheckVerdict::Bad).collect();
    for finding in &bad {
        context.ui.note(&format!("{}: {}", finding.check, finding.finding));
    }
    context.ui.note(&format!(
        "runs that were accepted after {} live only in their run directories; start the service, then \
         on each pipeline host: seqware metadb reconcile",
        contents.at
    ));
    Ok(if bad.is_empty() { Exit::Done } else { Exit::FaultFound })
}
