//! The distribution: one executable that needs glibc 2.17 and nothing else, and a Debian package of it.
//!
//! Everything comes into `target/dist`. With `--check` the package is installed, used, removed and purged
//! in namespaces of its own, laid over this machine; that needs root. No other chore builds a release.

mod deb;
mod installed;
mod layout;
mod needs;
pub(crate) mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use sha2::Digest;

use crate::repository::Repository;
use needs::{GLIBC, Needs};
use tools::{Zig, run as run_tool};

const USAGE: &str = "cargo xtask dist [--check]";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Builds the distribution.
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let shall_install = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => bail!("usage: {USAGE}"),
    };
    let folder = repository.target()?.join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let built = build(repository)?;
    let needs = Needs::of(&built)?;
    needs.check().with_context(|| format!("{} cannot be shipped", built.display()))?;
    println!("{}", in_words(&needs));
    let executable = folder.join("seqware");
    fs::copy(&built, &executable).with_context(|| format!("cannot copy {}", built.display()))?;
    let package = deb::build(repository, &executable, &version(repository)?, &folder)?;
    for file in [&executable, &package] {
        println!("{}  {}", sha256(file)?, file.display());
    }
    if shall_install {
        installed::check(&package, &folder)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the executable against an old glibc.
fn build(repository: &Repository) -> Result<PathBuf> {
    let Zig { zig, zigbuild } = Zig::ready(repository)?;
    let (major, minor) = GLIBC;
    let target = format!("{TRIPLE}.{major}.{minor}");
    let mut command = repository.program(&zigbuild);
    command.env("CARGO_ZIGBUILD_ZIG_PATH", zig);
    command.args(["zigbuild", "--profile", "shipped", "--locked"]);
    command.args(["--package", "seqware", "--bin", "seqware"]);
    run_tool(command.args(["--target", &target]))?;
    Ok(repository.target()?.join(TRIPLE).join("shipped/seqware"))
}

fn version(repository: &Repository) -> Result<String> {
    let metadata = repository.metadata()?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let seqware = packages.iter().find(|package| package["name"] == "seqware");
    let version = seqware.and_then(|package| package["version"].as_str());
    version.map(ToOwned::to_owned).context("no version of seqware")
}

fn in_words(needs: &Needs) -> String {
    let (major, minor) = needs.glibc().unwrap_or_default();
    format!(
        "the executable has {} kB, needs glibc {major}.{minor} and of libraries {}",
        needs.bytes / 1_000,
        needs.libraries.join(", ")
    )
}

fn sha256(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let digest = sha2::Sha256::digest(&bytes);
    Ok(digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use needs::Symbols;

    #[test]
    fn what_is_needed_is_told_in_words() {
        let needs = Needs {
            libraries: vec!["libc.so.6".to_owned(), "libm.so.6".to_owned()],
            versions: vec!["GLIBC_2.17".to_owned(), "GLIBC_2.2.5".to_owned()],
            bytes: 21_300_000,
            symbols: Symbols::Stripped,
        };
        let words =
            "the executable has 21300 kB, needs glibc 2.17 and of libraries libc.so.6, libm.so.6";
        assert_eq!(in_words(&needs), words);
    }
}
