//! The Debian package: a tree of what is in it, handed to `dpkg-deb`.
//!
//! Manual pages and completions come from the executable itself, which knows its own commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::layout::{self, COMPLETIONS, EXECUTABLE, Kind, MAN, SCRIPTS, SHIPPED};
use super::tools::run;
use crate::repository::Repository;

/// Builds the package of an executable into a folder and returns its path.
pub(super) fn build(
    repository: &Repository,
    executable: &Path,
    version: &str,
    into: &Path,
) -> Result<PathBuf> {
    let tree = into.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    }
    put(executable, &tree.join(EXECUTABLE), 0o755)?;
    for file in SHIPPED {
        let mode = if file.kind == Kind::Program { 0o755 } else { 0o644 };
        put(&repository.root().join(file.from), &tree.join(file.to), mode)?;
    }
    manual_pages(executable, &tree.join(MAN))?;
    completions(executable, &tree)?;
    let changelog = tree.join("usr/share/doc/niassa/changelog");
    put(&repository.root().join("CHANGELOG.md"), &changelog, 0o644)?;
    run(Command::new("gzip").arg("-9n").arg(&changelog))?;
    debian_folder(repository, &tree, version)?;
    let package = into.join(format!("niassa_{version}_amd64.deb"));
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(&package);
    run(dpkg.stdout(Stdio::null()))?;
    Ok(package)
}

fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let context = || format!("cannot copy {} to {}", from.display(), to.display());
    make_parent(to)?;
    fs::copy(from, to).with_context(context)?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).with_context(context)
}

fn make_parent(path: &Path) -> Result<()> {
    let folder = path.parent().context("a path without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn manual_pages(executable: &Path, folder: &Path) -> Result<()> {
    let mut man = Command::new(executable);
    run(man.args(["--quiet", "man", "--dir"]).arg(folder).stdout(Stdio::null()))?;
    let pages =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut pages: Vec<PathBuf> = pages.flatten().map(|entry| entry.path()).collect();
    ensure!(pages.len() > 20, "only {} manual pages came", pages.len());
    pages.sort();
    run(Command::new("gzip").arg("-9n").args(&pages))
}

fn completions(executable: &Path, tree: &Path) -> Result<()> {
    for (shell, path) in COMPLETIONS {
        let output = Command::new(executable)
            .args(["completion", shell])
            .output()
            .with_context(|| format!("cannot start {}", executable.display()))?;
        ensure!(output.status.success(), "no completions for {shell}");
        let path = tree.join(path);
        make_parent(&path)?;
        fs::write(&path, output.stdout)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn debian_folder(repository: &Repository, tree: &Path, version: &str) -> Result<()> {
    let folder = tree.join("DEBIAN");
    let ours = repository.root().join("deploy/debian");
    for script in SCRIPTS {
        put(&ours.join(script), &folder.join(script), 0o755)?;
    }
    let control = fs::read_to_string(ours.join("control")).context("cannot read control")?;
    let size = size_of(tree)?.div_ceil(1_024).to_string();
    let control = control.replace("@VERSION@", version).replace("@SIZE@", &size);
    for (name, text) in [("control", control), ("conffiles", layout::conffiles())] {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Returns the bytes of all files in a folder.
fn size_of(folder: &Path) -> Result<u64> {
    let context = || format!("cannot list {}", folder.display());
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let about = entry.metadata().with_context(context)?;
        bytes += if about.is_dir() { size_of(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_add_up() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), "12345").unwrap();
        fs::write(folder.path().join("c"), "123").unwrap();
        assert_eq!(size_of(folder.path()).unwrap(), 8);
    }
}
