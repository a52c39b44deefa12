//! Installing, using, removing and purging the package, without touching this machine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::tools::run;
use crate::packages::has_program;

const SCRIPT: &str = include_str!("installed.sh");
/// What the script needs beside the tools of every Debian.
const NEEDED: [&str; 5] = ["dpkg", "unshare", "ip", "curl", "runuser"];

/// Runs the script over the package in namespaces of its own; whatever it started ends with it.
pub(super) fn check(package: &Path, folder: &Path) -> Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "installing the package for a test needs root");
    for program in NEEDED {
        ensure!(has_program(program), "installing the package for a test needs {program}");
    }
    let script = folder.join("installed.sh");
    std::fs::write(&script, SCRIPT)
        .with_context(|| format!("cannot write {}", script.display()))?;
    let layers = tempfile::tempdir().context("cannot make a folder")?;
    println!("the package is installed, used, removed and purged:");
    let namespaces =
        ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"];
    run(Command::new("unshare")
        .args(namespaces)
        .args(["--propagation", "private", "bash"])
        .arg(&script)
        .arg(package)
        .arg(layers.path()))
}
