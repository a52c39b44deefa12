//! `seqware metadb backup`.

use std::path::PathBuf;

use niassa_pipeline::server_programs;
use niassa_webservice::backup::Backup;
use serde_json::json;

use super::{StoredArgs, server_of};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Makes a backup of the MetaDB and of the archives it names, while the service goes on.
///
/// A backup is a folder in the folder that is named, with a manifest and SHA-256 digests; it appears
/// whole or not at all. Archives lie beside it, once for all backups. PostgreSQL is copied by pg_dump,
/// which must not be older than the server. Ends 8 where an archive was missing or damaged.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware metadb backup --to /backup/niassa
  $ seqware metadb backup --metadb ~/niassa.db --data ~/niassa-data \\
      --to /backup/niassa")]
pub struct Args {
    #[command(flatten)]
    stored: StoredArgs,
    /// The folder of backups
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Makes a backup.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let config = args.stored.existing(&context.surroundings)?;
    let backup = Backup::begin(&config, &args.to).await?;
    if let Some(copy) = backup.server_copy()? {
        let snapshot = copy.snapshot.as_deref().unwrap_or_default();
        server_programs::dump(server_of(&copy.server), snapshot, &copy.file)?;
    }
    let made = backup.finish().await?;
    let manifest = &made.manifest;
    let line = format!(
        "Backed up {} runs, {} archives ({} new) to {}",
        manifest.contents.runs,
        manifest.archives.len(),
        made.copied,
        made.folder.display()
    );
    let data = json!({ "folder": made.folder, "copied": made.copied, "manifest": manifest });
    context.ui.did(&line, None, &data)?;
    for archive in &manifest.not_there {
        context.ui.note(&format!(
            "{}.zip is missing or damaged in {}, and not in the backup",
            archive.sha256,
            config.data().join("bundles").display()
        ));
    }
    Ok(if manifest.not_there.is_empty() { Exit::Done } else { Exit::Partly })
}
