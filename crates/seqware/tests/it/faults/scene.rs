//! The scene of a cell: a site, somebody with an account, a cluster, and two accepted runs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::cell::{Cell, Engine, Manner, Victim};
use super::cluster::Cluster;
use super::postgres::{PgServer, SharedPostgres};
use crate::site::{Site, User};

/// Seconds that a claim lasts; the waits of clusters follow from it.
pub const LEASE: u32 = 1;

/// Runs of every cell.
const RUNS: usize = 2;

/// How long a strike is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Launching, as cron does it.
pub const LAUNCH: [&str; 4] = ["workflow-run", "launch-scheduled", "--host", "here"];

/// Propagating, as cron does it.
pub const PROPAGATE: [&str; 2] = ["workflow-run", "propagate-statuses"];

/// Everything a cell plays with. What comes first is dropped first.
pub struct Scene {
    pub site: Site,
    pub bob: User,
    pub runs: Vec<i64>,
    pub cluster: Option<Cluster>,
    pub postgres: Option<PgServer>,
}

/// What became of a command that was to be struck.
enum Struck {
    Killed,
    Stalled(Child),
    /// It ended without having come to the point.
    No,
}

impl Scene {
    /// Sets a cell up and schedules its runs; `None` where something it needs is missing (noted as
    /// skipped).
    pub fn of(cell: &Cell) -> Option<Self> {
        let cluster = Cluster::of(cell);
        if cell.engine != Engine::Local && cluster.is_none() {
            return None;
        }
        let is_own = cell.postgres && cell.manner == Manner::Restart;
        let postgres = if is_own { Some(PgServer::start()?) } else { None };
        let metadb = match (cell.postgres, &postgres) {
            (false, _) => None,
            (true, Some(server)) => Some(server.database()),
            (true, None) => Some(SharedPostgres::database()?),
        };
        let site = Site::start_at(metadb, LEASE, |_| String::new());
        let mut bob = site.account("bob@lab.net");
        if let Some(cluster) = &cluster {
            let engine = format!("{:?}", cell.engine).to_lowercase();
            bob = bob.with(cluster.environment()).with([("SW_DEFAULT_WORKFLOW_ENGINE", engine)]);
        }
        // Any cell can be played so, to see that it makes no difference.
        if cell.has_small_journals() || std::env::var_os("NIASSA_FAULTS_SMALL_JOURNALS").is_some() {
            bob = bob.with([("NIASSA_JOURNAL_BYTES", "1")]);
        }
        if cell.victim == Victim::Runner {
            let runner = write_runner(&site, cell);
            bob = bob.with([("SW_STEP_RUNNER", runner)]);
        }
        if !cell.is_gated() {
            fs::write(site.path("gate"), "").unwrap();
        }
        let workflow = bob.install(&site.bundle("diamond", &diamond(&site, cell)));
        let runs = (0..RUNS).map(|_| bob.schedule(workflow, "here", &[])).collect();
        Some(Self { site, bob, runs, cluster, postgres })
    }

    /// Copies what the cell left behind to where `NIASSA_FAULTS_KEEP` says.
    pub fn keep_for_people(&self, cell: &Cell) {
        let Ok(folder) = std::env::var("NIASSA_FAULTS_KEEP") else { return };
        let folder = Path::new(&folder).join(cell.to_string().replace('/', "_"));
        fs::create_dir_all(&folder).unwrap();
        for part in ["runs", "starts", "service.log", "niassa.db", "niassa.db-wal"] {
            let mut copy = Command::new("cp");
            copy.arg("-a").arg(self.site.path(part)).arg(&folder).stderr(Stdio::null());
            let _not_there = copy.status();
        }
        if let Some(cluster) = &self.cluster {
            fs::write(folder.join("queue"), cluster.queue()).unwrap();
            fs::write(folder.join("controller.log"), cluster.log()).unwrap();
        }
    }

    /// Lets gated steps go on.
    pub fn open_gate(&self) {
        fs::write(self.site.path("gate"), "").unwrap();
    }

    /// Returns the file in which user code notes that it starts.
    pub fn starts(&self) -> PathBuf {
        self.site.path("starts")
    }

    /// Runs a tick to its end, whatever it comes to.
    pub fn tick(&self, words: &[&str]) {
        self.bob.seqware(words);
    }

    /// Lets ordinary ticks go on for a while.
    pub fn ticks_for(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.tick(&LAUNCH);
            self.tick(&PROPAGATE);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Lets ordinary ticks go on until a condition holds; tells whether it came to hold.
    pub fn ticks_until(&self, mut condition: impl FnMut() -> bool) -> bool {
        let begun = Instant::now();
        while !condition() {
            if begun.elapsed() > PATIENCE {
                return false;
            }
            self.tick(&LAUNCH);
            self.tick(&PROPAGATE);
        }
        true
    }

    /// Repeats a tick until it is struck at a point; tells whether it was.
    pub fn kill_at(&self, words: &[&str], point: &str) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.strike(words, point, Manner::Kill) {
                Struck::Killed => return true,
                Struck::Stalled(_) | Struck::No => std::thread::sleep(Duration::from_millis(200)),
            }
        }
        false
    }

    /// Holds a tick at a point, lets something be done meanwhile, and lets it go on; tells whether it
    /// came to the point.
    pub fn meanwhile(&mut self, words: &[&str], point: &str, act: impl FnOnce(&mut Self)) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Struck::Stalled(child) = self.strike(words, point, Manner::Stall) {
                act(self);
                go_on(child);
                return true;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        false
    }

    /// Runs a tick with a failpoint until it is struck, or ends.
    fn strike(&self, words: &[&str], point: &str, manner: Manner) -> Struck {
        let what = if manner == Manner::Stall { "stall" } else { "kill" };
        let mut child = self.start_with(words, &format!("{point}={what}"));
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                let is_killed = status.signal() == Some(Signal::KILL.as_raw());
                return if is_killed { Struck::Killed } else { Struck::No };
            }
            if is_stopped(child.id()) {
                return Struck::Stalled(child);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn start_with(&self, words: &[&str], failpoint: &str) -> Child {
        let mut command = self.bob.command();
        command.args(words).env("NIASSA_FAILPOINT", failpoint);
        start(command)
    }

    /// Starts a tick and does not wait for it.
    pub fn start(&self, words: &[&str]) -> Child {
        let mut command = self.bob.command();
        command.args(words);
        start(command)
    }

    /// Launches so that the supervisor that is started by it is struck at a point; tells whether it was.
    pub fn launch_with_supervisor(&self, failpoint: &str, daemon: &str) -> bool {
        let mut child = self.start_with(&LAUNCH, failpoint);
        child.wait().unwrap();
        let is_stalled = failpoint.ends_with("=stall");
        let struck = || {
            let of_site = self.site.processes().into_iter();
            let mut daemons = of_site.filter(|(_, line)| line.contains(daemon)).peekable();
            match is_stalled {
                true => daemons.any(|(pid, _)| is_stopped(pid.cast_unsigned())),
                false => daemons.peek().is_none(),
            }
        };
        patiently(struck)
    }

    /// Sends a signal to processes of the site by a word of their command line.
    pub fn signal(&self, word: &str, signal: Signal) {
        for (pid, line) in self.site.processes() {
            if line.contains(word) {
                signal_process(pid, signal);
            }
        }
    }

    /// Returns the struck step runner, once there is one.
    pub fn struck_runner(&self) -> Option<u32> {
        fs::read_to_string(self.site.path("struck/pid")).ok()?.trim().parse().ok()
    }

    /// Waits until a step stands at the gate.
    pub fn wait_at_gate(&self) -> bool {
        let (starts, all) = (self.starts(), self.runs.len());
        let at_gate = move || {
            let starts = fs::read_to_string(&starts).unwrap_or_default();
            starts.lines().filter(|line| line.contains("-s1-")).count() >= all
        };
        self.ticks_until(at_gate)
    }
}

/// Waits, without a tick, until a condition holds; tells whether it came to hold.
pub fn patiently(mut condition: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Tells whether a process is stopped.
pub fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, after)| after.starts_with('T'))
}

/// Tells whether a process is there, and no zombie.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, after)| !after.starts_with('Z'))
}

/// Sends a signal to a process that may have ended.
pub fn signal_process(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ended = kill_process(pid, signal);
    }
}

/// Lets a stopped command go on, and waits for its end.
fn go_on(mut child: Child) {
    signal_process(child.id().cast_signed(), Signal::CONT);
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(90) {
            child.kill().unwrap();
            panic!("a tick that went on did not end within 90 s");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A diamond of four steps that note their starts; the last one has an output.
fn diamond(site: &Site, cell: &Cell) -> String {
    let note = format!("echo \"$NIASSA_KEY\" >> '{}'", site.path("starts").display());
    let gate = format!("until test -e '{}'; do sleep 0.05; done", site.path("gate").display());
    let cure = match cell.victim {
        Victim::Retrier => format!("test -e '{}'; ", site.path("cure").display()),
        _ => String::new(),
    };
    let retry = if cell.repeats() { "    retry: {max: 1}\n" } else { "" };
    let mut text =
        "niassa: 1\nname: Diamond\nversion: \"1\"\ndescription: Four steps\nsteps:\n".to_owned();
    for (name, needs, command) in [
        ("top", "", "echo top > top.txt"),
        ("left", "top", &format!("{gate}; {cure}cp top.txt left.txt")),
        ("right", "top", "cp top.txt right.txt"),
        ("bottom", "left, right", "cat left.txt right.txt > both.txt"),
    ] {
        text.push_str(&format!(
            "  - name: {name}\n    command: |\n      {note}; {command}\n{retry}"
        ));
        if !needs.is_empty() {
            text.push_str(&format!("    needs: [{needs}]\n"));
        }
    }
    text.push_str("    outputs: [{path: both.txt, meta_type: text/plain}]\n");
    text
}

/// Writes a step runner that strikes the first attempt of one step of one run.
fn write_runner(site: &Site, cell: &Cell) -> PathBuf {
    let what = if cell.manner == Manner::Stall { "stall" } else { "kill" };
    let text = format!(
        "#!/bin/bash\n\
         if [[ \"$*\" == */1-left/attempt-1 ]] && mkdir '{struck}' 2>/dev/null; then\n\
         \texport NIASSA_FAILPOINT={point}={what}\n\
         \techo $$ > '{struck}/pid'\n\
         fi\n\
         exec '{seqware}' \"$@\"\n",
        struck = site.path("struck").display(),
        point = cell.place,
        seqware = env!("CARGO_BIN_EXE_seqware"),
    );
    let path = site.path("step-runner");
    write_program(&path, &text);
    path
}

/// Writes a program into a folder, and returns the PATH in which it comes first.
pub fn put_in_front(folder: &Path, program: &str, text: &str) -> (OsString, OsString) {
    write_program(&folder.join(program), text);
    let path = std::env::var("PATH").unwrap();
    ("PATH".into(), format!("{}:{path}", folder.display()).into())
}

/// Writes a program.
pub fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
