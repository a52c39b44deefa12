//! `seqware bundle package`.

use std::fs;
use std::path::{Path, PathBuf};

use niassa_bundle::archive;
use niassa_model::resources::format_memory;
use serde_json::json;

use super::opened::{Opened, unusable};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Packs a bundle into a zip archive; the same content gives the same archive.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware bundle package --dir CountReads
  $ seqware bundle package --dir CountReads --to /data/bundles
  $ seqware bundle package --dir CountReads --to CountReads-1.0.0.zip")]
pub struct Args {
    /// The bundle, as a folder with a workflow.yaml
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// A folder for an archive of the bundle's name, or the archive's own name
    #[arg(long, value_name = "DIR|FILE.zip", default_value = ".")]
    to: PathBuf,
}

/// Packs a bundle.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    let bundle = Opened::folder(&args.dir)?;
    let archive = archive_of(&args.dir, &args.to)?;
    let folder = archive.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .map_err(|error| Failure::io(format_args!("make {}", folder.display()), error))?;
    // Packed beside its place and renamed: an archive there is a whole one.
    let workshop = tempfile::tempdir_in(folder)
        .map_err(|error| Failure::io(format_args!("write to {}", folder.display()), error))?;
    let fresh = workshop.path().join("bundle.zip");
    let packed = archive::pack(&args.dir, &fresh).map_err(|error| unusable(&args.dir, &error))?;
    fs::rename(&fresh, &archive)
        .map_err(|error| Failure::io(format_args!("write {}", archive.display()), error))?;
    let manifest = &bundle.manifest;
    let line = format!(
        "Packaged '{}' {} to '{}' ({})",
        manifest.name,
        manifest.version,
        archive.display(),
        format_memory(packed.size)
    );
    let data = json!({
        "name": manifest.name,
        "version": manifest.version,
        "archive": archive,
        "size": packed.size,
        "sha256": packed.sha256,
    });
    context.ui.did(&line, None, &data)?;
    Ok(Exit::Done)
}

/// Returns the archive's place: the name of the bundle's folder, unless a name was given.
fn archive_of(bundle: &Path, to: &Path) -> Result<PathBuf, Failure> {
    if to.extension().is_some_and(|extension| extension == "zip") && !to.is_dir() {
        return Ok(to.to_owned());
    }
    let folder = bundle
        .canonicalize()
        .map_err(|error| Failure::io(format_args!("find {}", bundle.display()), error))?;
    let mut name = folder.file_name().unwrap_or("bundle".as_ref()).to_owned();
    name.push(".zip");
    Ok(if to == Path::new(".") { PathBuf::from(name) } else { to.join(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_named_like_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("CountReads");
        fs::create_dir(&bundle).unwrap();
        let to = |to: &str| archive_of(&bundle, Path::new(to)).unwrap();
        assert_eq!(to("/data"), Path::new("/data/CountReads.zip"));
        assert_eq!(to("/data/x.zip"), Path::new("/data/x.zip"));
        let here = archive_of(&bundle.join("."), Path::new(".")).unwrap();
        assert_eq!(here, Path::new("CountReads.zip"));
    }
}
