//! The driver of a browser, which ends with the test and its browser with it, however the test ends.
//!
//! The driver starts the browser in a process group of its own, and a killed driver leaves it behind. So a
//! shell watches: once its input is closed, as it is when the test is killed, it kills whatever has the
//! folder of this browser in its environment or holds a file there.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Kills what belongs to a folder (`$1`), and removes it. `$2`: the test's own process.
const WATCHER: &str = r#"
trap '' INT TERM HUP
read -r _
for _ in $(seq 100); do
    pids=$({ grep -lsaF "$1" /proc/[0-9]*/environ; find /proc/[0-9]*/fd -lname "$1/*" 2>/dev/null; } \
        | cut -d/ -f3 | sort -un | grep -vx "$2")
    [ -n "$pids" ] || break
    kill -KILL $pids 2>/dev/null
    sleep 0.05
done
rm -rf "$1"
"#;

/// A driver, with who watches over it.
pub struct Watched {
    /// The port that the driver listens on.
    pub port: u16,
    folder: tempfile::TempDir,
    driver: Child,
    watcher: Child,
}

impl Watched {
    /// Starts a driver; `None` where none is installed.
    pub fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new("chromedriver")
            .args(["--port=0"])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = started else { return None };
        let watcher = watch(folder.path());
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.rsplit_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver tells its port");
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { port, folder, driver, watcher })
    }

    /// Returns the folder that all of its processes know.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Closes the watcher's input, as the end of the test would.
    pub fn let_go(&mut self) {
        drop(self.watcher.stdin.take());
        let _reaped = self.watcher.wait();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.let_go();
        let _ended = self.driver.kill();
        let _reaped = self.driver.wait();
    }
}

fn watch(folder: &Path) -> Child {
    Command::new("bash")
        .args(["-c", WATCHER, "watcher"])
        .arg(folder)
        .arg(std::process::id().to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a watching shell")
}
