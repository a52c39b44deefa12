//! The pages in a real browser: installs Chromium and fetches axe-core, then runs the tests of
//! `crates/seqware/tests/browser`.
//!
//! axe-core comes from npm at test time and is part of nothing that is shipped; where it cannot be
//! had, its checks skip themselves by name. `--screenshots FOLDER` keeps a picture of each page;
//! `--gallery FOLDER` makes the pictures of the README and runs nothing else.

mod gallery;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::packages;
use crate::repository::Repository;

const USAGE: &str = "cargo xtask browser [--screenshots FOLDER | --gallery FOLDER]";
/// The script within the package.
const AXE: &str = "package/axe.min.js";

/// What is kept of what is seen.
enum Pictures<'a> {
    /// A picture of every page that is tested, in this folder.
    Every(&'a str),
    /// Those of the README, and nothing is tested.
    Gallery(&'a str),
}

/// Installs what is missing, and runs the tests. Their outcome is ours.
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let pictures = match arguments {
        [] => None,
        [flag, folder] if flag == "--screenshots" => Some(Pictures::Every(folder)),
        [flag, folder] if flag == "--gallery" => Some(Pictures::Gallery(folder)),
        _ => bail!("usage: {USAGE}"),
    };
    if let Some(obstacle) = obstacle() {
        bail!(obstacle);
    }
    let mut tests = command(repository)?;
    match pictures {
        None => {}
        Some(Pictures::Every(folder)) => {
            tests.env("NIASSA_SCREENSHOTS", made(folder)?);
        }
        Some(Pictures::Gallery(folder)) => {
            gallery::prepare()?;
            tests.env("NIASSA_GALLERY", made(folder)?).arg(gallery::TEST);
        }
    }
    let status = tests.status().context("cannot start cargo test")?;
    if !status.success() {
        return Ok(ExitCode::FAILURE);
    }
    if let Some(Pictures::Gallery(folder)) = pictures {
        gallery::pack(Path::new(folder))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a folder, unless it is there, and returns where it is whoever asks.
fn made(folder: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {folder}"))?;
    fs::canonicalize(folder).with_context(|| format!("cannot find {folder}"))
}

/// Installs what is missing; returns why the tests cannot run, if they cannot.
pub(crate) fn obstacle() -> Option<String> {
    let tools = packages::install(packages::BROWSER);
    if tools.missing.is_empty() {
        return None;
    }
    Some(format!("{}; as root: apt-get install {}", tools.reason, tools.missing.join(" ")))
}

/// Returns the command that runs the tests, with axe-core where it can be had.
pub(crate) fn command(repository: &Repository) -> Result<Command> {
    let folder = repository.target()?.join("browser");
    let mut tests = repository.cargo();
    // The whole workspace is selected, so that nothing is built anew with other features.
    tests.args(["test", "--workspace", "--test", "browser", "--"]);
    tests.args(["--ignored", "--test-threads=1"]);
    match fetch_axe(&folder) {
        Ok(axe) => {
            tests.env("NIASSA_AXE", axe);
        }
        Err(error) => eprintln!("xtask: without axe-core: {error:#}"),
    }
    Ok(tests)
}

/// Returns the script of axe-core, fetched now unless it is there.
fn fetch_axe(folder: &Path) -> Result<PathBuf> {
    let script = folder.join(AXE);
    if script.is_file() {
        return Ok(script);
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let packed = Command::new("npm")
        .args(["pack", "--silent", "axe-core@4"])
        .current_dir(folder)
        .output()
        .context("cannot start npm")?;
    ensure!(packed.status.success(), "npm pack axe-core failed");
    let name = String::from_utf8(packed.stdout).context("npm told no name")?;
    let unpacked = Command::new("tar")
        .arg("xzf")
        .arg(name.trim())
        .current_dir(folder)
        .status()
        .context("cannot start tar")?;
    ensure!(unpacked.success() && script.is_file(), "{} holds no {AXE}", name.trim());
    Ok(script)
}
