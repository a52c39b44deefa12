//! The working copy that a chore is about: its root, its files, and cargo on it.
//!
//! Files are found by walking, not by asking git, so that an unpacked archive can be checked as well.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Folders that hold no source of ours, wherever they are.
const SKIPPED_FOLDERS: [&str; 3] = ["target", "node_modules", "__pycache__"];
/// The hidden folders that do hold some.
const HIDDEN_FOLDERS: [&str; 3] = [".cargo", ".ci", ".github"];

/// The working copy.
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// Opens the working copy this program was built from.
    pub(crate) fn open() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask has no parent folder")?;
        ensure!(root.join("Cargo.lock").is_file(), "{} is no working copy", root.display());
        Ok(Self { root: root.to_owned() })
    }

    /// Returns the folder of the working copy.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns a cargo command that runs in the root.
    ///
    /// What cargo told *this* program about xtask is removed, or build scripts that watch those
    /// variables would build again whenever a person goes from `cargo build` to a chore.
    pub(crate) fn cargo(&self) -> Command {
        self.program(Path::new(&std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())))
    }

    /// Returns a command of another program that calls cargo, just the same.
    pub(crate) fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command.current_dir(&self.root);
        command
    }

    /// Returns what `cargo metadata` says of this platform.
    pub(crate) fn metadata(&self) -> Result<serde_json::Value> {
        let output = self
            .cargo()
            .args(["metadata", "--format-version=1", "--filter-platform=x86_64-unknown-linux-gnu"])
            .output()
            .context("cannot start cargo metadata")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata failed: {}", complaint.trim());
        serde_json::from_slice(&output.stdout).context("cannot read the answer of cargo metadata")
    }

    /// Returns the folder cargo builds into.
    pub(crate) fn target(&self) -> Result<PathBuf> {
        let metadata = self.metadata()?;
        let target = metadata["target_directory"].as_str().context("no target_directory")?;
        Ok(PathBuf::from(target))
    }

    /// Returns the paths of all files, relative to the root, with `/`, in order.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        collect_files(&self.root, "", &mut found)?;
        found.sort();
        Ok(found)
    }
}

/// Returns whether a path ends in this extension, written without its dot.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

fn collect_files(root: &Path, folder: &str, found: &mut Vec<String>) -> Result<()> {
    let absolute = root.join(folder);
    let entries = std::fs::read_dir(&absolute)
        .with_context(|| format!("cannot list {}", absolute.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", absolute.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().with_context(|| format!("cannot look at {path}"))?;
        if kind.is_dir() && is_ours(&name) {
            collect_files(root, &path, found)?;
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn is_ours(folder: &str) -> bool {
    if folder.starts_with('.') {
        return HIDDEN_FOLDERS.contains(&folder);
    }
    !SKIPPED_FOLDERS.contains(&folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_results_and_hidden_folders_are_not_ours() {
        for (folder, ours) in [
            ("src", true),
            (".ci", true),
            (".git", false),
            ("target", false),
            ("node_modules", false),
        ] {
            assert_eq!(is_ours(folder), ours, "{folder}");
        }
    }

    #[test]
    fn files_are_relative_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["b.rs", "src/a.rs", ".git/config", "target/debug/x"] {
            let absolute = folder.path().join(path);
            std::fs::create_dir_all(absolute.parent().unwrap()).unwrap();
            std::fs::write(absolute, "").unwrap();
        }
        let repository = Repository { root: folder.path().to_owned() };
        assert_eq!(repository.files().unwrap(), ["b.rs", "src/a.rs"]);
    }
}
