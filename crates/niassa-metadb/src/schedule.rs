//! Scheduling: runs are accepted many at a time, each checked and answered by itself.
//!
//! One transaction serves all requests that came in while the last one committed, with one
//! statement per table. What a request names is checked in the same transaction: a run that is
//! accepted descends from objects that were there and visible to its account.

pub(crate) mod check;
pub(crate) mod insert;

use std::time::Duration;

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::account::AccountId;
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;
use niassa_model::run::RunTag;
use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;
use crate::error::Result;
use crate::events;
use crate::idempotency::{self, Once, OnceKey, Recall};
use crate::limits::{FullLimit, Limits};
use crate::pool::{Writing, commit, retrying};
use crate::writer::{Batched, Writer};
use crate::{Access, MetaDb};

/// A run to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its tag, freshly drawn.
    pub tag: RunTag,
    /// The workflow.
    pub workflow: Accession,
    /// The label of the launchers that may launch it.
    pub host: HostLabel,
    /// The engine demanded, if one is.
    pub engine: Option<EngineKind>,
    /// Options for the scheduler, as JSON.
    pub options: String,
    /// Of several runs of an account that wait for a label the highest is launched first.
    pub priority: i32,
    /// The values as resolved, as JSON.
    pub values: String,
    /// What was asked, as JSON, for rescheduling.
    pub sources: String,
    /// What it descends from.
    pub parents: Vec<Accession>,
    /// Files that are its inputs.
    pub input_files: Vec<Accession>,
    /// IUS and lanes to link it to.
    pub links: Vec<Accession>,
    /// Who holds it from the beginning, if somebody does.
    pub claim: Option<FirstClaim>,
    /// The run that it is tried anew for.
    pub rescheduled_from: Option<Accession>,
    /// The id of the request it is asked by, which logs have.
    pub trace: Option<String>,
    /// What the user should know; part of the answer.
    pub warnings: Vec<String>,
}

/// A claim that a run is created under, so that no other launcher can take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstClaim {
    /// The holder.
    pub holder: String,
    /// How long the claim lasts.
    pub lease: Duration,
}

/// A run that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledRun {
    /// Its accession.
    pub swid: Accession,
    /// Its tag.
    pub tag: RunTag,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What a request for a run comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduling {
    /// The run was accepted, now or before under the same key; or the key stands for another one.
    Accepted(Once<ScheduledRun>),
    /// It was not accepted.
    Refused(Refusal),
    /// It was to be launched at once, and this limit has no room.
    NoRoom(FullLimit),
}

/// Why a run is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// These objects are not there, or not for this account.
    Unknown(Vec<Accession>),
    /// What was named as the workflow is something else.
    NotAWorkflow(ObjectKind),
    /// The workflow is in a state in which nothing of it can be run: this one.
    NotSchedulable(String),
    /// A workflow cannot be the parent of a run.
    NotParents(Vec<Misfit>),
    /// Input files must be files.
    NotFiles(Vec<Misfit>),
    /// Only IUS and lanes can be linked to.
    NotLinkable(Vec<Misfit>),
}

/// An object of the wrong kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit {
    /// The object.
    pub object: Accession,
    /// What it is.
    pub kind: ObjectKind,
}

/// Accepts runs. Cloning shares it.
#[derive(Clone)]
pub struct Scheduler {
    writer: Writer<Schedules>,
}

impl Scheduler {
    /// Starts the task that writes; it ends with the last clone.
    pub fn start(metadb: &MetaDb) -> Self {
        let schedules = Schedules { metadb: metadb.clone() };
        Self { writer: Writer::start(schedules, metadb.dialect().batches()) }
    }

    /// Accepts a run and returns once that is durable. Labels that narrow the caller play no part:
    /// what can schedule is never narrowed.
    pub async fn schedule(
        &self,
        access: &Access,
        run: NewRun,
        once: Option<OnceKey>,
    ) -> Result<Scheduling> {
        self.writer.write(Request { access: access.clone(), run, once }).await
    }
}

/// One request of a batch.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) access: Access,
    pub(crate) run: NewRun,
    pub(crate) once: Option<OnceKey>,
}

/// Writes batches of requests.
struct Schedules {
    metadb: MetaDb,
}

impl Batched for Schedules {
    type Request = Request;
    type Answer = Scheduling;
    type Key = (AccountId, String);

    const OPERATION: &'static str = "schedule runs";

    fn bytes(request: &Request) -> usize {
        let run = &request.run;
        run.values.len() + run.sources.len() + run.host.as_str().len() + 1_024
    }

    fn key(request: &Request) -> Option<Self::Key> {
        request.once.as_ref().map(|once| (request.access.account, once.key.clone()))
    }

    async fn turn(&self) {
        self.metadb.precedence().of_claims().await;
    }

    async fn write(&self, requests: &[&Request]) -> Result<Vec<Scheduling>> {
        let answers = retrying(|| self.metadb.schedule_once(requests)).await?;
        self.metadb.flush(Self::OPERATION).await?;
        Ok(answers)
    }
}

impl MetaDb {
    /// Keys are nearly always new, so that is tried first: one statement fewer, and none with rows.
    async fn schedule_once(&self, requests: &[&Request]) -> Result<Vec<Scheduling>> {
        match self.schedule_new(requests).await? {
            Some(answers) => Ok(answers),
            None => self.schedule_known(requests).await,
        }
    }

    /// Writes a batch whose keys were never used; nothing where one was, or might have been.
    async fn schedule_new(&self, requests: &[&Request]) -> Result<Option<Vec<Scheduling>>> {
        const OPERATION: &str = Schedules::OPERATION;
        let begin = self.dialect().begin_batch();
        let mut transaction = self.begin_as(begin, OPERATION).await?;
        let new = requests.iter().map(|_| Recall::New);
        let batch = self.accept(&mut transaction, requests, new).await?;
        let is_keyed = |request: &&Request| request.once.is_some();
        if requests.iter().filter(|request| is_keyed(request)).count()
            != batch.accepted.iter().filter(|request| is_keyed(request)).count()
        {
            // What would be refused now may have been accepted before under the same key.
            return Ok(None);
        }
        let answers = batch.answers();
        if !idempotency::keep_new(&mut transaction, batch.now, &answers, OPERATION).await? {
            return Ok(None);
        }
        batch.log(&mut transaction, self.dialect()).await?;
        commit(transaction, OPERATION).await?;
        Ok(Some(batch.in_order()))
    }

    /// Writes a batch in which some keys were used before.
    async fn schedule_known(&self, requests: &[&Request]) -> Result<Vec<Scheduling>> {
        const OPERATION: &str = Schedules::OPERATION;
        let begin = self.dialect().begin_batch();
        let mut transaction = self.begin_as(begin, OPERATION).await?;
        let keys: Vec<_> = requests.iter().map(|r| (r.access.account, r.once.as_ref())).collect();
        let recalled = idempotency::recall_all(&mut transaction, &keys, OPERATION).await?;
        let batch = self.accept(&mut transaction, requests, recalled.into_iter()).await?;
        let answers = batch.answers();
        idempotency::remember_all(&mut transaction, batch.now, &answers, OPERATION).await?;
        batch.log(&mut transaction, self.dialect()).await?;
        commit(transaction, OPERATION).await?;
        Ok(batch.in_order())
    }

    /// Checks requests that are new and writes those that can be accepted.
    async fn accept<'batch>(
        &self,
        transaction: &mut Writing,
        requests: &[&'batch Request],
        recalled: impl Iterator<Item = Recall<ScheduledRun>>,
    ) -> Result<Batch<'batch>> {
        const OPERATION: &str = Schedules::OPERATION;
        let checked = check::load(transaction, requests, OPERATION).await?;
        let now = checked.now;
        let mut limits = self.limits_on(transaction, requests, now).await?;
        let (mut accepted, mut outcomes) = (Vec::new(), Vec::with_capacity(requests.len()));
        for (request, recall) in requests.iter().copied().zip(recalled) {
            outcomes.push(match (recall, checked.refusal(request)) {
                (Recall::Answered(run), _) => Outcome::Known(Scheduling::Accepted(Once::Done(run))),
                (Recall::Mismatch, _) => Outcome::Known(Scheduling::Accepted(Once::Mismatch)),
                (Recall::New, Some(why)) => Outcome::Known(Scheduling::Refused(why)),
                (Recall::New, None) => match take_room(&mut limits, request) {
                    Ok(()) => {
                        accepted.push(request);
                        Outcome::ToBeAccepted
                    }
                    Err(full) => Outcome::Known(Scheduling::NoRoom(full)),
                },
            });
        }
        let runs = insert::runs(transaction, now, &accepted, OPERATION).await?;
        Ok(Batch { now, outcomes, accepted, runs })
    }

    /// Loads the limits where some run is to be made claimed: then this batch and the launchers take turns.
    async fn limits_on(
        &self,
        transaction: &mut Writing,
        requests: &[&Request],
        now: i64,
    ) -> Result<Limits> {
        match requests.iter().any(|request| request.run.claim.is_some()) {
            true => Limits::load(transaction, self.dialect(), now, Schedules::OPERATION).await,
            false => Ok(Limits::default()),
        }
    }
}

/// Takes the room of a run that is made claimed; any other waits for room as long as it must.
fn take_room(limits: &mut Limits, request: &Request) -> std::result::Result<(), FullLimit> {
    let run = &request.run;
    match run.claim {
        Some(_) => limits.take(run.workflow, request.access.account, run.host.as_str()),
        None => Ok(()),
    }
}

/// A batch whose runs are written and not committed.
struct Batch<'batch> {
    now: i64,
    outcomes: Vec<Outcome>,
    accepted: Vec<&'batch Request>,
    /// One for each accepted request, in their order.
    runs: Vec<ScheduledRun>,
}

/// What is known of a request before the accepted ones are written.
enum Outcome {
    Known(Scheduling),
    ToBeAccepted,
}

impl<'batch> Batch<'batch> {
    /// Returns what is answered under the keys of accepted requests.
    fn answers(&self) -> Vec<(AccountId, &'batch OnceKey, &ScheduledRun)> {
        let answer = |(request, run): (&&'batch Request, _)| {
            Some((request.access.account, request.once.as_ref()?, run))
        };
        self.accepted.iter().zip(&self.runs).filter_map(answer).collect()
    }

    /// Writes the beginnings of the runs' logs. The log lets one writer in at a time, until it commits,
    /// so this comes last.
    async fn log(&self, transaction: &mut Writing, dialect: Dialect) -> Result<()> {
        let begun = |(run, request): (&ScheduledRun, _)| insert::first_entry(run.swid, request);
        let entries: Vec<_> =
            self.runs.iter().zip(self.accepted.iter().copied()).map(begun).collect();
        events::write(transaction, dialect, self.now, &entries, Schedules::OPERATION).await
    }

    /// Puts the accepted runs where they belong among the answers.
    fn in_order(self) -> Vec<Scheduling> {
        let mut runs = self.runs.into_iter();
        let answer = |outcome| match outcome {
            Outcome::Known(answer) => Some(answer),
            Outcome::ToBeAccepted => runs.next().map(|run| Scheduling::Accepted(Once::Done(run))),
        };
        self.outcomes.into_iter().filter_map(answer).collect()
    }
}

#[cfg(test)]
mod tests;
