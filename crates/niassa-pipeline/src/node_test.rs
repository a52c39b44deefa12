//! A test on a node: this very program, started there as steps are, answers a question with a file.
//!
//! The question and the answer are somebody else's text; here it is brought to a node and back. The
//! job carries the name of a run that no MetaDB ever deals out, so no launcher takes it for its own.
//! On the local engine the program is started on this machine. Whatever happens, the caller removes
//! the folder and cancels the job.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use niassa_model::accession::{Accession, AccessionError};
use niassa_model::job::{JobId, JobName, SeenJob};
use niassa_model::place::EngineKind;
use niassa_model::resources::Resources;
use niassa_model::run::RunTag;
use niassa_model::step::{AttemptKey, AttemptNumber, StepIndex};

use crate::engine::cluster::{
    Hold, JobOptions, JobRequest, Queue, Scheduler, SchedulerError, SubmitError,
};
use crate::place::WorkDir;
use crate::reconcile::{PipelineSettings, step_program};

/// How long the job may run, in seconds.
const SECONDS: u64 = 300;

/// A test on a node, prepared in a folder of its own below the work directory.
#[derive(Debug)]
pub struct NodeTest {
    folder: PathBuf,
    program: PathBuf,
    name: JobName,
    environment: Vec<(OsString, OsString)>,
}

/// Why a test cannot be prepared or started.
#[derive(Debug, thiserror::Error)]
pub enum NodeTestError {
    /// Its folder cannot be made.
    #[error("prepare a test in {}", path.display())]
    Prepare {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program could not be brought to where nodes see it.
    #[error("bring this program to the nodes")]
    Program(#[source] io::Error),
    /// The program could not be started on this machine.
    #[error("start {}", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The job has no name.
    #[error(transparent)]
    Name(#[from] AccessionError),
}

impl NodeTest {
    /// Prepares a test: a folder with the question, and the script that the job runs.
    pub fn prepare(
        settings: &PipelineSettings,
        work_dir: &WorkDir,
        question: &[u8],
    ) -> Result<Self, NodeTestError> {
        let name = job_name()?;
        let folder = work_dir.path().join(".seqware").join(format!("check-{name}"));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| NodeTestError::Prepare { path, source }
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o750).create(&folder).map_err(failed(&folder))?;
        let program = match settings.default_engine {
            EngineKind::Local => settings.executable.clone(),
            EngineKind::Slurm | EngineKind::Sge => {
                step_program(settings, work_dir).path().map_err(NodeTestError::Program)?
            }
        };
        let asked = folder.join(QUESTION);
        fs::write(&asked, question).map_err(failed(&asked))?;
        let script = folder.join(SCRIPT);
        let text = format!(
            "#!/bin/bash\n# A test of `seqware check --from-node`.\nexec {} node-check {}\n",
            quoted(&program),
            quoted(&folder)
        );
        fs::write(&script, text).map_err(failed(&script))?;
        let executable = fs::Permissions::from_mode(0o750);
        fs::set_permissions(&script, executable).map_err(failed(&script))?;
        let environment = settings.clusters.environment.clone();
        Ok(Self { folder, program, name, environment })
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Hands the test over to a scheduler, held.
    pub fn submit(&self, scheduler: &dyn Scheduler) -> Result<JobId, SubmitError> {
        scheduler.submit(&JobRequest {
            name: self.name.clone(),
            script: self.folder.join(SCRIPT),
            arguments: Vec::new(),
            elements: None,
            directory: self.folder.clone(),
            output: self.folder.join(OUTPUT),
            resources: Resources { seconds: Some(SECONDS), ..Resources::default() },
            after: Vec::new(),
            hold: Hold::Held,
            delay_seconds: 0,
            options: JobOptions::default(),
        })
    }

    /// Returns the test's job as its scheduler shows it now.
    pub fn look(&self, scheduler: &dyn Scheduler) -> Result<Option<SeenJob>, SchedulerError> {
        let Queue { jobs, .. } = scheduler.look()?;
        Ok(jobs.into_iter().find(|job| job.name == self.name))
    }

    /// Runs the test on this machine, to its end.
    #[expect(clippy::disallowed_methods, reason = "the one place that starts it")]
    pub fn run_here(&self) -> Result<(), NodeTestError> {
        let failed = |source| NodeTestError::Start { path: self.program.clone(), source };
        let output = fs::File::create(self.folder.join(OUTPUT)).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        Command::new(&self.program)
            .arg("node-check")
            .arg(&self.folder)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .status()
            .map_err(failed)?;
        Ok(())
    }

    /// Returns the answer, once it is there.
    pub fn answer(&self) -> io::Result<Option<Vec<u8>>> {
        // Reading the folder makes a network file system look anew.
        let _names = fs::read_dir(&self.folder)?.count();
        match fs::read(self.folder.join(ANSWER)) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what the job printed.
    pub fn printed(&self) -> String {
        let bytes = fs::read(self.folder.join(OUTPUT)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// Removes the folder.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.folder)
    }
}

const QUESTION: &str = "question.json";
const ANSWER: &str = "answer.json";
const OUTPUT: &str = "output";
const SCRIPT: &str = "job.sh";

/// Returns the question of the test in a folder: called on the node.
pub fn question(folder: &Path) -> io::Result<Vec<u8>> {
    fs::read(folder.join(QUESTION))
}

/// Writes the answer; it appears whole or not at all.
pub fn write_answer(folder: &Path, answer: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{ANSWER}.tmp"));
    fs::write(&temporary, answer)?;
    fs::File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, folder.join(ANSWER))
}

/// Draws a name: the last accession of all, which no MetaDB ever reaches, and a random tag.
fn job_name() -> Result<JobName, AccessionError> {
    Ok(JobName::Attempt(AttemptKey {
        run: Accession::try_from(i64::MAX)?,
        tag: RunTag::from_random(rand::random()),
        step: StepIndex(0),
        attempt: AttemptNumber::FIRST,
    }))
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cluster::ClusterSettings;

    fn settings(work_dir: &Path, program: &Path) -> PipelineSettings {
        let path = ("PATH".into(), "/usr/bin:/bin".into());
        PipelineSettings {
            known_work_dirs: None,
            work_dir: work_dir.to_owned(),
            bundle_dir: None,
            default_engine: EngineKind::Local,
            executable: program.to_owned(),
            clusters: ClusterSettings { environment: vec![path], ..ClusterSettings::default() },
            max_jobs: 1,
            step_runner: Some(program.to_owned()),
        }
    }

    #[test]
    fn a_question_is_answered_by_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("it's a program");
        let copying = "#!/bin/bash\n[ \"$1\" = node-check ] && cp \"$2/question.json\" \"$2/answer.json\"\n\
                    echo done\n";
        fs::write(&program, copying).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let work_dir = WorkDir::open(&folder.path().join("runs")).unwrap();
        let settings = settings(work_dir.path(), &program);
        let test = NodeTest::prepare(&settings, &work_dir, b"who?").unwrap();
        assert_eq!(test.answer().unwrap(), None);
        test.run_here().unwrap();
        assert_eq!(test.answer().unwrap().as_deref(), Some(b"who?".as_slice()));
        assert_eq!(test.printed(), "done");
        assert_eq!(question(test.folder()).unwrap(), b"who?");
        test.remove().unwrap();
        assert!(!test.folder().exists());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let work_dir = WorkDir::open(folder.path()).unwrap();
        let nowhere = settings(folder.path(), Path::new("/nowhere/seqware"));
        let test = NodeTest::prepare(&nowhere, &work_dir, b"").unwrap();
        assert!(test.run_here().unwrap_err().to_string().contains("/nowhere/seqware"));
    }

    #[test]
    fn each_job_has_a_name_of_its_own_that_reads_back() {
        let (one, two) = (job_name().unwrap(), job_name().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.to_string().parse::<JobName>().unwrap(), one);
    }
}
