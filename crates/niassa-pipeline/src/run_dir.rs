//! The run directory: what was asked, the plan, and a directory per step and attempt.
//!
//! `SW_WORK_DIR/<swid>-<tag>/`, mode 0750. Names are ids, or were checked when they were parsed.
//! Files that decide anything appear once, whole, by link(2); nothing here makes them durable, the
//! launcher does so for a whole batch.

pub(crate) mod attempt_files;
pub(crate) mod journal;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::place::Place;
use niassa_model::plan::{Plan, PlannedOutput, PlannedStep};
use niassa_model::run::RunTag;
use niassa_model::run::reconcile::AttemptCause;
use niassa_model::step::{AttemptKey, AttemptNumber, StepIndex};
use serde::{Deserialize, Serialize};

use crate::place::{Linked, link_new};

/// How many steps share a folder of `steps/`.
pub(crate) const STEPS_PER_FOLDER: u32 = 1_000;

/// The directory of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

/// What `run.json` says: who the directory belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// The run.
    pub swid: Accession,
    /// Its tag.
    pub tag: RunTag,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: String,
    /// The archive it came from.
    pub bundle_sha256: String,
    /// On whose behalf.
    pub account: String,
    /// Where it was launched.
    pub place: Place,
    /// The values as resolved when it was scheduled.
    pub values: serde_json::Value,
    /// The label it was scheduled for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostLabel>,
    /// What it descends from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Accession>,
    /// The id under which logs find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// What `provision.json` beside a step's `command.sh` says: which files to keep, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionFile {
    /// Where they go; without it they stay where they are.
    pub folder: Option<String>,
    /// The files.
    pub outputs: Vec<PlannedOutput>,
}

/// What `attempt.json` says. A first attempt has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AttemptFile {
    cause: String,
}

/// Something about a run directory that did not work.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}", path.display())]
pub struct RunDirError {
    /// What was being done.
    operation: &'static str,
    /// To what.
    path: PathBuf,
    /// Why it failed.
    #[source]
    source: io::Error,
}

impl RunDirError {
    pub(crate) fn new(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self { operation, path: path.to_owned(), source }
    }
}

/// Names the operation and the path of a failed call.
pub(crate) fn failed(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> RunDirError {
    let path = path.to_owned();
    move |source| RunDirError::new(operation, &path, source)
}

impl RunDir {
    /// Names the directory of a run; makes nothing.
    pub fn of(work_dir: &Path, run: Accession, tag: &RunTag) -> Self {
        Self { path: work_dir.join(Self::name(run, tag)) }
    }

    /// Returns the name of the directory of a run.
    pub(crate) fn name(run: Accession, tag: &RunTag) -> String {
        format!("{run}-{tag}")
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether the run has a plan here.
    pub(crate) fn has_plan(&self) -> bool {
        self.path.join("plan.json").is_file()
    }

    /// Tells whether the directory is there.
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Returns where steps run.
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// Makes the directory, or finds it.
    pub(crate) fn make(&self) -> Result<Linked, RunDirError> {
        let made = make_dir(&self.path)?;
        make_dir(&self.work())?;
        Ok(made)
    }

    /// Stores what was asked; the first one stays.
    pub(crate) fn store_run(&self, run: &RunFile) -> Result<(), RunDirError> {
        self.store("run.json", &json(run)?).map(drop)
    }

    /// Reads what was asked.
    pub(crate) fn run_file(&self) -> Result<RunFile, RunDirError> {
        let path = self.path.join("run.json");
        let content = fs::read(&path).map_err(failed("read", &path))?;
        let read = serde_json::from_slice(&content).map_err(io::Error::from);
        read.map_err(failed("read", &path))
    }

    /// Stores a plan and returns the one that counts: the first.
    pub(crate) fn store_plan(&self, plan: &Plan) -> Result<StoredPlan, RunDirError> {
        let content = json(plan)?;
        match self.store("plan.json", &content)? {
            Linked::Now => Ok(StoredPlan { plan: plan.clone(), sha256: sha256_of(&content) }),
            Linked::Before => self.plan()?.ok_or_else(|| {
                let vanished = io::Error::from(io::ErrorKind::NotFound);
                failed("read", &self.path.join("plan.json"))(vanished)
            }),
        }
    }

    /// Reads the stored plan, if there is one.
    pub(crate) fn plan(&self) -> Result<Option<StoredPlan>, RunDirError> {
        let path = self.path.join("plan.json");
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let plan = serde_json::from_slice(&content).map_err(io::Error::from);
        let plan = plan.map_err(failed("read", &path))?;
        Ok(Some(StoredPlan { plan, sha256: sha256_of(&content) }))
    }

    /// Stores the processing accession of each step; the first ones stay.
    pub(crate) fn store_accessions(&self, accessions: &[Accession]) -> Result<(), RunDirError> {
        self.store("accessions.json", &json(&accessions)?).map(drop)
    }

    /// Reads the processing accession of each step, if they were stored.
    pub(crate) fn accessions(&self) -> Result<Option<Vec<Accession>>, RunDirError> {
        let path = self.path.join("accessions.json");
        match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content)
                .map(Some)
                .map_err(io::Error::from)
                .map_err(failed("read", &path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Returns the folder that a step shares with its neighbours.
    pub(crate) fn step_folder(&self, index: StepIndex) -> PathBuf {
        self.path.join("steps").join((index.0 / STEPS_PER_FOLDER).to_string())
    }

    /// Returns the directory of a step.
    pub fn step(&self, index: StepIndex, step: &PlannedStep) -> PathBuf {
        self.step_folder(index).join(format!("{index}-{}", step.name))
    }

    /// Makes the folders that steps of a plan share.
    pub(crate) fn make_step_folders(&self, steps: usize) -> Result<(), RunDirError> {
        make_dir(&self.path.join("steps"))?;
        let last = u32::try_from(steps.saturating_sub(1)).unwrap_or(u32::MAX) / STEPS_PER_FOLDER;
        for folder in 0..=last {
            make_dir(&self.path.join("steps").join(folder.to_string()))?;
        }
        Ok(())
    }

    /// Makes a step's directory with its command and its first attempt, or finds them.
    pub(crate) fn make_step(
        &self,
        index: StepIndex,
        step: &PlannedStep,
        folder: Option<&String>,
    ) -> Result<(), RunDirError> {
        let path = self.step(index, step);
        make_dir(&path)?;
        let command = path.join("command.sh");
        fs::write(&command, &step.command).map_err(failed("write", &command))?;
        if !step.outputs.is_empty() {
            let file = path.join("provision.json");
            let provision =
                ProvisionFile { folder: folder.cloned(), outputs: step.outputs.clone() };
            fs::write(&file, json(&provision)?).map_err(failed("write", &file))?;
        }
        make_dir(&attempt(&path, AttemptNumber::FIRST)).map(drop)
    }

    /// Makes a further attempt of a step, or finds it.
    pub(crate) fn make_attempt(
        &self,
        index: StepIndex,
        step: &PlannedStep,
        number: AttemptNumber,
        cause: &AttemptCause,
    ) -> Result<(), RunDirError> {
        let path = attempt(&self.step(index, step), number);
        make_dir(&path)?;
        let content = json(&AttemptFile { cause: cause_word(cause) })?;
        let file = path.join("attempt.json");
        link_new(&path, &file, &content).map_err(failed("write", &file)).map(drop)
    }

    /// Reads why each attempt of a step exists, first to last.
    pub(crate) fn attempts(
        &self,
        index: StepIndex,
        step: &PlannedStep,
    ) -> Result<Vec<AttemptCause>, RunDirError> {
        let path = self.step(index, step);
        let mut causes = Vec::new();
        let mut number = AttemptNumber::FIRST;
        loop {
            let path = attempt(&path, number);
            if !path.is_dir() {
                return Ok(causes);
            }
            causes.push(read_cause(&path, number)?);
            number = number.next();
        }
    }

    /// Returns the file in which the local engine keeps what ended attempts of the run came to.
    pub(crate) fn ended(&self) -> PathBuf {
        self.path.join("ended.jsonl")
    }

    /// Returns where a scheduler puts what jobs of the run write before their step begins.
    pub(crate) fn job_log(&self) -> PathBuf {
        self.path.join("jobs.log")
    }

    /// Returns the script that a scheduler starts for each job of the run.
    pub(crate) fn job_script(&self) -> PathBuf {
        self.path.join("job.sh")
    }

    /// Writes that script: all it does is to become the program at this path.
    pub(crate) fn store_job_script(&self, program: &Path) -> Result<(), RunDirError> {
        let path = self.job_script();
        let program = program.display().to_string().replace('\'', "'\\''");
        let text = format!(
            "#!/bin/bash\n\
             # What a scheduler starts for each job of this run. Its options stand on the command line only.\n\
             exec '{program}' step \"$@\"\n"
        );
        link_new(&self.path, &path, text.as_bytes()).map_err(failed("write", &path)).map(drop)
    }

    /// Writes the attempts of a job array, one per line, and returns the file.
    pub(crate) fn store_list(
        &self,
        name: &str,
        plan: &Plan,
        attempts: &[AttemptKey],
    ) -> io::Result<PathBuf> {
        let folder = self.path.join("lists");
        fs::DirBuilder::new().mode(0o750).recursive(true).create(&folder)?;
        let mut text = String::new();
        for key in attempts {
            let attempt = self.attempt(key, &plan.steps[key.step.as_usize()]);
            let below = attempt.strip_prefix(&self.path).unwrap_or(&attempt);
            text.push_str(&below.display().to_string());
            text.push('\n');
        }
        let path = folder.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Returns the directory of an attempt.
    pub fn attempt(&self, key: &AttemptKey, step: &PlannedStep) -> PathBuf {
        attempt(&self.step(key.step, step), key.attempt)
    }

    fn store(&self, name: &'static str, content: &[u8]) -> Result<Linked, RunDirError> {
        let path = self.path.join(name);
        link_new(&self.path, &path, content).map_err(failed("write", &path))
    }
}

/// A plan as it is stored, with the digest of its file.
#[derive(Debug, Clone)]
pub(crate) struct StoredPlan {
    pub(crate) plan: Plan,
    pub(crate) sha256: String,
}

fn attempt(step: &Path, number: AttemptNumber) -> PathBuf {
    step.join(format!("attempt-{number}"))
}

/// Returns the word by which a cause is stored and recorded.
pub(crate) fn cause_word(cause: &AttemptCause) -> String {
    match cause {
        AttemptCause::First => "first".to_owned(),
        AttemptCause::Policy => "policy".to_owned(),
        AttemptCause::Retry(id) => format!("retry:{id}"),
    }
}

fn read_cause(attempt: &Path, number: AttemptNumber) -> Result<AttemptCause, RunDirError> {
    let path = attempt.join("attempt.json");
    let content = match fs::read(&path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Killed between making the directory and its file: as if a policy had made it.
            let first = number == AttemptNumber::FIRST;
            return Ok(if first { AttemptCause::First } else { AttemptCause::Policy });
        }
        Err(error) => return Err(failed("read", &path)(error)),
    };
    let file: AttemptFile =
        serde_json::from_slice(&content).map_err(io::Error::from).map_err(failed("read", &path))?;
    Ok(match file.cause.strip_prefix("retry:") {
        Some(id) => AttemptCause::Retry(id.to_owned()),
        None if file.cause == "first" => AttemptCause::First,
        None => AttemptCause::Policy,
    })
}

fn make_dir(path: &Path) -> Result<Linked, RunDirError> {
    match fs::DirBuilder::new().mode(0o750).create(path) {
        Ok(()) => Ok(Linked::Now),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Linked::Before),
        Err(error) => Err(failed("make", path)(error)),
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, RunDirError> {
    serde_json::to_vec(value).map_err(io::Error::from).map_err(failed("encode", Path::new("JSON")))
}

fn sha256_of(content: &[u8]) -> String {
    use sha2::Digest;
    hex(&sha2::Sha256::digest(content))
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// A plan of one step, for tests of what is kept of a run.
#[cfg(test)]
pub(crate) fn plan_of_one_step() -> Plan {
    let step = PlannedStep {
        name: "one".to_owned().try_into().unwrap(),
        element: None,
        after: Vec::new(),
        command: "true".to_owned(),
        resources: niassa_model::resources::Resources::default(),
        outputs: Vec::new(),
        retry: niassa_model::plan::RetryPolicy::NEVER,
    };
    Plan {
        format: 1,
        workflow: "W".to_owned(),
        version: "1".to_owned(),
        inputs: Vec::new(),
        output_folder: None,
        steps: vec![step],
    }
}
