//! A real cluster on a host, whose jobs run as the OS user who submitted them: a Slurm with controller
//! and node as root, who is who by munge; or a Grid Engine.

use anyhow::Result;

use super::checks::{CEILING, wait_for};
use super::host::Host;

/// What makes a Grid Engine.
const GRID_ENGINE: &str = include_str!("grid_engine.sh");
/// Starts a Grid Engine and waits until its queue takes jobs.
pub(super) fn start_grid_engine(host: &Host) -> Result<()> {
    host.write("/root/grid_engine.sh", GRID_ENGINE, "root", "0755")?;
    host.root("/root/grid_engine.sh").map(drop)
}

/// Starts a Slurm and waits until its node takes jobs.
pub(super) fn start_slurm(host: &Host) -> Result<()> {
    host.write("/etc/slurm/slurm.conf", &configuration(host.name()), "root", "0644")?;
    // slurmd 22.05 loads a cgroup plugin even where nothing uses one; this one is content without.
    host.write("/etc/slurm/cgroup.conf", "CgroupPlugin=cgroup/v1\n", "root", "0644")?;
    host.root(
        "mkdir -p /var/spool/slurm/state /var/spool/slurm/node /run/slurm; \
         install -d -o munge -g munge -m 0755 /run/munge; install -d -o munge -g munge -m 0700 /etc/munge; \
         head -c 1024 /dev/urandom > /etc/munge/munge.key; \
         chown munge:munge /etc/munge/munge.key; chmod 0400 /etc/munge/munge.key; \
         runuser -u munge -- /usr/sbin/munged --seed-file=/run/munge/seed --log-file=/run/munge/log",
    )?;
    host.daemon("root", "slurmctld.log", "slurmctld -D")?;
    host.daemon("root", "slurmd.log", "slurmd -D")?;
    wait_for("the cluster takes jobs", CEILING, || {
        let state = host.run("root", "sinfo -h -N -o %T")?;
        let is_up = state.stdout.lines().any(|line| line == "idle");
        Ok(if is_up { Ok(()) } else { Err(format!("{}{}", state.stdout, state.stderr)) })
    })
}

fn configuration(host: &str) -> String {
    format!(
        "ClusterName=lab
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation=/var/spool/slurm/state
SlurmdSpoolDir=/var/spool/slurm/node
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmdPidFile=/run/slurm/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
MinJobAge=300
KillWait=2
NodeName={host} CPUs=8 RealMemory=2000
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"
    )
}
