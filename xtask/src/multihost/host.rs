//! A host: namespaces with a name, an address, and `/etc`, `/home`, `/run` and the like of its own.
//!
//! Only what is installed is shared with the machine, and an empty `/opt` with the other hosts. A host
//! lives as long as its first process, which waits for the end of a pipe that the lab holds.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use anyhow::{Context, Result, ensure};

/// The script of a host's first process, and where the lab keeps it.
pub(super) const INIT_SCRIPT: &str = include_str!("host_init.sh");
pub(super) const INIT: &str = "/opt/hosts/init.sh";
/// How long a single command may take, in seconds.
const COMMAND_SECONDS: &str = "60";
/// Writes standard input to a file that nobody else can read before it has its mode.
const WRITE: &str =
    "umask 077; (umask 022; mkdir -p \"$(dirname \"$1\")\") && cat > \"$1\" && chmod \"$2\" \"$1\"";
/// The environment of everything that runs on a host.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A running host.
pub(super) struct Host {
    name: &'static str,
    /// The process that made the namespaces, with the pipe that keeps the host alive.
    process: Child,
    /// The first process in the namespaces.
    init: String,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    /// Returns what was printed, if the command ended with 0.
    pub(super) fn ok(self, what: &str) -> Result<String> {
        self.ends_with(0, what)
    }

    /// Returns what was printed, if the command ended with this code.
    pub(super) fn ends_with(self, code: i32, what: &str) -> Result<String> {
        let Self { code: ended, stdout, stderr } = self;
        ensure!(
            ended == Some(code),
            "`{what}` ended with {ended:?} instead of {code}\n{stdout}{stderr}"
        );
        Ok(stdout)
    }
}

/// An OS user of a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person {
    /// The name.
    pub(super) name: &'static str,
    /// The number; on each host another, so that a file's owner says where it was made.
    pub(super) uid: u32,
}

impl Host {
    /// Starts a host. `folder` will hold its folders; `hosts` are the lines of its `/etc/hosts`.
    pub(super) fn start(name: &'static str, folder: &str, hosts: &str) -> Result<Self> {
        let mut process = Command::new("unshare")
            .args(["--kill-child", "--fork", "--mount", "--uts", "--net", "--ipc", "--pid"])
            .args(["--mount-proc", "--", "bash", INIT, name, folder, hosts])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let output: ChildStdout = process.stdout.take().context("a host has no stdout")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).context("hear from a host")?;
        ensure!(line == "ready\n", "{name} did not start");
        let children = format!("/proc/{0}/task/{0}/children", process.id());
        let init = std::fs::read_to_string(children).context("find the first process of a host")?;
        Ok(Self { name, process, init: init.trim().to_owned() })
    }

    /// Returns the short name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the number of the host's first process, as the lab knows it.
    pub(super) fn init(&self) -> &str {
        &self.init
    }

    /// Makes an OS user with a home and the executable in the path of login shells.
    pub(super) fn add_person(&self, person: Person) -> Result<()> {
        let Person { name, uid } = person;
        self.root(&format!(
            "useradd --create-home --shell /bin/bash --uid {uid} --user-group {name} 2>/dev/null; \
             chmod 0755 /home/{name}"
        ))?;
        let profile = "export PATH=/opt/niassa/bin:$PATH\n";
        self.write(&format!("/home/{name}/.bash_profile"), profile, name, "0644")
    }

    /// Runs a line of shell as somebody who has just logged in.
    pub(super) fn run(&self, person: &str, line: &str) -> Result<Ran> {
        let mut command = self.enter();
        command.args(["timeout", "--kill-after=2", COMMAND_SECONDS]);
        command.args(["runuser", "--login", person, "--command", line]).stdin(Stdio::null());
        let ran: Output = command.output().context("enter a host")?;
        Ok(Ran {
            code: ran.status.code(),
            stdout: String::from_utf8_lossy(&ran.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ran.stderr).into_owned(),
        })
    }

    /// Runs a line of shell as somebody, which has to end with 0, and returns what it printed.
    pub(super) fn ok(&self, person: &str, line: &str) -> Result<String> {
        self.run(person, line)?.ok(line).with_context(|| format!("{person} on {}", self.name))
    }

    /// Runs a line of shell as root; returns what it printed.
    pub(super) fn root(&self, line: &str) -> Result<String> {
        self.ok("root", line)
    }

    /// Starts something that goes on as long as the host, with its output in a file in `/var/log`.
    pub(super) fn daemon(&self, person: &str, log: &str, line: &str) -> Result<()> {
        let line = format!(
            "runuser --login {person} --command 'exec {line}' </dev/null >/var/log/{log} 2>&1 &"
        );
        let status = self.enter().args(["bash", "-c", &line]).status().context("enter a host")?;
        ensure!(status.success(), "cannot start {line}");
        Ok(())
    }

    /// Writes a file, and the folders it lies in.
    pub(super) fn write(&self, path: &str, text: &str, owner: &str, mode: &str) -> Result<()> {
        let mut child = self
            .enter()
            .args(["setpriv", "--reuid", owner, "--regid", owner, "--init-groups", "--"])
            .args(["sh", "-c", WRITE, "write", path, mode])
            .stdin(Stdio::piped())
            .spawn()
            .context("enter a host")?;
        child
            .stdin
            .take()
            .context("no pipe")?
            .write_all(text.as_bytes())
            .context("write a file")?;
        let status = child.wait().context("write a file")?;
        ensure!(status.success(), "cannot write {path} on {}", self.name);
        Ok(())
    }

    /// Returns a command that will run in the host's namespaces, as root.
    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init, "--mount", "--uts", "--ipc", "--net", "--pid", "--"]);
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", "/root");
        command.current_dir("/");
        command
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}
