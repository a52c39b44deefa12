//! The environment of scheduler programs and of jobs.

use std::ffi::{OsStr, OsString};

/// What a client needs to find its cluster.
const OF_CLIENTS: [&str; 8] = [
    "SLURM_CONF",
    "SGE_ROOT",
    "SGE_CELL",
    "SGE_CLUSTER_NAME",
    "SGE_QMASTER_PORT",
    "SGE_EXECD_PORT",
    "SGE_ARCH",
    "NIASSA_FAILPOINT",
];

/// What a scheduler sets for its jobs, or takes as options of its programs; a launcher may itself run in a
/// job, and its users' habits must not become options of every step.
const OF_SCHEDULERS: [&str; 19] = [
    "SLURM_",
    "SLURMD_",
    "SBATCH_",
    "SALLOC_",
    "SRUN_",
    "SQUEUE_",
    "SCANCEL_",
    "SACCT_",
    "SINFO_",
    "SGE_",
    "JOB_",
    "PE",
    "QUEUE",
    "TASK_ID",
    "RESTARTED",
    "NSLOTS",
    "NQUEUES",
    "NHOSTS",
    "NIASSA_",
];

/// Returns what of an environment scheduler programs and jobs get. Secrets were taken out before.
pub fn for_clusters(all: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    all.into_iter().filter(|(name, _)| is_passed_on(name)).collect()
}

fn is_passed_on(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    // Functions that a shell exported are not values, and break what copies the environment.
    let is_function = name.starts_with("BASH_FUNC_") || name == "BASH_ENV" || name == "ENV";
    let is_of_job = OF_SCHEDULERS.iter().any(|prefix| match prefix.ends_with('_') {
        true => name.starts_with(prefix),
        false => name == *prefix || name.starts_with(&format!("{prefix}_")),
    });
    OF_CLIENTS.contains(&name) || !(is_function || is_of_job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_found_and_an_outer_job_is_not_felt() {
        let given = [
            "PATH",
            "HOME",
            "SLURM_CONF",
            "SLURM_JOB_ID",
            "SBATCH_PARTITION",
            "SGE_ROOT",
            "SGE_O_HOME",
            "JOB_ID",
            "PE",
            "PE_HOSTFILE",
            "PERL5LIB",
            "QUEUE",
            "NSLOTS",
            "BASH_FUNC_module%%",
            "NIASSA_KEY",
            "SQUEUE_FORMAT",
        ];
        let all = given.iter().map(|name| (OsString::from(name), OsString::from("x"))).collect();
        let kept: Vec<OsString> = for_clusters(all).into_iter().map(|(name, _)| name).collect();
        assert_eq!(kept, ["PATH", "HOME", "SLURM_CONF", "SGE_ROOT", "PERL5LIB"]);
    }
}
