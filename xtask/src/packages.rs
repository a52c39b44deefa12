//! Debian packages that tests and the demonstration need: which, whether they are here, and how
//! they get here.
//!
//! Installing needs root, or sudo that asks for no password. Where there is neither, nothing is
//! tried; the caller learns which packages are missing and why, and each test that needs one skips
//! itself by name.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A Debian package and a program by which we see that it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Package {
    name: &'static str,
    program: &'static str,
}

/// What the variant-calling workflow runs.
pub(crate) const DEMO: &[Package] = &[
    Package { name: "bwa", program: "bwa" },
    Package { name: "samtools", program: "samtools" },
    Package { name: "bcftools", program: "bcftools" },
];

/// What the tests run beside that.
pub(crate) const TESTS: &[Package] = &[
    Package { name: "postgresql", program: "initdb" },
    Package { name: "postgresql-client", program: "psql" },
    Package { name: "shellcheck", program: "shellcheck" },
    Package { name: "make", program: "make" },
    Package { name: "curl", program: "curl" },
    Package { name: "openssl", program: "openssl" },
    Package { name: "cron", program: "cron" },
    Package { name: "jq", program: "jq" },
    Package { name: "procps", program: "ps" },
    Package { name: "slurmctld", program: "slurmctld" },
    Package { name: "slurmd", program: "slurmd" },
    Package { name: "slurm-client", program: "sbatch" },
    Package { name: "slurmdbd", program: "slurmdbd" },
    Package { name: "mariadb-server", program: "mariadbd" },
    Package { name: "gridengine-master", program: "sge_qmaster" },
    Package { name: "gridengine-exec", program: "sge_execd" },
    Package { name: "gridengine-client", program: "qsub" },
];

/// Runs `apt-get` while no package may start its daemons: tests start their own.
const APT_GET: &str = "policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\\nexit 101\\n' >$policy && chmod 755 $policy
fi
apt-get \"$@\"";
/// What the tests of the pages run.
pub(crate) const BROWSER: &[Package] = &[
    Package { name: "chromium", program: "chromium" },
    Package { name: "chromium-driver", program: "chromedriver" },
];

/// What packs the pictures of the README.
pub(crate) const GALLERY: &[Package] = &[Package { name: "pngquant", program: "pngquant" }];

/// What hosts in namespaces need beside that.
pub(crate) const HOSTS: &[Package] = &[
    Package { name: "util-linux", program: "unshare" },
    Package { name: "iproute2", program: "ip" },
    Package { name: "hostname", program: "hostname" },
    Package { name: "passwd", program: "useradd" },
    Package { name: "munge", program: "munged" },
    Package { name: "logrotate", program: "logrotate" },
];

/// What was missing, and what still is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Packages that were installed now.
    pub(crate) installed: Vec<&'static str>,
    /// Packages that are still missing.
    pub(crate) missing: Vec<&'static str>,
    /// Why they are; empty when none is.
    pub(crate) reason: String,
}

/// Installs those of `wanted` that are missing, as far as that is possible here.
pub(crate) fn install(wanted: &[Package]) -> Outcome {
    let before = missing(wanted, &program_folders());
    if before.is_empty() {
        return Outcome::default();
    }
    let reason = match Privilege::find() {
        Ok(privilege) => apt_install(privilege, &before),
        Err(reason) => reason,
    };
    let after = missing(wanted, &program_folders());
    let installed = before.into_iter().filter(|name| !after.contains(name)).collect();
    let reason = if after.is_empty() { String::new() } else { reason };
    Outcome { installed, missing: after, reason }
}

/// Returns whether a program is installed.
pub(crate) fn has_program(program: &str) -> bool {
    find_program(program).is_some()
}

/// Returns where a program is installed.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let folders = program_folders();
    folders.iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Returns those of `wanted` whose program is in none of the folders.
fn missing(wanted: &[Package], folders: &[PathBuf]) -> Vec<&'static str> {
    wanted.iter().filter(|package| !is_in(package.program, folders)).map(|p| p.name).collect()
}

fn is_in(program: &str, folders: &[PathBuf]) -> bool {
    folders.iter().any(|folder| folder.join(program).is_file())
}

/// Returns PATH, the folders of daemons, which an ordinary user's PATH lacks, and those of
/// PostgreSQL's servers, which are on nobody's.
fn program_folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let versions = std::fs::read_dir(Path::new("/usr/lib/postgresql"));
    folders.extend(versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin")));
    folders
}

/// By which right packages are installed.
#[derive(Debug, Clone, Copy)]
enum Privilege {
    Root,
    Sudo,
}

impl Privilege {
    /// Finds the right there is, or says why there is none.
    fn find() -> Result<Self, String> {
        if !has_program("apt-get") {
            return Err("there is no apt-get here".to_owned());
        }
        if rustix::process::geteuid().is_root() {
            return Ok(Self::Root);
        }
        let probe = Command::new("sudo")
            .args(["-n", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match probe {
            Ok(status) if status.success() => Ok(Self::Sudo),
            _ => Err("not root, and sudo asks for a password or is missing".to_owned()),
        }
    }

    fn apt_get(self) -> Command {
        let mut command = Command::new(match self {
            Self::Root => "env",
            Self::Sudo => "sudo",
        });
        if let Self::Sudo = self {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "sh", "-c", APT_GET, "apt-get", "-q"]);
        command.args(["-o", "DPkg::Lock::Timeout=300"]).stdin(Stdio::null());
        command
    }
}

/// Installs packages and returns why some may still be missing.
///
/// They are asked for together first; when apt-get refuses, each alone, so that one package that is
/// not to be had does not keep away the others.
fn apt_install(privilege: Privilege, names: &[&str]) -> String {
    println!("packages: installing {}", names.join(" "));
    // A stale list is no obstacle by itself: the packages decide.
    let updated = succeeds(privilege.apt_get().arg("update"));
    if !install_together(privilege, names) {
        for name in names {
            install_together(privilege, &[name]);
        }
    }
    let update = if updated { "" } else { "apt-get update failed, and " };
    format!("{update}apt-get install could not install them")
}

fn install_together(privilege: Privilege, names: &[&str]) -> bool {
    let options = ["install", "-y", "--no-install-recommends"];
    succeeds(privilege.apt_get().args(options).args(names))
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_missing_when_no_folder_has_its_program() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bwa"), "").unwrap();
        std::fs::create_dir(folder.path().join("samtools")).unwrap();
        let folders = [PathBuf::from("/nowhere"), folder.path().to_owned()];
        assert_eq!(missing(DEMO, &folders), ["samtools", "bcftools"]);
        assert_eq!(missing(DEMO, &[]), ["bwa", "samtools", "bcftools"]);
    }

    #[test]
    fn nothing_wanted_is_nothing_done() {
        assert_eq!(install(&[]), Outcome::default());
    }
}
