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

use crate::error::Result;
use crate::idempotency::{self, Once, OnceKey, Recall};
use crate::pool::{commit, retrying};
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
        Self { writer: Writer::start(Schedules { metadb: metadb.clone() }) }
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

    async fn write(&self, requests: &[&Request]) -> Result<Vec<Scheduling>> {
        retrying(|| self.metadb.schedule_once(requests)).await
    }
}

impl MetaDb {
    async fn schedule_once(&self, requests: &[&Request]) -> Result<Vec<Scheduling>> {
        const OPERATION: &str = Schedules::OPERATION;
        let mut transaction = self.begin(OPERATION).await?;
        let keys: Vec<_> = requests.iter().map(|r| (r.access.account, r.once.as_ref())).collect();
        let recalled = idempotency::recall_all(&mut transaction, &keys, OPERATION).await?;
        let checked = check::load(&mut transaction, requests, OPERATION).await?;
        let mut accepted = Vec::new();
        let mut outcomes = Vec::with_capacity(requests.len());
        for (request, recall) in requests.iter().copied().zip(recalled) {
            outcomes.push(match (recall, checked.refusal(request)) {
                (Recall::Answered(run), _) => Outcome::Known(Scheduling::Accepted(Once::Done(run))),
                (Recall::Mismatch, _) => Outcome::Known(Scheduling::Accepted(Once::Mismatch)),
                (Recall::New, Some(why)) => Outcome::Known(Scheduling::Refused(why)),
                (Recall::New, None) => {
                    accepted.push(request);
                    Outcome::ToBeAccepted
                }
            });
        }
        let now = checked.now;
        let runs =
            insert::runs(&mut transaction, self.dialect(), now, &accepted, OPERATION).await?;
        let answers: Vec<_> = accepted
            .iter()
            .zip(&runs)
            .filter_map(|(request, run)| {
                Some((request.access.account, request.once.as_ref()?, run))
            })
            .collect();
        idempotency::remember_all(&mut transaction, now, &answers, OPERATION).await?;
        commit(transaction, OPERATION).await?;
        Ok(in_order(outcomes, runs))
    }
}

/// What is known of a request before the accepted ones are written.
enum Outcome {
    Known(Scheduling),
    ToBeAccepted,
}

/// Puts the accepted runs where they belong among the answers.
fn in_order(outcomes: Vec<Outcome>, runs: Vec<ScheduledRun>) -> Vec<Scheduling> {
    let mut runs = runs.into_iter();
    let answer = |outcome| match outcome {
        Outcome::Known(answer) => Some(answer),
        Outcome::ToBeAccepted => runs.next().map(|run| Scheduling::Accepted(Once::Done(run))),
    };
    outcomes.into_iter().filter_map(answer).collect()
}

#[cfg(test)]
mod tests;
