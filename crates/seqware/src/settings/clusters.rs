//! What the settings say of schedulers.

use std::path::PathBuf;

use niassa_pipeline::engine::cluster::environment::for_clusters;
use niassa_pipeline::engine::cluster::{ClusterSettings, JobOptions};

use super::{Key, Settings, SettingsError, Surroundings};

impl Settings {
    /// Returns what launchers say to schedulers at this site.
    pub fn clusters(&self) -> Result<ClusterSettings, SettingsError> {
        Ok(ClusterSettings {
            environment: for_clusters(Surroundings::for_jobs()),
            slurm: JobOptions {
                queue: self.word(Key::SlurmPartition)?,
                project: self.word(Key::SlurmAccount)?,
                qos: self.word(Key::SlurmQos)?,
            },
            slurm_extra: self.words(Key::SlurmExtraOptions),
            sge: JobOptions {
                queue: self.word(Key::SgeQueue)?,
                project: self.word(Key::SgeProject)?,
                qos: None,
            },
            sge_extra: self.words(Key::SgeExtraOptions),
            sge_threads: self.format(Key::SgeThreadsFormat, "${threads}")?,
            sge_memory: self.format(Key::SgeMemoryFormat, "${maxMemory}")?,
        })
    }

    /// Returns how many jobs of one run may be in a cluster's queue.
    pub fn max_jobs(&self) -> Result<usize, SettingsError> {
        let text = self.required(Key::MaxJobs)?;
        match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(self.wrong(Key::MaxJobs, "a number of at least 1 is needed")),
        }
    }

    /// Returns where cluster nodes already have this program.
    pub fn step_runner(&self) -> Result<Option<PathBuf>, SettingsError> {
        self.path(Key::StepRunner)
    }

    /// Returns a word that becomes an option's value.
    fn word(&self, key: Key) -> Result<Option<String>, SettingsError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,+-@/".contains(&byte);
        if text.is_empty() || text.starts_with('-') || !text.bytes().all(is_plain) {
            return Err(self.wrong(key, "one word of letters, digits and _.,+-@/ is needed"));
        }
        Ok(Some(text.to_owned()))
    }

    /// Returns options as they are given to a program, divided at spaces.
    fn words(&self, key: Key) -> Vec<String> {
        let text = self.text(key).unwrap_or_default();
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    fn format(&self, key: Key, variable: &str) -> Result<Option<String>, SettingsError> {
        match self.text(key) {
            Some(text) if !text.contains(variable) => {
                Err(self.wrong(key, format!("it has to contain `{variable}`")))
            }
            text => Ok(text.map(ToOwned::to_owned)),
        }
    }
}
