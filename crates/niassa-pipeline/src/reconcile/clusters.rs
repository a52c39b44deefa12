//! Which clusters are served from here.
//!
//! A scheduler is served where its client's program is in PATH, or where it is the default engine. Its
//! cluster's name, which is part of every place, is asked for once and then remembered in the work
//! directory: a scheduler that is away must not hide the runs that lie here.

use std::collections::hash_map::DefaultHasher;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use niassa_model::limits::SUBMISSIONS_IN_FLIGHT;
use niassa_model::place::{EngineKind, Place};

use super::PipelineSettings;
use super::cluster::Cluster;
use crate::engine::cluster::command::find;
use crate::engine::cluster::{ClusterSettings, Scheduler, SchedulerError, Slots, scheduler_of};
use crate::place::{WorkDir, link_new};
use crate::step_program::StepProgram;

/// The clusters that are served from here, and why others are not.
#[derive(Clone)]
pub(crate) struct Clusters {
    pub(crate) served: Vec<Cluster>,
    not_served: Vec<(EngineKind, String)>,
}

/// How long a scheduler that did not answer, and is not the default engine, is left alone.
const SILENT_FOR: Duration = Duration::from_mins(5);

/// Variables by which a client finds its cluster.
const FINDS_ITS_CLUSTER: [&str; 4] = ["SLURM_CONF", "SGE_ROOT", "SGE_CELL", "SGE_QMASTER_PORT"];

impl Clusters {
    /// Finds the clusters that are served from here.
    pub(crate) fn open(settings: &PipelineSettings, work_dir: &WorkDir) -> Self {
        let mut clusters = Self { served: Vec::new(), not_served: Vec::new() };
        for (engine, client) in [(EngineKind::Slurm, "sbatch"), (EngineKind::Sge, "qsub")] {
            let is_default = settings.default_engine == engine;
            if !is_default && find(client, &settings.clusters.environment).is_none() {
                let why = format!("`{client}` is not in PATH");
                clusters.not_served.push((engine, why));
                continue;
            }
            let Some(scheduler) = scheduler_of(engine, settings.clusters.clone()) else { continue };
            let remembered = Remembered::of(engine, &settings.clusters, work_dir.path());
            if !is_default && remembered.was_silent_lately() {
                let why = "it did not answer some minutes ago".to_owned();
                clusters.not_served.push((engine, why));
                continue;
            }
            match remembered.name(scheduler.as_ref()) {
                Ok(name) => clusters.served.push(Cluster {
                    place: work_dir.place(engine, name),
                    scheduler,
                    slots: Arc::new(Slots::new(SUBMISSIONS_IN_FLIGHT)),
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

pub(crate) fn program(settings: &PipelineSettings, work_dir: &WorkDir) -> StepProgram {
    match &settings.step_runner {
        Some(path) => StepProgram::OnNodes(path.clone()),
        None => StepProgram::Copied {
            from: settings.executable.clone(),
            work_dir: work_dir.path().to_owned(),
        },
    }
}

/// What is remembered in the work directory of one scheduler's cluster.
struct Remembered {
    folder: PathBuf,
    /// Holds the cluster's name.
    name: PathBuf,
    /// As old as the last time that the scheduler did not tell it.
    silence: PathBuf,
}

impl Remembered {
    fn of(engine: EngineKind, settings: &ClusterSettings, work_dir: &Path) -> Self {
        let mut hasher = DefaultHasher::new();
        for name in FINDS_ITS_CLUSTER {
            variable(name, &settings.environment).hash(&mut hasher);
        }
        let folder = work_dir.join(".seqware");
        let name = folder.join(format!("{engine}-cluster-{:016x}", hasher.finish()));
        let silence = name.with_extension("silent");
        Self { folder, name, silence }
    }

    /// Tells whether the scheduler, whose name is not known, did not answer a moment ago: a client that
    /// is installed and not set up must not cost every tick a call, or the time limit of one.
    fn was_silent_lately(&self) -> bool {
        let modified = fs::metadata(&self.silence).and_then(|about| about.modified());
        let age = modified.ok().and_then(|at| at.elapsed().ok());
        !self.name.exists() && age.is_some_and(|age| age < SILENT_FOR)
    }

    /// Returns the cluster's name: the remembered one, else what the scheduler says.
    fn name(&self, scheduler: &dyn Scheduler) -> Result<String, SchedulerError> {
        if let Ok(name) = fs::read_to_string(&self.name) {
            return Ok(name);
        }
        let name = scheduler.cluster_name();
        let remembered = fs::create_dir_all(&self.folder).and_then(|()| match &name {
            Ok(name) => link_new(&self.folder, &self.name, name.as_bytes()).map(drop),
            Err(_) => fs::write(&self.silence, ""),
        });
        if let Err(error) = remembered {
            tracing::warn!(file = %self.name.display(), %error, "what a scheduler said is not remembered");
        }
        name
    }
}

fn variable<'env>(name: &str, environment: &'env [(OsString, OsString)]) -> Option<&'env OsStr> {
    environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use niassa_model::job::{EndedJob, JobId};

    use super::*;
    use crate::engine::cluster::{JobRequest, Queue, SubmitError};

    /// A scheduler that never answers, and counts how often it was asked.
    #[derive(Default)]
    struct Silent(AtomicU32);

    impl Scheduler for Silent {
        fn kind(&self) -> EngineKind {
            EngineKind::Slurm
        }

        fn cluster_name(&self) -> Result<String, SchedulerError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(SchedulerError::Silent("scontrol"))
        }

        fn array_limit(&self) -> Result<u32, SchedulerError> {
            Err(SchedulerError::Silent("scontrol"))
        }

        fn submit(&self, _: &JobRequest) -> Result<JobId, SubmitError> {
            Err(SubmitError::InDoubt(String::new()))
        }

        fn look(&self) -> Result<Queue, SchedulerError> {
            Err(SchedulerError::Silent("squeue"))
        }

        fn release(&self, _: &[JobId]) -> Result<(), SchedulerError> {
            Ok(())
        }

        fn cancel(&self, _: &[JobId]) -> Result<(), SchedulerError> {
            Ok(())
        }

        fn ends(&self, _: &[JobId]) -> Result<Vec<EndedJob>, SchedulerError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn a_silent_scheduler_is_remembered_and_a_known_name_counts_in_spite_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = ClusterSettings::default();
        let remembered = Remembered::of(EngineKind::Slurm, &settings, folder.path());
        let silent = Silent::default();
        assert!(!remembered.was_silent_lately());
        assert!(remembered.name(&silent).is_err());
        assert!(remembered.was_silent_lately());
        fs::write(&remembered.name, "hpc").unwrap();
        assert!(!remembered.was_silent_lately());
        assert_eq!(remembered.name(&silent).unwrap(), "hpc");
        assert_eq!(silent.0.load(Ordering::Relaxed), 1);
    }
}
