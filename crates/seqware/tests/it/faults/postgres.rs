//! A PostgreSQL server for crash tests: durable (fsync is on), and it may be struck.
//!
//! It listens on a socket in a temporary folder only. PostgreSQL refuses to run as root, so root starts
//! it as the user `postgres`, whom Debian's package makes. It ends when the thread does that started it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};

use super::lock;
use crate::site::{skip, wait_for};

/// A server that keeps what it has acknowledged.
pub struct PgServer {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl PgServer {
    /// Starts a server; `None` where PostgreSQL is not installed (noted as skipped).
    pub fn start() -> Option<Self> {
        let Some(initdb) = find("initdb") else {
            skip("not installed: postgresql");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("niassa-pg-").tempdir().unwrap();
        if is_root() {
            // The other user works in it; initdb closes its data folder.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        }
        let mut command = as_server(&initdb);
        command.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"]);
        let made = command.arg("-D").arg(folder.path().join("data")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { folder, child: None };
        server.serve();
        Some(server)
    }

    /// Makes a database and returns its URL.
    pub fn database(&self) -> String {
        let name = format!("faults{:016x}", rand::random::<u64>());
        self.tell("postgres", &format!("create database {name}"));
        self.url(&name)
    }

    /// Shuts the server down without a checkpoint or a goodbye, and starts it again.
    pub fn restart(&mut self) {
        self.stop();
        self.serve();
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
            kill_process(pid, Signal::QUIT).unwrap();
            child.wait().unwrap();
        }
    }

    fn serve(&mut self) {
        let mut command = as_server(&find("postgres").unwrap());
        command.arg("-D").arg(self.folder.path().join("data")).arg("-k").arg(self.folder.path());
        for setting in ["listen_addresses=", "fsync=on", "max_connections=200"] {
            command.args(["-c", setting]);
        }
        let log = self.folder.path().join("log");
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        self.child = Some(command.stderr(log).spawn().unwrap());
        wait_for("PostgreSQL answers", || {
            let mut question = Command::new("pg_isready");
            question.args(["-q", "-h"]).arg(self.folder.path());
            question.status().unwrap().success()
        });
    }

    fn url(&self, database: &str) -> String {
        let socket = self.folder.path().display();
        format!("postgresql://postgres@localhost/{database}?host={socket}")
    }

    fn tell(&self, database: &str, statement: &str) {
        tell(&self.url(database), statement);
    }
}

impl Drop for PgServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The server that all cells share which do not strike it.
static SHARED: Mutex<Option<PgServer>> = Mutex::new(None);

/// Keeps the shared server; it ends when this is dropped.
pub struct SharedPostgres;

impl SharedPostgres {
    /// Starts the server that all cells share, in the thread that outlives them.
    pub fn start() -> Self {
        // Each cell that needs it notes by its own name that it is missing.
        *lock(&SHARED) = find("initdb").and_then(|_| PgServer::start());
        Self
    }

    /// Makes a database on it; `None` where there is none (noted as skipped).
    pub fn database() -> Option<String> {
        let database = lock(&SHARED).as_ref().map(PgServer::database);
        if database.is_none() {
            skip("PostgreSQL is not installed");
        }
        database
    }
}

impl Drop for SharedPostgres {
    fn drop(&mut self) {
        drop(lock(&SHARED).take());
    }
}

/// Ends every other connection to a database.
pub fn cut_connections(url: &str) {
    tell(
        url,
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid()",
    );
}

fn tell(url: &str, statement: &str) {
    let told = Command::new("psql").args([url, "-Atqc", statement]).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Debian has the server's programs on nobody's PATH.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn as_server(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
