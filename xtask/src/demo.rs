//! The demonstration on real input: the paired reads and the genome of the lambda phage.
//!
//! Debian's package `bowtie2-examples` holds both. It is downloaded and unpacked into the target
//! folder, not installed, because slim images drop `/usr/share/doc` and because that needs no root.

mod reads;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::packages;
use crate::repository::Repository;

/// Installs, fetches and builds what the demonstration needs, and runs it. Its exit code is ours.
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let tools = packages::install(packages::DEMO);
    if !tools.missing.is_empty() {
        let names = tools.missing.join(" ");
        bail!("{}; as root: apt-get install {names}", tools.reason);
    }
    let target = repository.target()?;
    let data = fetch(&target)?;
    let status = repository
        .cargo()
        .args(["build", "--package", "seqware"])
        .status()
        .context("cannot start cargo build")?;
    ensure!(status.success(), "cargo build --package seqware failed");
    let mut command = command(&target, &data);
    let status = command.args(arguments).status().context("cannot start seqware demo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Returns the folder with the reads and the genome, fetched now unless they are there.
pub(crate) fn fetch(target: &Path) -> Result<PathBuf> {
    reads::fetch(target)
}

/// Returns the command that runs the demonstration of the executable built into `target`.
pub(crate) fn command(target: &Path, data: &Path) -> Command {
    let mut command = Command::new(target.join("debug/seqware"));
    command.arg("demo").arg("--data").arg(data);
    command
}
