//! Fetching the reads and the genome of the lambda phage from Debian.
//!
//! The folder appears whole or not at all: everything is prepared beside it and renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

const PACKAGE: &str = "bowtie2-examples";

/// A file of the data folder.
struct Wanted {
    /// Its name in the package, which may end in `.gz` there or not.
    stem: &'static str,
    /// How it lies in the data folder.
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With `.gz` at its end, as sequencing reads are kept.
    Compressed,
    /// As plain text, because bwa and samtools index the genome in place.
    Plain,
}

const WANTED: [Wanted; 3] = [
    Wanted { stem: "reads_1.fq", form: Form::Compressed },
    Wanted { stem: "reads_2.fq", form: Form::Compressed },
    Wanted { stem: "lambda_virus.fa", form: Form::Plain },
];

impl Wanted {
    fn name(&self) -> String {
        match self.form {
            Form::Compressed => format!("{}.gz", self.stem),
            Form::Plain => self.stem.to_owned(),
        }
    }
}

/// Returns `target/demo-data`, fetched now unless it is there.
pub(super) fn fetch(target: &Path) -> Result<PathBuf> {
    let data = target.join("demo-data");
    if is_complete(&data) {
        return Ok(data);
    }
    fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    let workshop = tempfile::Builder::new().prefix("demo-data-").tempdir_in(target)?;
    let archive = download(workshop.path())?;
    let unpacked = workshop.path().join("unpacked");
    succeed(Command::new("dpkg").arg("-x").arg(&archive).arg(&unpacked), "dpkg -x")?;
    let ready = workshop.path().join("ready");
    fs::create_dir(&ready).with_context(|| format!("cannot make {}", ready.display()))?;
    for wanted in &WANTED {
        take(wanted, &unpacked, &ready)?;
    }
    if data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    // Another demonstration may have been quicker; its folder is as good.
    if let Err(error) = fs::rename(&ready, &data) {
        ensure!(is_complete(&data), "cannot make {}: {error}", data.display());
    }
    Ok(data)
}

fn is_complete(data: &Path) -> bool {
    let is_there = |wanted: &Wanted| {
        fs::metadata(data.join(wanted.name())).is_ok_and(|file| file.is_file() && file.len() > 0)
    };
    WANTED.iter().all(is_there)
}

/// Downloads the package into `folder` and returns where it is.
///
/// A fresh machine has no package lists, and only root may renew the system's; then lists of our
/// own are made beside the download.
fn download(folder: &Path) -> Result<PathBuf> {
    println!("demo: downloading Debian's {PACKAGE}");
    if apt_get(folder, None, &["download", PACKAGE]).is_err() {
        let lists = folder.join("apt");
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = lists.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        apt_get(folder, Some(&lists), &["update"])?;
        apt_get(folder, Some(&lists), &["download", PACKAGE])?;
    }
    let is_archive = |path: &Path| path.extension().is_some_and(|end| end == "deb");
    let found = files_below(folder)?.into_iter().find(|path| is_archive(path));
    found.with_context(|| format!("apt-get download {PACKAGE} left no archive"))
}

fn apt_get(folder: &Path, lists: Option<&Path>, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    // Root hands downloads to another user by default, who cannot write here.
    command.args(["-q", "-o", "APT::Sandbox::User=root"]);
    if let Some(lists) = lists {
        let own = |option: &str, name: &str| format!("{option}={}", lists.join(name).display());
        command.args(["-o", &own("Dir::State::lists", "lists")]);
        command.args(["-o", &own("Dir::Cache", "cache")]);
    }
    command.args(arguments).current_dir(folder);
    succeed(&mut command, &format!("apt-get {}", arguments.join(" ")))
}

/// Runs a command; its output is shown only through the error.
fn succeed(command: &mut Command, name: &str) -> Result<()> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {}", complaint.trim());
    Ok(())
}

/// Puts a file of the unpacked package into the data folder, in the form that is wanted.
fn take(wanted: &Wanted, unpacked: &Path, ready: &Path) -> Result<()> {
    let compressed = format!("{}.gz", wanted.stem);
    let files = files_below(unpacked)?;
    let named = |name: &str| files.iter().find(|path| path.ends_with(name));
    let to = ready.join(wanted.name());
    match (named(&compressed), named(wanted.stem), wanted.form) {
        (Some(from), _, Form::Compressed) | (_, Some(from), Form::Plain) => {
            fs::copy(from, &to).with_context(|| format!("cannot copy to {}", to.display()))?;
            Ok(())
        }
        (Some(from), _, Form::Plain) => gzip(&["-dc"], from, &to),
        (_, Some(from), Form::Compressed) => gzip(&["-c"], from, &to),
        (None, None, _) => anyhow::bail!("{PACKAGE} holds no {}", wanted.stem),
    }
}

fn gzip(options: &[&str], from: &Path, to: &Path) -> Result<()> {
    let file = File::create(to).with_context(|| format!("cannot make {}", to.display()))?;
    let status = Command::new("gzip")
        .args(options)
        .arg(from)
        .stdout(file)
        .status()
        .context("cannot start gzip")?;
    ensure!(status.success(), "gzip of {} failed", from.display());
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let context = || format!("cannot list {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let kind = entry.file_type().with_context(context)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_is_complete_with_all_files_and_none_empty() {
        let all = [("reads_1.fq.gz", "a"), ("reads_2.fq.gz", "b"), ("lambda_virus.fa", "c")];
        assert!(is_complete(folder_with(&all).path()));
        assert!(!is_complete(folder_with(&all[..2]).path()));
        assert!(!is_complete(folder_with(&[all[0], all[1], ("lambda_virus.fa", "")]).path()));
        assert!(!is_complete(Path::new("/nowhere")));
    }

    #[test]
    fn files_are_taken_in_the_wanted_form_wherever_they_lie() {
        let ready = tempfile::tempdir().unwrap();
        let package =
            folder_with(&[("usr/share/reads/reads_1.fq", "acgt"), ("x/lambda_virus.fa", "tgca")]);
        take(&WANTED[0], package.path(), ready.path()).unwrap();
        take(&WANTED[2], package.path(), ready.path()).unwrap();
        let compressed = ready.path().join("reads_1.fq.gz");
        assert_eq!(fs::read(&compressed).unwrap()[..2], [0x1f, 0x8b]);
        assert_eq!(fs::read_to_string(ready.path().join("lambda_virus.fa")).unwrap(), "tgca");

        // The other way round: what was packed is unpacked.
        let again = tempfile::tempdir().unwrap();
        fs::create_dir(again.path().join("in")).unwrap();
        fs::copy(&compressed, again.path().join("in/lambda_virus.fa.gz")).unwrap();
        take(&WANTED[2], &again.path().join("in"), again.path()).unwrap();
        assert_eq!(fs::read_to_string(again.path().join("lambda_virus.fa")).unwrap(), "acgt");
    }

    #[test]
    fn a_package_without_the_file_is_named() {
        let error = take(&WANTED[1], folder_with(&[]).path(), Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.to_string(), "bowtie2-examples holds no reads_2.fq");
    }
}
