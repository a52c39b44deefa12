//! The pictures of the README: made by a test of the browser, and packed here to a size that loads quickly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::packages;

/// The test that makes them.
pub(super) const TEST: &str = "gallery::";
/// The most that one may weigh, in bytes.
const MOST: u64 = 120_000;

/// Installs what packs pictures.
pub(super) fn prepare() -> Result<()> {
    let tools = packages::install(packages::GALLERY);
    if tools.missing.is_empty() {
        return Ok(());
    }
    bail!("{}; as root: apt-get install {}", tools.reason, tools.missing.join(" "))
}

/// Packs every picture of a folder, and refuses one that is too large even so.
pub(super) fn pack(folder: &Path) -> Result<()> {
    let pictures = pictures(folder)?;
    ensure!(!pictures.is_empty(), "no picture was made in {}", folder.display());
    let packed = Command::new("pngquant")
        .args(["--force", "--strip", "--quality", "85-100", "--ext", ".png", "--"])
        .args(&pictures)
        .status()
        .context("cannot start pngquant")?;
    ensure!(packed.success(), "pngquant cannot pack the pictures in {}", folder.display());
    let mut sum = 0;
    for picture in &pictures {
        let size = fs::metadata(picture).context("a picture is gone")?.len();
        ensure!(size <= MOST, "{} has {size} bytes, at most {MOST} may be", picture.display());
        sum += size;
    }
    eprintln!("xtask: {} pictures, {sum} bytes", pictures.len());
    Ok(())
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot list {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.extension().is_some_and(|extension| extension == "png") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
