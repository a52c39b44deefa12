//! Facts: what files and engines positively say of attempts. They need no claim and only rise.
//!
//! All facts of a call are taken in one transaction: attempts, their steps, the ends of the
//! streams, the outputs, and what the runs come to. A step is final here together with its outputs.

pub(crate) mod known;
mod notes;
pub(crate) mod outputs;
pub(crate) mod write;

use std::collections::{BTreeMap, BTreeSet};

use niassa_model::accession::Accession;
use niassa_model::account::LaunchHosts;
use niassa_model::file::OutputFile;
use niassa_model::run::facts::{Taking, taking};
use niassa_model::run::{RunEvent, RunStatus, RunTag};
use niassa_model::step::{AttemptNumber, Outcome, StepIndex, StepStatus};
use niassa_model::time::Timestamp;

use crate::error::Result;
use crate::pool::{commit, now_in, retrying};
use crate::run_state::{self, Loading, RunState, assess};
use crate::{Access, MetaDb};
use known::{Known, KnownAttempt};
use notes::Wanted;

pub use notes::{NoteRefused, RunNote};

/// What is known of one attempt of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The run.
    pub run: Accession,
    /// Its tag: a fact of another MetaDB's run with the same accession is refused.
    pub tag: RunTag,
    /// The step.
    pub step: StepIndex,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// What it came to so far.
    pub outcome: Outcome,
    /// What was said about its end, for people.
    pub message: Option<String>,
    /// When it started, by the clock of its machine.
    pub started_at: Option<Timestamp>,
    /// When it ended, by the clock of its machine.
    pub ended_at: Option<Timestamp>,
    /// The machine it ran on.
    pub machine: Option<String>,
    /// Processor time used, in microseconds.
    pub cpu_micros: Option<i64>,
    /// Peak memory of its largest process, in bytes.
    pub peak_memory_bytes: Option<i64>,
    /// The ends of its streams.
    pub logs: Vec<StreamEnd>,
    /// The outputs of an attempt that succeeded.
    pub outputs: Vec<OutputFile>,
}

/// The end of a stream and where the rest lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEnd {
    /// Which stream.
    pub stream: Stream,
    /// The whole file, on the file system of the run.
    pub path: String,
    /// Its size in bytes.
    pub size: i64,
    /// Its last bytes, as text.
    pub tail: String,
}

/// A stream of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Returns the word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What became of the facts of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FactsTaken {
    /// Every run that was named and may be recorded, as it is now.
    pub runs: Vec<RunNow>,
    /// Facts that were not taken, by their position, with the reason.
    pub refused: Vec<(usize, FactRefused)>,
    /// Notes that were not taken, by their position, with the reason.
    pub refused_notes: Vec<(usize, NoteRefused)>,
    /// How long ago attempts ended of which that was not known, in microseconds; by two clocks, so
    /// that it may be negative.
    pub ended_before_micros: Vec<i64>,
}

/// A run after something was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunNow {
    /// The run.
    pub swid: Accession,
    /// Its status.
    pub status: RunStatus,
    /// Whether somebody has to claim it and act.
    pub needs_action: bool,
}

/// Why a fact was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FactRefused {
    /// The account has no such run, or the token is for other hosts.
    #[error("there is no such run for this caller")]
    NoSuchRun,
    /// The accession is another run's: the MetaDB was restored since.
    #[error("the run with this accession has another tag")]
    AnotherRun,
    /// The plan has no such step, or its steps are not recorded.
    #[error("the run has no such step")]
    NoSuchStep,
    /// Attempts are counted from 1.
    #[error("there is no attempt 0")]
    NoSuchAttempt,
}

impl MetaDb {
    /// Records facts and notes of runs of the account, for the hosts its token allows.
    pub async fn record_facts(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        facts: &[Fact],
        notes: &[RunNote],
    ) -> Result<FactsTaken> {
        retrying(|| self.record_facts_once(access, hosts, facts, notes)).await
    }

    async fn record_facts_once(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        facts: &[Fact],
        notes: &[RunNote],
    ) -> Result<FactsTaken> {
        const OPERATION: &str = "record facts";
        let dialect = self.dialect();
        let mut transaction = self.begin_by_keys(OPERATION).await?;
        let now = now_in(&mut transaction, OPERATION).await?;
        let named = facts.iter().map(|fact| fact.run).chain(notes.iter().map(|note| note.run));
        let mut runs = run_state::load(
            &mut transaction,
            dialect,
            access,
            Loading::Launchable,
            named,
            OPERATION,
        )
        .await?;
        runs.retain(|run| run_state::is_of(run, hosts));
        let mut known = known::load(&mut transaction, facts, OPERATION).await?;
        let (wanted, refused_notes) = Wanted::choose(&runs, notes);
        let mut taken = take(access, &mut runs, &mut known, facts);
        write::attempts(&mut transaction, &known, facts, &taken.news, OPERATION).await?;
        outputs::write(&mut transaction, now, &runs, &known, facts, &taken.news, OPERATION).await?;
        let heard: BTreeSet<_> = facts.iter().map(|fact| fact.run).chain(wanted.runs()).collect();
        for run in runs.iter_mut().filter(|run| heard.contains(&run.swid)) {
            run.seen_at = Some(Timestamp::from_micros(now));
        }
        assess(&mut transaction, &mut runs, &access.email, OPERATION).await?;
        wanted.put(access, &mut runs);
        run_state::store(&mut transaction, dialect, now, &runs, OPERATION).await?;
        commit(transaction, OPERATION).await?;
        taken.answer.runs = runs.iter().map(RunNow::of).collect();
        taken.answer.refused_notes = refused_notes;
        taken.answer.ended_before_micros = ended_before(now, facts, &taken.news);
        Ok(taken.answer)
    }
}

/// Says how long it took until the ends of attempts became known.
fn ended_before(now: i64, facts: &[Fact], news: &[News]) -> Vec<i64> {
    let raised = news.iter().filter(|news| news.taking == Taking::Raise);
    let facts = raised.map(|news| &facts[news.position]);
    let ended = facts.filter(|fact| fact.outcome.status.is_final());
    ended.filter_map(|fact| Some(now - fact.ended_at?.as_micros())).collect()
}

impl RunNow {
    pub(crate) fn of(run: &RunState) -> Self {
        Self { swid: run.swid, status: run.status, needs_action: run.needs_action }
    }
}

/// A fact that says something new, by its position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News {
    pub(crate) position: usize,
    pub(crate) taking: Taking,
}

struct Taken {
    answer: FactsTaken,
    news: Vec<News>,
}

/// Compares facts with what is known, moves the steps, and starts the runs.
fn take(access: &Access, runs: &mut [RunState], known: &mut Known, facts: &[Fact]) -> Taken {
    let mut taken = Taken { answer: FactsTaken::default(), news: Vec::new() };
    let mut by_swid: BTreeMap<Accession, &mut RunState> =
        runs.iter_mut().map(|run| (run.swid, run)).collect();
    for (position, fact) in facts.iter().enumerate() {
        let run = by_swid.get_mut(&fact.run).map(|run| &mut **run);
        match take_one(access, run, known, fact) {
            Ok(Taking::Ignore) => {}
            Ok(taking) => taken.news.push(News { position, taking }),
            Err(why) => taken.answer.refused.push((position, why)),
        }
    }
    taken
}

fn take_one(
    access: &Access,
    run: Option<&mut RunState>,
    known: &mut Known,
    fact: &Fact,
) -> std::result::Result<Taking, FactRefused> {
    let run = run.ok_or(FactRefused::NoSuchRun)?;
    if run.tag != fact.tag {
        return Err(FactRefused::AnotherRun);
    }
    if fact.attempt < AttemptNumber::FIRST {
        return Err(FactRefused::NoSuchAttempt);
    }
    let step = known.steps.get_mut(&(fact.run, fact.step)).ok_or(FactRefused::NoSuchStep)?;
    let attempt = known.attempts.entry((fact.run, fact.step, fact.attempt)).or_default();
    let is_over = !run.status.is_active();
    let taking = match taking(attempt.status, fact.outcome.status) {
        Taking::Ignore if is_over && attempt.is_without_evidence() => Taking::Repeat,
        taking => taking,
    };
    if taking != Taking::Raise {
        return Ok(taking);
    }
    attempt.raise(fact);
    // What comes in late about a run that is over is kept, and moves nothing that is final.
    if is_over && step.status.is_final() {
        return Ok(Taking::Repeat);
    }
    if fact.attempt >= step.attempt {
        run.steps.moved(step.status, fact.outcome.status);
        step.attempt = fact.attempt;
        step.status = fact.outcome.status;
        step.reason = fact.outcome.reason;
        step.is_changed = true;
    }
    let has_started = fact.outcome.status == StepStatus::Running || fact.started_at.is_some();
    if has_started && run.status.after(RunEvent::Started).is_some() {
        let detail = format!("step {} started (attempt {})", step.label, fact.attempt);
        run.happened(RunEvent::Started, &access.email, Some(detail));
    }
    Ok(taking)
}

impl KnownAttempt {
    fn raise(&mut self, fact: &Fact) {
        self.status = Some(fact.outcome.status);
    }

    /// Tells whether somebody ended the attempt without having seen how it ended.
    fn is_without_evidence(self) -> bool {
        matches!(self.status, Some(StepStatus::Lost | StepStatus::Cancelled))
    }
}

#[cfg(test)]
mod tests;
