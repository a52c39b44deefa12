//! A throw-away PostgreSQL server for the tests, which find it through `NIASSA_TEST_POSTGRES`.
//!
//! It listens on a socket in a temporary folder only, trusts whoever reaches it, and syncs nothing:
//! its data live no longer than the run. PostgreSQL refuses to run as root, so root starts it as the
//! user `postgres`, whom Debian's package makes. The kernel ends the server should we die.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::packages;

/// The environment variable that names the server to tests.
pub(crate) const VARIABLE: &str = "NIASSA_TEST_POSTGRES";

/// How long the server may take to start.
const START: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(50);

const SETTINGS: [&str; 3] = ["listen_addresses=", "max_connections=300", "log_min_messages=fatal"];

/// Nothing is synced.
const CARELESS: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/// Whether what a server has acknowledged is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It is, as PostgreSQL does by itself.
    Synced,
    /// It is not: the data live no longer than the run.
    None,
}

/// A running server; it is stopped when this is dropped.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts a server, or nothing where PostgreSQL is not installed: then tests skip themselves.
    pub(crate) fn start(durability: Durability) -> Result<Option<Self>> {
        let (Some(initdb), Some(postgres)) =
            (packages::find_program("initdb"), packages::find_program("postgres"))
        else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("niassa-pg-").tempdir()?;
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            // The other user works in it; its data folder is closed by initdb.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777))?;
        }
        let data = folder.path().join("data");
        initialise(as_server(&initdb, is_root), &data)?;
        let mut command = as_server(&postgres, is_root);
        command.arg("-D").arg(&data).arg("-k").arg(folder.path());
        let careless = CARELESS.iter().filter(|_| durability == Durability::None);
        for setting in SETTINGS.iter().chain(careless) {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(folder.path().join("log"))?;
        let child = command.stderr(log).spawn().context("cannot start postgres")?;
        let mut server = Self { child, folder };
        server.await_start()?;
        Ok(Some(server))
    }

    /// Returns the URL of a database whose user may create others.
    pub(crate) fn url(&self) -> String {
        let socket = self.folder.path().display();
        format!("postgresql://postgres@localhost/postgres?host={socket}")
    }

    fn await_start(&mut self) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let mut question = Command::new("pg_isready");
            question.arg("-q").arg("-h").arg(self.folder.path());
            if question.status().context("cannot start pg_isready")?.success() {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() >= deadline {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                bail!("postgres did not start: {}", log.trim());
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Immediate shutdown: nobody needs its data again.
            let _ = kill_process(id, Signal::QUIT);
        }
        drop(self.child.wait());
    }
}

/// Returns a command that runs as the server's user, away from folders that user may not enter.
fn as_server(program: &Path, is_root: bool) -> Command {
    let mut command = Command::new("setpriv");
    if is_root {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn initialise(mut initdb: Command, data: &PathBuf) -> Result<()> {
    initdb.args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8"]);
    initdb.args(["--locale=C.UTF-8", "-D"]).arg(data);
    let output = initdb.output().context("cannot start initdb")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "initdb failed: {}", complaint.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_until_it_is_dropped() {
        let Some(server) = Server::start(Durability::None).unwrap() else {
            // Where it is not installed, `packages` says so by name.
            return;
        };
        let url = server.url();
        let ask = || Command::new("psql").args([&url, "-Atqc", "select 40 + 2"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ask().stdout).trim(), "42");
        let folder = server.folder.path().to_owned();
        drop(server);
        assert!(!ask().status.success());
        assert!(!folder.exists());
    }
}
