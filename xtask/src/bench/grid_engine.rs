//! A Grid Engine for measuring how jobs are handed over: its queue is closed, so that every job waits.
//!
//! It is the one of the integration tests: a cell of its own in a temporary folder, which ends with the
//! pipe to its script.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::clusters::Queue;

const SCRIPT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/seqware/tests/it/sge_server/serve.sh");

/// Where Debian puts Grid Engine's programs; the wrappers in PATH are ten times slower.
const PROGRAMS: &str = "/usr/lib/gridengine";

/// How long it may take to forget all jobs.
const CLEARED: Duration = Duration::from_mins(1);

/// A Grid Engine without a queue that takes jobs. It ends with its value.
pub(super) struct GridEngine {
    script: Child,
    environment: Vec<(OsString, OsString)>,
}

impl GridEngine {
    /// Starts one; `None` where it cannot be had.
    pub(super) fn start() -> Result<Option<Self>> {
        let is_installed = Path::new(PROGRAMS).join("sge_qmaster").exists();
        if !is_installed || !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        // The script removes the folder.
        let folder = tempfile::Builder::new().prefix("bench-sge-").tempdir()?.keep();
        let listeners = [TcpListener::bind("0.0.0.0:0")?, TcpListener::bind("0.0.0.0:0")?];
        let mut ports = Vec::new();
        for listener in &listeners {
            ports.push(listener.local_addr()?.port().to_string());
        }
        drop(listeners);
        let mut script = Command::new("bash")
            .arg(SCRIPT)
            .arg(&folder)
            .args(&ports)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("serve.log")).context("make a log")?)
            .spawn()
            .context("start Grid Engine")?;
        let mut said = String::new();
        let output = script.stdout.take().context("no pipe")?;
        BufReader::new(output).read_line(&mut said).context("wait for Grid Engine")?;
        ensure!(said.trim() == "ready", "Grid Engine does not start: {}", folder.display());
        let mut path = vec![PathBuf::from(PROGRAMS)];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let environment = [
            ("SGE_ROOT", folder.join("root").into()),
            ("SGE_CELL", "test".into()),
            ("SGE_QMASTER_PORT", OsString::from(&ports[0])),
            ("SGE_EXECD_PORT", OsString::from(&ports[1])),
            ("PATH", std::env::join_paths(path).context("join PATH")?),
        ]
        .map(|(name, value)| (OsString::from(name), value))
        .to_vec();
        let engine = Self { script, environment };
        engine.tell("qmod", &["-d", "main.q"])?;
        Ok(Some(engine))
    }

    fn tell(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new(Path::new(PROGRAMS).join(program))
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("start {program}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Queue for GridEngine {
    const NAME: &str = "Grid Engine";
    const ENGINE: &str = "sge";
    const REFERENCE: &str = "`xargs -P8 qsub`";

    fn environment(&self) -> Vec<(OsString, OsString)> {
        self.environment.clone()
    }

    fn clear(&self) -> Result<()> {
        self.tell("qdel", &["-u", "root"])?;
        let begun = Instant::now();
        while self.waiting()? > 0 {
            ensure!(begun.elapsed() < CLEARED, "jobs are not deleted");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn waiting(&self) -> Result<usize> {
        // Two lines of heading, where there is anything.
        Ok(self.tell("qstat", &["-u", "root"])?.lines().skip(2).count())
    }

    fn by_hand(&self, step: &str) -> String {
        format!(
            "hold=-h; [ -z \"$before\" ] || hold=\"-hold_jid $before\"
             before=$({PROGRAMS}/qsub -terse -N nia-$1-s{step} -b y -r n -j y -o /dev/null \
                 -wd /tmp -S /bin/bash $hold true)"
        )
    }
}

impl Drop for GridEngine {
    fn drop(&mut self) {
        // The script ends everything when its input does.
        drop(self.script.stdin.take());
        let _reaped = self.script.wait();
    }
}
