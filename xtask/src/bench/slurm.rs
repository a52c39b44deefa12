//! A Slurm controller for measuring how jobs are handed over: it has a node on paper only, so that every
//! job waits and nothing but the handing over is measured.

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::clusters::Queue;
use crate::packages;

/// How long the controller may take to answer.
const START: Duration = Duration::from_secs(20);

/// A controller without nodes. It ends with its value.
pub(super) struct Slurm {
    folder: tempfile::TempDir,
    controller: Child,
}

impl Slurm {
    /// Starts a controller; `None` where Slurm is not installed.
    pub(super) fn start() -> Result<Option<Self>> {
        let (Some(slurmctld), true) =
            (packages::find_program("slurmctld"), packages::has_program("sbatch"))
        else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("slurm").tempdir().context("make a folder")?;
        fs::create_dir(folder.path().join("state")).context("make a folder")?;
        fs::write(folder.path().join("slurm.conf"), configuration(folder.path())?)
            .context("write slurm.conf")?;
        fs::write(folder.path().join("cgroup.conf"), "CgroupPlugin=cgroup/v1\n")
            .context("write cgroup.conf")?;
        let controller = Command::new(slurmctld)
            .arg("-D")
            .env("SLURM_CONF", folder.path().join("slurm.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start slurmctld")?;
        let slurm = Self { folder, controller };
        let begun = Instant::now();
        while !slurm.tell("scontrol", &["ping"])?.contains("UP") {
            ensure!(begun.elapsed() < START, "slurmctld does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Some(slurm))
    }

    /// Runs a program of Slurm and returns what it prints.
    pub(super) fn tell(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new(program)
            .args(arguments)
            .env("SLURM_CONF", self.folder.path().join("slurm.conf"))
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("start {program}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Queue for Slurm {
    const NAME: &str = "Slurm";
    const ENGINE: &str = "slurm";
    const REFERENCE: &str = "`xargs -P8 sbatch`";

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let configuration = self.folder.path().join("slurm.conf");
        vec![("SLURM_CONF".into(), configuration.into())]
    }

    fn clear(&self) -> Result<()> {
        self.tell("scancel", &["--state=PENDING", "--partition=main"])?;
        let begun = Instant::now();
        while self.waiting()? > 0 {
            ensure!(begun.elapsed() < START, "jobs are not cancelled");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn waiting(&self) -> Result<usize> {
        Ok(self.tell("squeue", &["-h", "-t", "pending", "-o", "%i"])?.lines().count())
    }

    fn by_hand(&self, step: &str) -> String {
        format!(
            "hold=--hold; [ -z \"$before\" ] || hold=--dependency=afterok:$before
             before=$(sbatch --parsable --job-name=nia-$1-s{step} --comment=nia-$1-s{step} \
                 --no-requeue --open-mode=append --kill-on-invalid-dep=yes \
                 --chdir=/tmp --output=/dev/null $hold --wrap true)"
        )
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        let _ended = self.controller.kill();
        let _reaped = self.controller.wait();
    }
}

fn configuration(folder: &Path) -> Result<String> {
    let user = Command::new("id").arg("-un").output().context("start id")?.stdout;
    let user = String::from_utf8_lossy(&user).trim().to_owned();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host = host.split('.').next().unwrap_or_default().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    let port = listener.local_addr().context("find a free port")?.port();
    let folder = folder.display();
    Ok(format!(
        "ClusterName=bench\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={port}\n\
         SlurmUser={user}\nSlurmdUser={user}\nAuthType=auth/none\nCredType=cred/none\n\
         CommunicationParameters=NoInAddrAny,NoCtldInAddrAny\nStateSaveLocation={folder}/state\n\
         SlurmctldPidFile={folder}/slurmctld.pid\nSlurmctldLogFile={folder}/slurmctld.log\n\
         ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\n\
         SwitchType=switch/none\nSelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\n\
         MaxJobCount=50000\nMaxArraySize=2001\nMinJobAge=2\nSlurmdParameters=config_overrides\n\
         NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=1 CPUs=64 State=FUTURE\n\
         NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=2 CPUs=64\n\
         PartitionName=main Nodes=n2 Default=YES MaxTime=INFINITE State=UP\n"
    ))
}
