//! Which clusters are served from here.
//!
//! A scheduler is served where its client's program is in PATH, or where it is the default engine. Its
//! cluster's name, which is part of every place, is asked for once and then remembered in the work
//! directory: a scheduler that is away must not hide the runs that lie here.

use std::collections::hash_map::DefaultHasher;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;

use niassa_model::place::{EngineKind, Place};

use super::PipelineSettings;
use super::cluster::Cluster;
use crate::engine::cluster::{ClusterSettings, Scheduler, SchedulerError, scheduler_of};
use crate::place::{WorkDir, link_new};
use crate::step_program::StepProgram;

/// The clusters that are served from here, and why others are not.
#[derive(Clone)]
pub(crate) struct Clusters {
    pub(crate) served: Vec<Cluster>,
    not_served: Vec<(EngineKind, String)>,
}

/// Variables by which a client finds its cluster.
const FINDS_ITS_CLUSTER: [&str; 4] = ["SLURM_CONF", "SGE_ROOT", "SGE_CELL", "SGE_QMASTER_PORT"];

impl Clusters {
    /// Finds the clusters that are served from here.
    pub(crate) fn open(settings: &PipelineSettings, work_dir: &WorkDir) -> Self {
        let mut clusters = Self { served: Vec::new(), not_served: Vec::new() };
        for (engine, client) in [(EngineKind::Slurm, "sbatch"), (EngineKind::Sge, "qsub")] {
            let is_default = settings.default_engine == engine;
            if !is_default && !is_in_path(client, &settings.clusters.environment) {
                let why = format!("`{client}` is not in PATH");
                clusters.not_served.push((engine, why));
                continue;
            }
            let Some(scheduler) = scheduler_of(engine, settings.clusters.clone()) else { continue };
            match cluster_name(scheduler.as_ref(), &settings.clusters, work_dir.path()) {
                Ok(name) => clusters.served.push(Cluster {
                    place: work_dir.place(engine, name),
                    scheduler,
                    max_jobs: settings.max_jobs,
                    program: program(settings, work_dir),
                }),
                Err(error) => clusters.not_served.push((engine, crate::chain(&error))),
            }
        }
        clusters
    }

    /// Returns the cluster of a place; `None` for one that is no cluster's, or not served.
    pub(crate) fn at(&self, place: &Place) -> Option<&Cluster> {
        self.served.iter().find(|cluster| cluster.place == *place)
    }

    /// Returns the cluster of an engine, or says why it is not served from here.
    pub(crate) fn of_kind(&self, engine: EngineKind) -> Result<&Cluster, String> {
        if let Some(cluster) = self.served.iter().find(|cluster| cluster.place.engine == engine) {
            return Ok(cluster);
        }
        let why = self.not_served.iter().find(|(kind, _)| *kind == engine);
        let why = why.map_or("it is not set up", |(_, why)| why.as_str());
        Err(format!("the engine `{engine}` is not served from here: {why}"))
    }
}

fn program(settings: &PipelineSettings, work_dir: &WorkDir) -> StepProgram {
    match &settings.step_runner {
        Some(path) => StepProgram::OnNodes(path.clone()),
        None => StepProgram::Copied {
            from: settings.executable.clone(),
            work_dir: work_dir.path().to_owned(),
        },
    }
}

/// Returns a cluster's name: the remembered one, else what the scheduler says.
fn cluster_name(
    scheduler: &dyn Scheduler,
    settings: &ClusterSettings,
    work_dir: &Path,
) -> Result<String, SchedulerError> {
    let mut hasher = DefaultHasher::new();
    for name in FINDS_ITS_CLUSTER {
        variable(name, &settings.environment).hash(&mut hasher);
    }
    let folder = work_dir.join(".seqware");
    let file = folder.join(format!("{}-cluster-{:016x}", scheduler.kind(), hasher.finish()));
    if let Ok(name) = fs::read_to_string(&file) {
        return Ok(name);
    }
    let name = scheduler.cluster_name()?;
    let remembered = fs::create_dir_all(&folder)
        .and_then(|()| link_new(&folder, &file, name.as_bytes()).map(drop));
    if let Err(error) = remembered {
        tracing::warn!(file = %file.display(), %error, "the cluster's name is not remembered");
    }
    Ok(name)
}

fn is_in_path(program: &str, environment: &[(OsString, OsString)]) -> bool {
    let Some(path) = variable("PATH", environment) else { return false };
    std::env::split_paths(path).any(|folder| folder.join(program).is_file())
}

fn variable<'env>(name: &str, environment: &'env [(OsString, OsString)]) -> Option<&'env OsStr> {
    environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
}
