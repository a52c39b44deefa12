//! Runs that live in run directories only: what a work directory says of them.
//!
//! A MetaDB that was restored from a backup does not know what was accepted after it. The directories
//! do: what was asked, the plan, the accessions, and what each attempt came to. Nothing here changes
//! anything; what is read is told to the service.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use niassa_api::facts::AttemptFact;
use niassa_api::recovery::RecoverRun;
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::run::RunTag;
use niassa_model::run::reconcile::AttemptCause;
use niassa_model::step::{AttemptKey, AttemptNumber, Outcome, StepIndex, StepReason, StepStatus};

use crate::engine::local::archive;
use crate::engine::local::journal::{Ended, Evidence, said_by_all_hosts};
use crate::machine::name_in;
use crate::place::machine;
use crate::propagator::facts::{of_attempt, status_of};
use crate::reconcile::cluster::AttemptLook;
use crate::reconcile::handover::step_records;
use crate::run_dir::attempt_files::{CLAIM, ClaimFile, EXIT, ExitFile, read};
use crate::run_dir::journal::highest_epoch;
use crate::run_dir::{RunDir, RunFile, StoredPlan};

/// A run as its directory has it.
pub struct KeptRun {
    dir: RunDir,
    file: RunFile,
    /// Nothing where it was never planned.
    plan: Option<StoredPlan>,
    accessions: Vec<Accession>,
    epoch: i64,
    /// What journals of the local engine say of its attempts.
    said: HashMap<AttemptKey, Evidence>,
}

/// What a work directory holds.
#[derive(Default)]
pub struct KeptRuns {
    /// Its runs, those with the highest accessions first, in which order they are to be taken in.
    pub runs: Vec<KeptRun>,
    /// Directories that look like those of runs, or of hosts, and cannot be read, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Reads what a work directory holds.
pub fn look(work_dir: &Path) -> io::Result<KeptRuns> {
    let mut kept = KeptRuns::default();
    // Before the directories: an end leaves the journals once it is there.
    let mut of_runs: HashMap<(Accession, RunTag), HashMap<AttemptKey, Evidence>> = HashMap::new();
    let unread = |home: &Path, error| kept.unreadable.push((home.to_owned(), crate::chain(&error)));
    for (key, evidence) in said_by_all_hosts(work_dir, unread)? {
        of_runs.entry(key.run_and_tag()).or_default().insert(key, evidence);
    }
    for entry in fs::read_dir(work_dir)? {
        let path = entry?.path();
        let Some((swid, tag)) = named(&path) else { continue };
        match read_run(work_dir, swid, &tag) {
            Ok(run) => {
                let own = of_runs.remove(&(swid, tag)).unwrap_or_default();
                kept.runs.push(KeptRun { said: own, ..run });
            }
            Err(error) => kept.unreadable.push((path, error)),
        }
    }
    // The highest accession comes first: what is taken in after it under a new one gets none that a
    // later one had.
    kept.runs.sort_by_key(|run| {
        std::cmp::Reverse(run.accessions.iter().copied().chain([run.file.swid]).max())
    });
    Ok(kept)
}

impl KeptRun {
    /// Returns the accession it had.
    pub fn swid(&self) -> Accession {
        self.file.swid
    }

    /// Returns its tag.
    pub fn tag(&self) -> &RunTag {
        &self.file.tag
    }

    /// Returns its directory.
    pub fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Returns its workflow's name and version.
    pub fn workflow(&self) -> String {
        format!("{} {}", self.file.workflow, self.file.version)
    }

    /// Returns the address of its account.
    pub fn account(&self) -> &str {
        &self.file.account
    }

    /// Returns what the service has to know of it; facts apart. A run that was never planned has done
    /// nothing, and there is nothing to know. `host` stands in where the directory does not name one.
    pub fn request(&self, host: &HostLabel) -> Option<RecoverRun> {
        let plan = self.plan.as_ref()?;
        Some(RecoverRun {
            swid: self.file.swid,
            tag: self.file.tag.clone(),
            account: self.file.account.clone(),
            workflow: self.file.workflow.clone(),
            version: self.file.version.clone(),
            bundle_sha256: self.file.bundle_sha256.clone(),
            host: self.file.host.clone().unwrap_or_else(|| host.clone()),
            parents: self.file.parents.clone(),
            values: self.file.values.clone(),
            place: self.file.place.clone(),
            directory: self.dir.path().display().to_string(),
            launched_on: machine(),
            epoch: self.epoch,
            plan_sha256: plan.sha256.clone(),
            steps: step_records(&plan.plan),
            accessions: self.accessions.clone(),
            facts: Vec::new(),
        })
    }

    /// Returns what the files of all attempts say, and what the local engine keeps of those that ended.
    pub fn facts(&self) -> io::Result<Vec<AttemptFact>> {
        let Some(plan) = &self.plan else { return Ok(Vec::new()) };
        let said = self.said()?;
        let host = name_in(&self.file.place.cluster);
        let mut facts = Vec::new();
        for (position, step) in plan.plan.steps.iter().enumerate() {
            let step_index = StepIndex(u32::try_from(position).unwrap_or(u32::MAX));
            let folder = self.dir.step(step_index, step);
            let mut attempt = AttemptNumber::FIRST;
            loop {
                let path = folder.join(format!("attempt-{attempt}"));
                if !path.is_dir() {
                    break;
                }
                let key = self.key(step_index, attempt);
                let mut look = look_at(&path)?;
                let end = said.get(&key).and_then(Evidence::end);
                look.exit = look.exit.or_else(|| end.map(|end| exit_of(end, host)));
                facts.extend(status_of(&look).map(|status| of_attempt(&path, key, &look, status)));
                attempt = attempt.next();
            }
        }
        Ok(facts)
    }

    /// Returns verdicts on steps that never started, for a run that nobody can go on with: those behind
    /// a failure are skipped. Nothing where something of it may still be running.
    pub fn verdicts(&self, facts: &[AttemptFact]) -> io::Result<Vec<AttemptFact>> {
        let Some(plan) = &self.plan else { return Ok(Vec::new()) };
        let said = self.said()?;
        let may_run = said.values().any(|said| said.is_granted() && said.end().is_none());
        let last = |step: StepIndex| facts.iter().rfind(|fact| fact.step == step);
        let is_open =
            facts.iter().any(|fact| last(fact.step) == Some(fact) && !fact.status.is_final());
        let failed = facts
            .iter()
            .any(|fact| last(fact.step) == Some(fact) && fact.status != StepStatus::Success);
        if may_run || is_open || !failed {
            return Ok(Vec::new());
        }
        let steps = (0..plan.plan.steps.len()).filter_map(|step| u32::try_from(step).ok());
        let silent = steps.map(StepIndex).filter(|step| last(*step).is_none());
        let skipped = Outcome::without_exit(StepStatus::Skipped, StepReason::ParentFailed);
        let verdict = |step| {
            let look = AttemptLook {
                cause: AttemptCause::First,
                claim: None,
                exit: None,
                terminated: None,
                stop_asked: false,
            };
            let key = self.key(step, AttemptNumber::FIRST);
            let fact = of_attempt(self.dir.path(), key, &look, skipped.status);
            AttemptFact { reason: skipped.reason, ..fact }
        };
        Ok(silent.map(verdict).collect())
    }

    /// Returns everything the local engine keeps of its attempts.
    fn said(&self) -> io::Result<HashMap<AttemptKey, Evidence>> {
        let mut said = self.said.clone();
        for end in archive::read(&self.dir).map_err(io::Error::other)? {
            if let Some(key) = end.key().cloned() {
                said.entry(key).or_default().take(end);
            }
        }
        Ok(said)
    }

    fn key(&self, step: StepIndex, attempt: AttemptNumber) -> AttemptKey {
        AttemptKey { run: self.file.swid, tag: self.file.tag.clone(), step, attempt }
    }
}

/// Reads the name of a run directory.
fn named(path: &Path) -> Option<(Accession, RunTag)> {
    let (swid, tag) = path.file_name()?.to_str()?.split_once('-')?;
    Some((swid.parse().ok()?, tag.parse().ok()?))
}

fn read_run(work_dir: &Path, swid: Accession, tag: &RunTag) -> Result<KeptRun, String> {
    let dir = RunDir::of(work_dir, swid, tag);
    let file = dir.run_file().map_err(|error| crate::chain(&error))?;
    let plan = dir.plan().map_err(|error| crate::chain(&error))?;
    let accessions = dir.accessions().map_err(|error| crate::chain(&error))?;
    let epoch = highest_epoch(dir.path()).map_err(|error| error.to_string())?;
    let accessions = accessions.unwrap_or_default();
    Ok(KeptRun { dir, file, plan, accessions, epoch, said: HashMap::new() })
}

/// Reads an end that the local engine told on a host as the file that it would be on a cluster.
fn exit_of(end: &Ended, host: &str) -> ExitFile {
    ExitFile {
        outcome: end.outcome,
        started_at: end.started_at,
        ended_at: end.ended_at,
        machine: host.to_owned(),
        cpu_micros: end.cpu_micros,
        peak_memory_bytes: end.peak_memory_bytes,
        message: end.message.clone(),
    }
}

fn look_at(attempt: &Path) -> io::Result<AttemptLook> {
    Ok(AttemptLook {
        cause: AttemptCause::First,
        claim: read::<ClaimFile>(attempt, CLAIM)?,
        exit: read::<ExitFile>(attempt, EXIT)?,
        terminated: None,
        stop_asked: false,
    })
}

#[cfg(test)]
mod tests {
    use niassa_model::place::EngineKind;
    use niassa_model::time::Timestamp;

    use serde_json::Value;

    use super::*;
    use crate::engine::local::journal::Record;
    use crate::place::WorkDir;
    use crate::run_dir::plan_of_one_step;

    const NOW: Timestamp = Timestamp::from_micros(1_000);

    /// A planned run of one step in a work directory, which `host` launched.
    fn run_of_one_step(work_dir: &WorkDir, host: &str) -> KeptRun {
        let (swid, tag) = (7.try_into().unwrap(), "aaaaaaaaaa".parse::<RunTag>().unwrap());
        let dir = RunDir::of(work_dir.path(), swid, &tag);
        dir.make().unwrap();
        dir.make_step_folders(1).unwrap();
        let plan = plan_of_one_step();
        dir.make_step(StepIndex(0), &plan.steps[0], None).unwrap();
        let file = RunFile {
            swid,
            tag,
            workflow: "W".to_owned(),
            version: "1".to_owned(),
            bundle_sha256: String::new(),
            account: "bob@lab.net".to_owned(),
            place: work_dir.place(EngineKind::Local, host.to_owned()),
            values: Value::Null,
            host: None,
            parents: Vec::new(),
            trace: None,
        };
        dir.store_run(&file).unwrap();
        let plan = Some(dir.store_plan(&plan).unwrap());
        KeptRun { dir, file, plan, accessions: Vec::new(), epoch: 0, said: HashMap::new() }
    }

    #[test]
    fn a_closed_attempt_is_told_by_the_list_of_ended_ones() {
        let folder = tempfile::tempdir().unwrap();
        let work_dir = WorkDir::open(folder.path()).unwrap();
        let run = run_of_one_step(&work_dir, "node-7-0123456789ab");
        assert!(run.facts().unwrap().is_empty());

        let closed = Record::Closed {
            key: run.key(StepIndex(0), AttemptNumber::FIRST),
            outcome: Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy),
            message: None,
            at: Timestamp::from_micros(5),
        };
        archive::keep(&run.dir, &[closed]).unwrap();
        let facts = run.facts().unwrap();
        let told = |fact: &AttemptFact| (fact.status, fact.reason, fact.ended_at);
        let expected =
            (StepStatus::Cancelled, Some(StepReason::CancelledBy), Some(Timestamp::from_micros(5)));
        assert_eq!(facts.iter().map(told).collect::<Vec<_>>(), [expected]);
        assert_eq!(facts[0].machine.as_deref(), Some("node-7"), "not the one that reads it");
    }

    #[test]
    fn what_may_still_run_somewhere_is_not_decided_on() {
        let folder = tempfile::tempdir().unwrap();
        let work_dir = WorkDir::open(folder.path()).unwrap();
        let run = run_of_one_step(&work_dir, "node-7");
        let key = run.key(StepIndex(0), AttemptNumber::FIRST);
        let failed = Outcome::without_exit(StepStatus::Failed, StepReason::Signal);
        let another = AttemptKey { step: StepIndex(1), ..key.clone() };
        let mut look = look_at(run.directory()).unwrap();
        look.exit = Some(exit_of(&Ended::of(another.clone(), failed, NOW), "node-7"));
        let fact = of_attempt(run.directory(), another, &look, failed.status);
        assert_eq!(run.verdicts(std::slice::from_ref(&fact)).unwrap().len(), 1);
        let mut said = Evidence::default();
        said.take(Record::Granted { key: key.clone() });
        let run = KeptRun { said: HashMap::from([(key, said)]), ..run };
        assert!(run.verdicts(&[fact]).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_host_and_what_cannot_be_read_of_one_hides_no_run() {
        let folder = tempfile::tempdir().unwrap();
        let work_dir = WorkDir::open(folder.path()).unwrap();
        run_of_one_step(&work_dir, "node-7");
        let homes = folder.path().join(".local");
        fs::create_dir_all(homes.join("node-8/journal-1.jsonl")).unwrap();
        fs::write(homes.join("node-8/journal-1.synced"), "9 0 9 0\n").unwrap();
        fs::write(homes.join(".nfs0001"), "").unwrap();
        let kept = look(folder.path()).unwrap();
        assert_eq!(kept.runs.len(), 1);
        let unreadable: Vec<_> = kept.unreadable.iter().map(|(path, _)| path).collect();
        assert_eq!(unreadable, [&homes.join("node-8")]);
    }
}
