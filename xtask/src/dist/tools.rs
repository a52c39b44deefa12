//! What a distribution is built with and this machine may lack: zig as linker, `cargo-zigbuild`, mdBook.
//!
//! All of it is put below the target folder: nothing of the machine is changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::repository::Repository;

/// The version of zig that the build was tried with; it comes as a wheel for Python.
const ZIG: &str = "ziglang==0.15.2";
const ZIGBUILD: &str = "cargo-zigbuild@0.24.0";

/// The tools of a build for an old glibc.
pub(super) struct Zig {
    /// The linker and C compiler.
    pub(super) zig: PathBuf,
    /// The cargo command that knows how to use it.
    pub(super) zigbuild: PathBuf,
}

impl Zig {
    /// Returns the tools; fetches and builds them the first time.
    pub(super) fn ready(repository: &Repository) -> Result<Self> {
        let folder = repository.target()?.join("tools");
        Ok(Self {
            zig: zig(&folder.join("python"))?,
            zigbuild: cargo_tool(repository, ZIGBUILD, "cargo-zigbuild", &[])?,
        })
    }
}

/// Returns a program that cargo installs, built the first time.
pub(crate) fn cargo_tool(
    repository: &Repository,
    package: &str,
    program: &str,
    options: &[&str],
) -> Result<PathBuf> {
    let root = repository.target()?.join("tools");
    let path = root.join("bin").join(program);
    if path.is_file() {
        return Ok(path);
    }
    println!("{package} is built into {}", root.display());
    let mut install = repository.cargo();
    install.args(["install", "--locked", "--quiet", "--root"]).arg(&root).arg(package);
    run(install.args(options))?;
    Ok(path)
}

fn zig(venv: &Path) -> Result<PathBuf> {
    if let Some(zig) = find_zig(venv) {
        return Ok(zig);
    }
    println!("{ZIG} is installed into {}", venv.display());
    run(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", ZIG]))?;
    find_zig(venv).with_context(|| format!("no zig came into {}", venv.display()))
}

/// The folder below `lib` is named after the version of Python.
fn find_zig(venv: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(venv.join("lib")).ok()?.flatten();
    let mut paths = versions.map(|entry| entry.path().join("site-packages/ziglang/zig"));
    paths.find(|path| path.is_file())
}

/// Runs a command that has to succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zig_is_found_whatever_the_version_of_python() {
        let venv = tempfile::tempdir().unwrap();
        assert_eq!(find_zig(venv.path()), None);
        let zig = venv.path().join("lib/python3.14/site-packages/ziglang/zig");
        std::fs::create_dir_all(zig.parent().unwrap()).unwrap();
        std::fs::write(&zig, "").unwrap();
        assert_eq!(find_zig(venv.path()), Some(zig));
    }

    #[test]
    fn what_fails_is_named() {
        assert!(run(&mut Command::new("true")).is_ok());
        assert!(run(&mut Command::new("false")).unwrap_err().to_string().contains("false"));
    }
}
