//! The processes of an attempt on a cluster: its command, and then what keeps its outputs.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Signal, set_parent_process_death_signal};

use super::environment::{describe, folders, lead_group};
use crate::run_dir::attempt_files::JobFile;

/// This very program, also after its file was replaced or removed while a step ran for days.
const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// An attempt whose processes are started.
pub(super) struct Attempt<'a> {
    pub(super) dir: &'a Path,
    pub(super) job: &'a JobFile,
    pub(super) environment: &'a [(OsString, OsString)],
}

impl Attempt<'_> {
    /// Starts the step's command and returns the leader of its group.
    #[expect(clippy::disallowed_methods, reason = "on a cluster commands of steps start here")]
    pub(super) fn start_command(&self) -> io::Result<u32> {
        let (step, work) = folders(self.dir)?;
        let script = step.join("command.sh");
        // Bash would say the same by an exit code, which a command may have of its own.
        drop(File::open(&script)?);
        let mut command = Command::new("/bin/bash");
        command
            .args(["-euo", "pipefail"])
            .arg(script)
            .current_dir(work)
            .stdin(Stdio::null())
            .stdout(self.stream("stdout")?)
            .stderr(self.stream("stderr")?);
        let trace = self.job.trace.as_deref();
        describe(&mut command, &self.job.key, self.dir, self.job.processing, trace);
        self.start(command)
    }

    /// Starts what keeps the step's outputs and returns the leader of its group.
    #[expect(clippy::disallowed_methods, reason = "outputs are kept by a process of their own")]
    pub(super) fn start_provision(&self) -> io::Result<u32> {
        let mut command = Command::new(OWN_EXECUTABLE);
        command
            .arg("provision")
            .arg(self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.stream("stderr")?);
        self.start(command)
    }

    fn stream(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).open(self.dir.join(name))
    }

    /// Dropping the handle leaves the process alone; it is waited for by its number.
    fn start(&self, mut command: Command) -> io::Result<u32> {
        lead_group(&mut command, &self.job.key, self.environment);
        // A scheduler that kills only the runner's own group must not leave the shell to go on.
        let follow_the_runner =
            || set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from);
        // SAFETY: between fork and exec it makes one system call and neither allocates nor locks.
        unsafe { command.pre_exec(follow_the_runner) };
        command.spawn().map(|child| child.id())
    }
}
