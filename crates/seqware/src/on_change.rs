//! `SW_ON_CHANGE`: a program of the site that is told each status change of a run, once.
//!
//! What changed is read from the log that the service keeps of each run, so it does not matter which
//! tick recorded it, or who asked for it. Which runs to look at and what was told is remembered in the
//! work directory: see [`memory`]. An event counts as told before the program is started, so one that
//! fails is not told again; that it failed is a fault of the tick, never an error. Only changes of the
//! hour before a run's last one are told: older ones are no news.

mod memory;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use niassa_api::client::{Client, ClientError};
use niassa_api::runs::{Run, RunLogEntry, RunQuery, StepQuery};
use niassa_model::accession::Accession;
use niassa_model::limits::PAGE_MOST;
use niassa_model::time::{Clock, Timestamp};
use niassa_pipeline::told_program::{self, TellError};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::clock::SystemClock;
use crate::context::Context;
use crate::exit::Failure;
use crate::faults::Faults;
use crate::settings::Surroundings;
use memory::Memory;

/// How long the program may take for one change.
const LIMIT: Duration = Duration::from_secs(30);
/// For how long changes are told in one go; what is left is told by the next tick.
const BUDGET: Duration = Duration::from_mins(1);
/// How long before a run's last change another one is still news, in microseconds.
const NEWS_MICROS: i64 = 3_600 * 1_000_000;
/// The longest explanation that is told, in characters.
const WHY: usize = 2_000;

/// The program, and what it was told.
#[derive(Debug, Clone)]
pub struct OnChange {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    memory: Memory,
}

/// What kept changes from being told.
#[derive(Debug, thiserror::Error)]
enum OnChangeError {
    #[error("remember what was told in {}", path.display())]
    Memory {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("ask the service what changed")]
    Service(#[from] ClientError),
}

/// Tells what changed of the runs a tick has seen, and of those it was told of before, if the
/// settings name a program. What goes wrong becomes a fault.
pub async fn tell(runs: &[Accession], client: &Client, context: &Context, faults: &mut Faults) {
    match OnChange::of(client, context) {
        Ok(None) => {}
        Ok(Some(on_change)) => {
            if let Some(fault) = on_change.tell(client, runs, context.now()).await {
                faults.found("SW_ON_CHANGE", fault);
            }
        }
        Err(failure) => faults.found("SW_ON_CHANGE", failure.explain().to_owned()),
    }
}

/// Tells a program what changed, beside the work: one that is slow holds up nothing. Without a program what
/// changed is passed over.
pub async fn tell_for_ever(
    on_change: Option<OnChange>,
    mut changed: UnboundedReceiver<Vec<Accession>>,
    client: Client,
) {
    let mut told = None;
    while let Some(mut runs) = changed.recv().await {
        while let Ok(more) = changed.try_recv() {
            runs.extend(more);
        }
        runs.sort_unstable();
        runs.dedup();
        let Some(on_change) = &on_change else { continue };
        let fault = on_change.tell(&client, &runs, SystemClock.now()).await;
        if let Some(fault) = fault.as_ref().filter(|fault| told.as_ref() != Some(*fault)) {
            tracing::warn!("SW_ON_CHANGE: {fault}");
        }
        told = fault;
    }
}

impl OnChange {
    /// Returns the program that the settings name, if they do.
    pub fn of(client: &Client, context: &Context) -> Result<Option<Self>, Failure> {
        let settings = context.settings()?;
        let Some(program) = settings.on_change()? else { return Ok(None) };
        let identity = format!("{} {}", settings.signed_in_as(), client.url());
        Ok(Some(Self::new(program, &settings.work_dir()?, &identity)))
    }

    /// Makes one for a work directory; `identity` names the account and the service.
    pub fn new(program: PathBuf, work_dir: &Path, identity: &str) -> Self {
        let memory = Memory::of(work_dir, identity);
        Self { program, environment: Surroundings::for_jobs(), memory }
    }

    /// Tells what changed of runs just seen and of those seen before. Returns the fault there is.
    pub async fn tell(
        &self,
        client: &Client,
        seen: &[Accession],
        now: Timestamp,
    ) -> Option<String> {
        let told = self.look(client, seen, now).await;
        let fault = told.err().map(|error| explained(&error));
        fault.or_else(|| self.memory.fault())
    }

    async fn look(
        &self,
        client: &Client,
        seen: &[Accession],
        now: Timestamp,
    ) -> Result<(), OnChangeError> {
        for run in seen {
            self.memory.note(*run)?;
        }
        let open = self.memory.open()?;
        if open.is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + BUDGET;
        let accessions: Vec<Accession> = open.keys().copied().collect();
        for some in accessions.chunks(PAGE_MOST as usize) {
            let names: Vec<String> = some.iter().map(ToString::to_string).collect();
            let query = RunQuery {
                accessions: Some(names.join(",")),
                limit: Some(PAGE_MOST),
                ..RunQuery::default()
            };
            let mut runs = client.runs(&query).await?.items;
            runs.sort_by_key(|run| run.swid);
            for run in &runs {
                let is_news = open.get(&run.swid).is_none_or(|told| *told < run.updated_at);
                if is_news && !self.tell_run(client, run, deadline).await? {
                    return Ok(());
                }
                match run.status.is_active() {
                    true if is_news => self.memory.told_until(run.swid, run.updated_at)?,
                    true => {}
                    false => self.memory.forget(run.swid)?,
                }
            }
            // What the service knows no more changes no more.
            let known = |swid: &Accession| runs.iter().any(|run| run.swid == *swid);
            for gone in some.iter().filter(|swid| !known(swid)) {
                self.memory.forget(*gone)?;
            }
        }
        self.memory.prune(now)
    }

    /// Tells the changes of a run that were not told yet; returns whether the time was enough.
    async fn tell_run(
        &self,
        client: &Client,
        run: &Run,
        deadline: Instant,
    ) -> Result<bool, OnChangeError> {
        let log = whole_log(client, run.swid).await?;
        for entry in news(&log) {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            if !self.memory.is_first(&run.tag, entry.sequence)? {
                continue;
            }
            match self.run_program(run, entry).await {
                Ok(()) => self.memory.went_well()?,
                Err(error) => {
                    let what = format!("run {}: {}", run.swid, explained(&error));
                    self.memory.went_wrong(&what)?;
                }
            }
        }
        Ok(true)
    }

    async fn run_program(&self, run: &Run, entry: &RunLogEntry) -> Result<(), TellError> {
        let text = format!("{}\n", event(run, entry));
        let Self { program, environment, .. } = self.clone();
        let telling = tokio::task::spawn_blocking(move || {
            told_program::tell(&program, text.as_bytes(), &environment, LIMIT)
        });
        telling.await.unwrap_or(Ok(()))
    }
}

/// Returns what the program reads: one line of JSON.
fn event(run: &Run, entry: &RunLogEntry) -> Value {
    let why = entry.detail.as_ref().map(|why| why.chars().take(WHY).collect::<String>());
    json!({
        "event": "status_changed",
        "id": entry.sequence,
        "workflow_run_swid": run.swid,
        "tag": run.tag,
        "from": entry.from,
        "to": entry.to,
        "at": entry.at.to_string(),
        "why": why,
        "workflow_name": run.workflow_name,
        "workflow_version": run.workflow_version,
        "workflow_swid": run.workflow,
        "host": run.host,
        "account": run.account,
        "directory": run.directory,
        "launched_on": run.launched_on,
        "note": run.note,
    })
}

/// Returns the entries that changed the status and are not too old.
fn news(log: &[RunLogEntry]) -> impl Iterator<Item = &RunLogEntry> {
    let is_change = |entry: &&RunLogEntry| entry.from.is_some() && entry.from != entry.to;
    let last = log.iter().filter(is_change).map(|entry| entry.at).max();
    let since = move |entry: &&RunLogEntry| {
        last.is_some_and(|last| last.micros_since(entry.at) <= NEWS_MICROS)
    };
    log.iter().filter(is_change).filter(since)
}

async fn whole_log(client: &Client, run: Accession) -> Result<Vec<RunLogEntry>, ClientError> {
    let mut query = StepQuery { limit: Some(PAGE_MOST), ..StepQuery::default() };
    let mut log = Vec::new();
    loop {
        let page = client.log_entries(run, &query).await?;
        log.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(log),
        }
    }
}

/// Writes an error and what it came from in one line.
fn explained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use niassa_model::run::RunStatus;

    use super::*;

    fn entry(sequence: i64, seconds: i64, from: Option<RunStatus>, to: RunStatus) -> RunLogEntry {
        RunLogEntry {
            sequence,
            run: "7".parse().unwrap(),
            at: Timestamp::from_micros(seconds * 1_000_000),
            event: "x".to_owned(),
            from,
            to: Some(to),
            account: "bob@lab.net".to_owned(),
            detail: None,
        }
    }

    #[test]
    fn changes_are_news_for_an_hour_and_the_rest_is_none() {
        let log = [
            entry(1, 0, None, RunStatus::Submitted),
            entry(2, 10, Some(RunStatus::Submitted), RunStatus::Pending),
            entry(3, 9_000, Some(RunStatus::Pending), RunStatus::Running),
            entry(4, 9_001, Some(RunStatus::Running), RunStatus::Running),
            entry(5, 9_002, Some(RunStatus::Running), RunStatus::Failed),
            entry(6, 99_000, Some(RunStatus::Failed), RunStatus::Failed),
        ];
        let told: Vec<i64> = news(&log).map(|entry| entry.sequence).collect();
        assert_eq!(told, [3, 5]);
        assert_eq!(news(&[]).count(), 0);
    }
}
