//! A throw-away site for measuring: a service on a free port, an account, bundles, a supervisor.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

pub(super) const EMAIL: &str = "bob@lab.net";
pub(super) const PASSWORD: &str = "password of bob";

/// A running service with everything around it. What it started ends with it.
pub(super) struct Site {
    folder: tempfile::TempDir,
    seqware: PathBuf,
    service: Child,
    pub(super) port: u16,
}

impl Site {
    /// Starts a site on SQLite.
    pub(super) fn start(seqware: &Path) -> Result<Self> {
        Self::start_at(seqware, None)
    }

    /// Starts a site whose MetaDB is there, or in its own folder.
    pub(super) fn start_at(seqware: &Path, metadb: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder")?;
        let own = || folder.path().join("niassa.db").display().to_string();
        let metadb = metadb.map_or_else(own, str::to_owned);
        let mut init = plain(seqware, folder.path());
        init.args(["metadb", "init", "--metadb", &metadb, "--admin", EMAIL]);
        feed(&mut init, PASSWORD)?;
        let mut service = plain(seqware, folder.path())
            .args(["serve", "--listen", "127.0.0.1:0", "--metadb", &metadb, "--data"])
            .arg(folder.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start the service")?;
        let output = service.stdout.take().context("no pipe")?;
        let mut lines = BufReader::new(output).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, after) = line.split_once("http://127.0.0.1:")?;
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        let port = port.context("the service did not say where it listens")?;
        let settings = folder.path().join("settings");
        let text = format!(
            "SW_REST_URL=http://127.0.0.1:{port}\nSW_REST_USER={EMAIL}\nSW_REST_PASS={PASSWORD}\nSW_WORK_DIR={}\n",
            folder.path().join("runs").display()
        );
        fs::write(&settings, text).context("write settings")?;
        fs::set_permissions(&settings, fs::Permissions::from_mode(0o600)).context("set a mode")?;
        Ok(Self { folder, seqware: seqware.to_owned(), service, port })
    }

    /// Returns a command of the account.
    pub(super) fn seqware(&self, arguments: &[&str]) -> Command {
        let mut command = plain(&self.seqware, self.folder.path());
        command.env("SEQWARE_SETTINGS", self.folder.path().join("settings")).args(arguments);
        command
    }

    /// Runs a command of the account and returns the number behind `SWID: `.
    pub(super) fn swid(&self, arguments: &[&str]) -> Result<i64> {
        let output = self.seqware(arguments).output().context("start seqware")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "seqware {arguments:?}: {text}{complaint}");
        let (_, after) = text.rsplit_once("SWID: ").context("no SWID was printed")?;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().context("no number behind SWID")
    }

    /// Writes a bundle and returns its folder.
    pub(super) fn bundle(&self, name: &str, manifest: &str) -> Result<String> {
        let folder = self.folder.path().join("bundles").join(name);
        fs::create_dir_all(&folder).context("make a folder")?;
        fs::write(folder.join("workflow.yaml"), manifest).context("write a manifest")?;
        Ok(folder.display().to_string())
    }

    /// Installs a bundle and returns the workflow's accession.
    pub(super) fn install(&self, name: &str, manifest: &str) -> Result<i64> {
        let folder = self.bundle(name, manifest)?;
        self.swid(&["bundle", "install", "--dir", &folder])
    }

    /// Returns where the MetaDB is.
    pub(super) fn metadb(&self) -> PathBuf {
        self.folder.path().join("niassa.db")
    }

    pub(super) fn service_pid(&self) -> u32 {
        self.service.id()
    }

    /// Returns the processes of the local engine: guard and supervisor.
    pub(super) fn engine_pids(&self) -> Vec<u32> {
        let marker = self.folder.path().display().to_string();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line);
            let engine = line.contains("\0supervise\0") || line.contains("\0guard\0");
            (engine && line.contains(&marker)).then_some(pid)
        });
        pids.collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for pid in self.engine_pids() {
            if let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed()) {
                // It may have ended by itself.
                let _ended = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        let _ended = self.service.kill();
        let _reaped = self.service.wait();
    }
}

fn plain(seqware: &Path, home: &Path) -> Command {
    let mut command = Command::new(seqware);
    command.env("HOME", home).env_remove("SEQWARE_SETTINGS").stdin(Stdio::null());
    command
}

fn feed(command: &mut Command, line: &str) -> Result<()> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("start seqware")?;
    let mut stdin = child.stdin.take().context("no pipe")?;
    writeln!(stdin, "{line}").context("write a password")?;
    drop(stdin);
    let status = child.wait().context("wait for seqware")?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
