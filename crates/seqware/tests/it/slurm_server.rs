//! A real Slurm for tests: a controller and two virtual nodes, as the user who runs the tests, on
//! this machine's own address, with everything in one temporary folder.
//!
//! Whoever can reach its port is believed to be whom he says he is: for tests only. A small shell
//! waits for the end of a pipe that the test process holds; whichever way that process ends, the
//! shell then ends every process of the cluster and removes its folder.

mod database;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::site::{CEILING, skip};

/// Where programs of a cluster and of its jobs are found.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// The nodes of every server, each claiming 16 processors and much memory.
const NODES: [&str; 2] = ["n1", "n2"];

/// Programs, and the Debian packages they come from.
const NEEDED: [(&str, &str); 3] =
    [("slurmctld", "slurmctld"), ("slurmd", "slurmd"), ("sbatch", "slurm-client")];

/// Reads until the test process is gone, then ends what has the cluster's folder in its environment
/// or a file of it open (but never the test process), until nothing is left.
const WATCHER: &str = r#"
trap '' INT TERM HUP
read -r _
for _ in $(seq 100); do
    pids=$({ grep -lsaF "$1/" /proc/[0-9]*/environ; find /proc/[0-9]*/fd -lname "$1/*" 2>/dev/null; } \
        | cut -d/ -f3 | sort -un | grep -vx "$2")
    [ -n "$pids" ] || break
    kill -KILL $pids 2>/dev/null
    sleep 0.05
done
rm -rf "$1"
"#;

/// What can differ between servers.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// For how many seconds at least an ended job is shown.
    pub min_job_age: u32,
    /// How many jobs the controller keeps.
    pub max_job_count: u32,
    /// Where ended jobs are written down.
    pub accounting: Accounting,
    /// Who sees that jobs keep to their memory.
    pub memory: Memory,
}

/// Where ended jobs are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounting {
    /// Nowhere.
    Off,
    /// In a database, by `slurmdbd`.
    Database,
}

/// Who sees that jobs keep to their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Slurm looks from time to time, and kills.
    Polled,
    /// The kernel, by control groups.
    ControlGroups,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            min_job_age: 60,
            max_job_count: 20_000,
            accounting: Accounting::Off,
            memory: Memory::Polled,
        }
    }
}

/// A running cluster.
pub struct SlurmServer {
    folder: PathBuf,
    watcher: Child,
    daemons: Mutex<Daemons>,
}

#[derive(Default)]
struct Daemons {
    controller: Option<Child>,
    nodes: [Option<Child>; 2],
    accounting: Vec<Child>,
}

impl SlurmServer {
    /// Returns the one that all tests of this process share; none may break it. `None` where Slurm is
    /// not installed (noted as skipped).
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<SlurmServer>> = OnceLock::new();
        if is_missing(Tuning::default()) {
            return None;
        }
        SHARED.get_or_init(|| Some(Self::start(Tuning::default()))).as_ref()
    }

    /// Starts one for a single test; it ends when it is dropped. `None` as for [`Self::shared`].
    pub fn own() -> Option<Self> {
        Self::own_with(Tuning::default())
    }

    /// Starts one like [`Self::own`], tuned.
    pub fn own_with(tuning: Tuning) -> Option<Self> {
        if is_missing(tuning) { None } else { Some(Self::start(tuning)) }
    }

    /// Lets tests with a server of their own, and other heavy ones, run one after the other.
    pub fn heavy() -> MutexGuard<'static, ()> {
        static HEAVY: Mutex<()> = Mutex::new(());
        HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what has to be in the environment of whoever uses this cluster; nothing else is needed.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let home = self.folder.join("home").into_os_string();
        let configuration = self.folder.join("slurm.conf").into_os_string();
        let pairs = [("PATH", PATH.into()), ("HOME", home), ("SLURM_CONF", configuration)];
        pairs.map(|(name, value)| (name.into(), value)).into()
    }

    /// Stops the controller as an administrator does: it saves what it knows.
    pub fn stop_controller(&self) {
        let child = self.daemons().controller.take();
        end(child, rustix::process::Signal::TERM);
    }

    /// Kills the controller: what it did not save yet is gone.
    pub fn kill_controller(&self) {
        let child = self.daemons().controller.take();
        end(child, rustix::process::Signal::KILL);
    }

    /// Makes the controller forget every job, and the number of the next one.
    pub fn forget_all_jobs(&self) {
        self.kill_controller();
        fs::remove_dir_all(self.folder.join("state")).expect("its own folder");
        fs::create_dir_all(self.folder.join("state")).expect("a folder");
        self.start_controller();
        self.wait_for("the nodes are back", || {
            self.program("sinfo", &["-h", "-N", "-o", "%T"]).matches("idle").count() >= NODES.len()
        });
    }

    /// Starts the controller and waits until it answers.
    pub fn start_controller(&self) {
        let child = self.daemon("slurmctld", &["-D"]);
        self.daemons().controller = Some(child);
        self.wait_for("the controller answers", || self.control(&["ping"]).contains("is UP"));
    }

    /// Makes a node vanish with all its processes, as when its power fails. The controller notices
    /// after some seconds.
    pub fn kill_node(&self, node: &str) {
        let child = self.daemons().nodes[index(node)].take();
        end(child, rustix::process::Signal::KILL);
        // The supervisors of its jobs have its log open; what they started has its name.
        let log = self.folder.join(format!("log/slurmd-{node}.log"));
        let folder = self.folder.as_os_str().as_encoded_bytes();
        let name = format!("SLURMD_NODENAME={node}\0");
        for pid in processes() {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let of_job = contains(&environment, folder) && contains(&environment, name.as_bytes());
            if of_job || holds_open(pid, &log) {
                kill(pid);
            }
        }
    }

    /// Starts a node and waits until the controller counts it in.
    pub fn start_node(&self, node: &str) {
        let child = self.daemon("slurmd", &["-D", "-N", node]);
        self.daemons().nodes[index(node)] = Some(child);
        self.wait_for_node(node);
    }

    fn wait_for_node(&self, node: &str) {
        self.wait_for("the node is up", || {
            let state = self.program("sinfo", &["-h", "-N", "-n", node, "-o", "%T"]);
            state.lines().any(|line| matches!(line, "idle" | "mixed" | "allocated"))
        });
    }

    /// Starts a node again in which a folder is empty, as where a file system is not mounted.
    pub fn restart_node_without(&self, node: &str, folder: &Path) {
        end(self.daemons().nodes[index(node)].take(), rustix::process::Signal::TERM);
        let script = "mount -t tmpfs none \"$1\" && exec slurmd -D -N \"$2\"";
        let folder = folder.display().to_string();
        let words = ["-m", "bash", "-c", script, "node", &folder, node];
        let child = self.daemon("unshare", &words);
        self.daemons().nodes[index(node)] = Some(child);
        self.wait_for_node(node);
    }

    /// Runs `scontrol` and returns what it printed.
    pub fn control(&self, arguments: &[&str]) -> String {
        self.program("scontrol", arguments)
    }

    /// Runs any program of Slurm as the user of the tests and returns what it printed.
    pub fn program(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output().expect("a program of Slurm");
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits for a condition, up to the ceiling.
    #[track_caller]
    pub fn wait_for(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let began = Instant::now();
        while !condition() {
            if began.elapsed() > CEILING {
                let queue = self.program("squeue", &["-t", "all", "-o", "%i %T %r %N %j"]);
                let log = fs::read_to_string(self.folder.join("log/slurmctld.log"));
                panic!("{what}: not within {CEILING:?}\n{queue}\n{}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn start(tuning: Tuning) -> Self {
        let folder = tempfile::Builder::new().prefix("slurm").tempdir().expect("a folder").keep();
        let watcher = watch(&folder);
        let server = Self { folder, watcher, daemons: Mutex::default() };
        for part in ["state", "spool/n1", "spool/n2", "log", "run", "home"] {
            fs::create_dir_all(server.folder.join(part)).expect("a folder");
        }
        let user = Command::new("id").arg("-un").output().expect("the user's name").stdout;
        let user = String::from_utf8(user).expect("a name").trim().to_owned();
        let [controller, accounting, nodes @ ..] = free_ports();
        let mut configuration = configuration(&server.folder, tuning, &user, controller, nodes);
        if tuning.accounting == Accounting::Database {
            configuration.push_str(&database::settings(accounting));
        }
        fs::write(server.folder.join("slurm.conf"), configuration).expect("a file");
        // slurmd 22.05 loads a cgroup plugin even where nothing uses one; this one is content without.
        let groups = match tuning.memory {
            Memory::Polled => "CgroupPlugin=cgroup/v1\n",
            Memory::ControlGroups => {
                "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainRAMSpace=yes\n\
                 ConstrainSwapSpace=yes\nAllowedSwapSpace=0\n"
            }
        };
        fs::write(server.folder.join("cgroup.conf"), groups).expect("a file");
        if tuning.accounting == Accounting::Database {
            let children = database::start(&server, &user, accounting);
            server.daemons().accounting.extend(children);
        }
        server.start_controller();
        for node in NODES {
            server.start_node(node);
        }
        server
    }

    fn daemons(&self) -> MutexGuard<'_, Daemons> {
        self.daemons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn daemon(&self, program: &str, arguments: &[&str]) -> Child {
        self.spawn(program, arguments, &[])
    }

    fn spawn(&self, program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
        self.command(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a daemon of Slurm")
    }

    fn command(&self, program: &str) -> Command {
        let path = find(program).unwrap_or_else(|| PathBuf::from(program));
        let mut command = Command::new(path);
        command.env_clear().envs(self.environment()).current_dir(&self.folder);
        command
    }
}

impl Drop for SlurmServer {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        drop(self.watcher.wait());
        let mut daemons = self.daemons();
        let Daemons { controller, nodes, accounting } = &mut *daemons;
        let of_slurm = std::iter::once(controller).chain(nodes).filter_map(Option::as_mut);
        for child in of_slurm.chain(accounting) {
            drop(child.wait());
        }
    }
}

/// Notes a skip where a program is not installed.
fn is_missing(tuning: Tuning) -> bool {
    let mut needed = NEEDED.to_vec();
    if tuning.accounting == Accounting::Database {
        if !rustix::process::geteuid().is_root() {
            skip("the accounting's database needs root");
            return true;
        }
        needed.extend(database::NEEDED);
    }
    let missing = needed.iter().filter(|(program, _)| find(program).is_none());
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if !packages.is_empty() {
        skip(&format!("not installed: {}", packages.join(", ")));
        return true;
    }
    let groups = Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    let no_groups = tuning.memory == Memory::ControlGroups && fs::metadata(groups).is_err();
    if no_groups {
        skip("no control groups of version 1 limit memory here");
    }
    no_groups
}

fn find(program: &str) -> Option<PathBuf> {
    PATH.split(':').map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}

fn watch(folder: &Path) -> Child {
    let own_pid = std::process::id().to_string();
    Command::new("bash")
        .args([OsStr::new("-c"), WATCHER.as_ref(), "watcher".as_ref()])
        .args([folder.as_os_str(), own_pid.as_ref()])
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a watching shell")
}

fn configuration(
    folder: &Path,
    tuning: Tuning,
    user: &str,
    controller: u16,
    [first, second]: [u16; 2],
) -> String {
    let folder = folder.display();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host = host.split('.').next().expect("a first part").to_owned();
    let Tuning { min_job_age, max_job_count, .. } = tuning;
    let (tasks, gather) = match tuning.memory {
        Memory::Polled => ("none", "JobAcctGatherParams=OverMemoryKill"),
        Memory::ControlGroups => ("cgroup", "# The kernel sees to it."),
    };
    format!(
        "ClusterName=niassa
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/{tasks}
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
{gather}
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=4000
SchedulerParameters=sched_interval=1,bf_interval=1
AuthInfo=cred_expire=10
MinJobAge={min_job_age}
MaxJobCount={max_job_count}
MaxArraySize=1001
KillWait=2
SlurmdTimeout=5
MessageTimeout=5
OverTimeLimit=0
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=16 RealMemory=200000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=16 RealMemory=200000
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
PartitionName=small Nodes=n1 MaxTime=10 State=UP
PartitionName=second Nodes=n2 MaxTime=INFINITE Hidden=YES State=UP
PartitionName=down Nodes=n1 State=DOWN
"
    )
}

fn free_ports() -> [u16; 4] {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

fn index(node: &str) -> usize {
    NODES.iter().position(|name| *name == node).expect("n1 or n2")
}

/// Ends a daemon that we started and waits for it.
fn end(child: Option<Child>, signal: rustix::process::Signal) {
    let mut child = child.expect("it runs");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, signal).expect("our own process");
    child.wait().expect("its end");
}

fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        // It may have ended by itself meanwhile.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let own = std::process::id().to_string();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| *name != own).filter_map(|name| name.parse().ok()).collect()
}

fn holds_open(pid: i32, file: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|path| path == file)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
