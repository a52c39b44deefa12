//! `seqware metadb backup`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use niassa_pipeline::server_programs;
use niassa_webservice::backup::{Backup, Keep};
use serde_json::json;

use super::{StoredArgs, server_of};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Makes a backup of the MetaDB and of the archives it names, while the service goes on.
///
/// A backup is a folder in the folder that is named, with a manifest and SHA-256 digests; it appears
/// whole or not at all. Archives lie beside it, once for all backups. PostgreSQL is copied by pg_dump,
/// which must not be older than the server. With --keep older backups of the same MetaDB are removed
/// when the new one is whole; nothing else in the folder is. Ends 8 where an archive was missing or
/// damaged, or an older backup could not be removed.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware metadb backup --to /backup/niassa
  $ seqware metadb backup --to /backup/niassa --keep 14
  $ seqware metadb backup --metadb ~/niassa.db --data ~/niassa-data \\
      --to /backup/niassa")]
pub struct Args {
    #[command(flatten)]
    stored: StoredArgs,
    /// The folder of backups
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Remove older backups of this MetaDB, so that this many stay with the new one
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroU32>,
}

/// Makes a backup.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let config = args.stored.existing(&context.surroundings)?;
    let backup = Backup::begin(&config, &args.to).await?;
    if let Some(copy) = backup.server_copy()? {
        let snapshot = copy.snapshot.as_deref().unwrap_or_default();
        server_programs::dump(server_of(&copy.server), snapshot, &copy.file)?;
    }
    let made = backup.finish(args.keep.map_or(Keep::All, Keep::Newest)).await?;
    let manifest = &made.manifest;
    let line = format!(
        "Backed up {} runs, {} archives ({} new) to {}{}",
        manifest.contents.runs,
        manifest.archives.len(),
        made.copied,
        made.folder.display(),
        match made.removed.len() {
            0 => String::new(),
            1 => "; removed 1 older backup".to_owned(),
            many => format!("; removed {many} older backups"),
        }
    );
    let data = json!({
        "folder": made.folder,
        "copied": made.copied,
        "manifest": manifest,
        "removed": made.removed,
    });
    context.ui.did(&line, None, &data)?;
    for archive in &manifest.not_there {
        context.ui.note(&format!(
            "{}.zip is missing or damaged in {}, and not in the backup",
            archive.sha256,
            config.data().join("bundles").display()
        ));
    }
    for left in &made.not_removed {
        context.ui.note(&format!("{} was not removed: {}", left.folder.display(), left.why));
    }
    let is_whole = manifest.not_there.is_empty() && made.not_removed.is_empty();
    Ok(if is_whole { Exit::Done } else { Exit::Partly })
}
