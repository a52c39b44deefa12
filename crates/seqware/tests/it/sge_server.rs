//! A real Grid Engine for the tests: one per test binary, started when the first test asks for it.
//!
//! It is a cell of its own in a temporary folder on free ports, so that several test runs and an
//! installation of the system can live side by side. `sge_server/serve.sh` starts it and watches a
//! pipe: when the test binary ends, however it ends, everything ends, jobs too. It needs root and
//! Debian's packages; root's jobs are let in. Tests that use it note their skip by name.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use crate::site::skip;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sge_server/serve.sh");
/// Where Debian puts Grid Engine's programs.
const PROGRAMS: &str = "/usr/lib/gridengine";
/// An ordinary user, made where it is missing.
const USER: &str = "niassa-test";

/// A Grid Engine that runs.
pub struct SgeServer {
    root: PathBuf,
    ports: [u16; 2],
    user: &'static str,
    control: Mutex<Control>,
}

/// The ends of the pipes to the script; when they close, it ends.
struct Control {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    _script: Child,
}

impl SgeServer {
    /// Returns the server of this test binary; `None` where there is none (noted as skipped).
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<SgeServer, &'static str>> = OnceLock::new();
        match SHARED.get_or_init(Self::start) {
            Ok(server) => Some(server),
            Err(why) => {
                skip(why);
                None
            }
        }
    }

    fn start() -> Result<Self, &'static str> {
        if !rustix::process::geteuid().is_root() {
            return Err("Grid Engine's daemons need root");
        }
        if !["qsub", "sge_qmaster", "sge_execd"]
            .iter()
            .all(|p| Path::new(PROGRAMS).join(p).exists())
        {
            return Err("Grid Engine is not installed");
        }
        // The script removes the folder. Jobs of other users look for the cell in it.
        let folder = tempfile::Builder::new().prefix("niassa-sge-").tempdir().unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let ports = free_ports();
        let mut script = Command::new("bash")
            .arg(SCRIPT)
            .arg(&folder)
            .args(ports.map(|port| port.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("serve.log")).unwrap())
            .spawn()
            .unwrap();
        let orders = script.stdin.take().unwrap();
        let answers = BufReader::new(script.stdout.take().unwrap());
        let mut control = Control { orders, answers, _script: script };
        let log = || fs::read_to_string(folder.join("serve.log")).unwrap_or_default();
        assert_eq!(control.answer(), "ready", "Grid Engine does not start: {}", log());
        let control = Mutex::new(control);
        Ok(Self { root: folder.join("root"), ports, user: ordinary_user(), control })
    }

    /// Returns what finds this Grid Engine: for commands beside what they need else, PATH included.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = vec![PathBuf::from(PROGRAMS)];
        folders.extend(std::env::split_paths(&path));
        let [qmaster, execd] = self.ports.map(|port| OsString::from(port.to_string()));
        [
            ("SGE_ROOT", self.root.clone().into()),
            ("SGE_CELL", "test".into()),
            ("SGE_QMASTER_PORT", qmaster),
            ("SGE_EXECD_PORT", execd),
            ("PATH", std::env::join_paths(folders).unwrap()),
        ]
        .map(|(name, value)| (OsString::from(name), value))
        .to_vec()
    }

    /// Returns an ordinary user of this machine who may submit jobs; root may as well.
    pub fn user(&self) -> &str {
        self.user
    }

    /// Runs a program of Grid Engine's and returns what it printed.
    #[track_caller]
    pub fn tell(&self, program: &str, arguments: &[&str]) -> String {
        let said = Command::new(Path::new(PROGRAMS).join(program))
            .args(arguments)
            .envs(self.environment())
            .output()
            .unwrap();
        assert!(said.status.success(), "{program}: {said:?}");
        String::from_utf8(said.stdout).unwrap()
    }

    /// Kills the qmaster. Running jobs go on; when it is back, it may take long until it learns of those
    /// that ended meanwhile. Nobody else may use the server until it is started.
    pub fn stop_master(&self) {
        self.order("stop");
    }

    /// Starts the qmaster that was stopped.
    pub fn start_master(&self) {
        self.order("start");
    }

    fn order(&self, order: &str) {
        let mut control = self.control.lock().unwrap();
        writeln!(control.orders, "{order}").unwrap();
        assert_eq!(control.answer(), "done");
    }
}

impl Control {
    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

/// Makes sure that there is the ordinary user, and returns the name.
fn ordinary_user() -> &'static str {
    let is_there = || Command::new("id").arg(USER).output().unwrap().status.success();
    if !is_there() {
        let made = Command::new("useradd").args(["-m", "-s", "/bin/bash", USER]).output().unwrap();
        // Another test run may have been faster.
        assert!(is_there(), "{made:?}");
    }
    USER
}

/// Returns two ports that were free a moment ago; Grid Engine cannot be told to find its own.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind(("0.0.0.0", 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
