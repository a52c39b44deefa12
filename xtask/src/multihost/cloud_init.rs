//! The box of `deploy/vm/cloud-init.yaml`, set up on a host of a lab as cloud-init would do it.
//!
//! Of cloud-init only what that file uses is known. A host has no systemd: a unit that is enabled is
//! started by its `ExecStart` as its `User`. Packages are those of this machine.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::host::Host;

/// Where the file is in the working copy.
const FILE: &str = "deploy/vm/cloud-init.yaml";
/// The first line by which cloud-init knows it.
const FIRST_LINE: &str = "#cloud-config\n";

/// What a box is made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloudConfig {
    package_update: bool,
    /// Which have to be on this machine.
    packages: Vec<String>,
    users: Vec<User>,
    write_files: Vec<WrittenFile>,
    runcmd: Vec<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: String,
    gecos: String,
    shell: String,
    lock_passwd: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    path: String,
    #[serde(default)]
    owner: Option<String>,
    permissions: String,
    /// Written after the users are made.
    #[serde(default)]
    defer: bool,
    content: String,
}

impl CloudConfig {
    /// Reads the file of a working copy.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(FILE)).context(FILE)?;
        ensure!(text.starts_with(FIRST_LINE), "{FILE} does not begin with {FIRST_LINE}");
        serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{FILE}: {error}"))
    }

    /// Returns what is written to a path.
    pub(super) fn file(&self, path: &str) -> Result<&str> {
        let found = self.write_files.iter().find(|file| file.path == path);
        found.map(|file| file.content.as_str()).with_context(|| format!("{FILE}: no {path}"))
    }

    /// Sets a host up.
    pub(super) fn apply(&self, host: &Host) -> Result<()> {
        ensure!(self.package_update, "{FILE}: packages are wanted, but their list is not updated");
        host.root(&format!("dpkg-query --show {} >/dev/null", self.packages.join(" ")))
            .context("packages of the box")?;
        self.write(host, |file| !file.defer)?;
        for User { name, gecos, shell, lock_passwd } in &self.users {
            ensure!(lock_passwd, "{FILE}: {name} has a password");
            host.root(&format!(
                "useradd --create-home --user-group --comment '{gecos}' --shell {shell} {name} 2>/dev/null"
            ))?;
        }
        self.write(host, |file| file.defer)?;
        self.runcmd.iter().try_for_each(|command| self.run(host, command))
    }

    fn write(&self, host: &Host, which: impl Fn(&WrittenFile) -> bool) -> Result<()> {
        for file in self.write_files.iter().filter(|file| which(file)) {
            host.write(&file.path, &file.content, "root", &file.permissions)?;
            if let Some(owner) = &file.owner {
                host.root(&format!("chown {owner} {}", file.path))?;
            }
        }
        Ok(())
    }

    fn run(&self, host: &Host, command: &[String]) -> Result<()> {
        if let [program, verb, now, unit] = command
            && program == "systemctl"
        {
            ensure!(verb == "enable" && now == "--now", "{FILE}: systemctl {verb} {now}");
            return self.start_unit(host, unit);
        }
        let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
        host.root(&words.join(" ")).map(drop)
    }

    fn start_unit(&self, host: &Host, unit: &str) -> Result<()> {
        let text = self.file(&format!("/etc/systemd/system/{unit}"))?;
        let value =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let (Some(user), Some(line)) = (value("User"), value("ExecStart")) else {
            bail!("{FILE}: {unit} has no User or no ExecStart");
        };
        host.daemon(user, "service.log", line)
    }
}

/// Returns a word as shell text means it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    fn deployed(path: &str) -> String {
        fs::read_to_string(root().join(path)).unwrap()
    }

    #[test]
    fn the_box_has_what_deploy_cron_holds() {
        let config = CloudConfig::read(root()).unwrap();
        for (there, here) in [
            ("/home/niassa/crons/status.cron", "deploy/cron/status.cron"),
            ("/home/niassa/crons/crontab", "deploy/cron/crontab"),
            ("/etc/logrotate.d/niassa", "deploy/cron/logrotate"),
        ] {
            assert_eq!(config.file(there).unwrap(), deployed(here), "{there}");
        }
        let closed = config.write_files.iter().filter(|file| file.content.contains("SW_REST_PASS"));
        assert!(closed.map(|file| file.permissions.as_str()).eq(["0600"]));
    }

    #[test]
    fn the_document_shows_what_deploy_cron_holds() {
        let document = Document::read(&root().join("docs/launching.md")).unwrap();
        assert_eq!(document.text("crontab").unwrap(), deployed("deploy/cron/crontab"));
        // The remark for shellcheck is no part of what people have to know.
        let lines = deployed("deploy/cron/status.cron");
        let lines = lines.lines().filter(|line| !line.starts_with("# shellcheck"));
        let shown = document.text("status.cron").unwrap();
        assert!(lines.eq(shown.lines()), "{shown}");
    }

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("it's $x"), r"'it'\''s $x'");
    }
}
