//! The launcher: claims runs that wait for this host and hands them to an engine.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use niassa_api::claims::{ClaimRuns, ClaimWant, Claimed};
use niassa_api::client::{Client, ClientError};
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::limits::{CLAIM_BATCH, CLUSTER_BATCH, FIRST_BATCH, WAITING_COUNTED};
use niassa_model::place::EngineKind;
use niassa_model::time::Clock;
use tokio::sync::Mutex as AsyncMutex;

use crate::agent::LogReader;
use crate::reconcile::{Listener, PipelineError, PipelineSettings, Reconciler, WorkEvent};

/// Which runs to launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchFilter {
    /// Runs of the account that were scheduled for this label.
    Host(HostLabel),
    /// Runs of the account with these accessions, whatever their label.
    Accessions(Vec<Accession>),
}

/// What a tick came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaunchReport {
    /// Runs that were waiting when it began.
    pub waiting: u64,
    /// Runs handed to the engine.
    pub launched: Vec<Accession>,
}

impl LaunchReport {
    /// Tells whether more runs may have waited than were counted, so that the next tick has work at once. A
    /// tick that launched nothing does not say so: what keeps its runs would keep the others too.
    pub fn is_one_of_several(&self) -> bool {
        self.waiting >= WAITING_COUNTED && !self.launched.is_empty()
    }

    /// Tells whether runs waited that were not launched: they were not offered yet, or cannot be launched now.
    pub fn has_left_some(&self) -> bool {
        self.waiting > self.launched.len() as u64
    }
}

/// Batches of claimed runs that are worked on at a time.
const BATCHES_AT_A_TIME: usize = 2;

/// How far a tick has come.
struct Tick {
    /// Runs that were waiting when it began.
    waiting: u64,
    /// Those of them that were not claimed yet.
    left: u64,
}

/// A launcher of one account, on one machine, in one work directory.
pub struct Launcher {
    reconciler: Reconciler,
    /// Works on a second batch at the same time, under a name of its own: to whoever holds a run, the
    /// service offers it again.
    beside: Reconciler,
}

impl Launcher {
    /// Opens the work directory and the local engine's home in it.
    pub fn new(
        client: Client,
        settings: PipelineSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PipelineError> {
        let reconciler = Reconciler::new(client, settings, clock)?;
        let beside = reconciler.beside();
        Ok(Self { reconciler, beside })
    }

    /// Returns the holder under which this launcher claims, for a run that is scheduled claimed.
    pub fn holder(&self) -> &str {
        &self.reconciler.holder
    }

    /// Says why runs on an engine cannot be launched from here, if they cannot.
    pub fn cannot_serve(&self, engine: EngineKind) -> Option<String> {
        match engine {
            EngineKind::Local => None,
            EngineKind::Slurm | EngineKind::Sge => self.reconciler.clusters.of_kind(engine).err(),
        }
    }

    /// Returns what reads the logs of runs at the places that are served from here.
    pub fn log_reader(&self) -> LogReader {
        LogReader::new(self.reconciler.work_dir(), self.reconciler.places())
    }

    /// Launches everything that waits for this launcher.
    ///
    /// What comes in meanwhile is the next tick's: a tick has an end. Batches overlap: while one is recorded
    /// or looked at, another is made ready or handed over.
    pub async fn launch_tick(
        &self,
        filter: &LaunchFilter,
        on: Listener<'_>,
    ) -> Result<LaunchReport, PipelineError> {
        let on = Mutex::new(on);
        let tick = AsyncMutex::new(None);
        // The first one claims first: a run may have been made under its name. Each is waited for, also
        // beside one that fails: what it has claimed is its own.
        let workers: [&Reconciler; BATCHES_AT_A_TIME] = [&self.reconciler, &self.beside];
        let worked = join_all(workers.map(|own| launch_batches(own, filter, &tick, &on))).await;
        let mut report = LaunchReport::default();
        for launched in worked {
            report.launched.extend(launched?);
        }
        report.launched.sort_unstable();
        report.waiting = tick.into_inner().map_or(0, |tick: Tick| tick.waiting);
        self.reconciler.tell_scheduler_use().await;
        Ok(report)
    }
}

async fn launch_batches(
    own: &Reconciler,
    filter: &LaunchFilter,
    tick: &AsyncMutex<Option<Tick>>,
    on: &Mutex<Listener<'_>>,
) -> Result<Vec<Accession>, PipelineError> {
    let tell = |event| on.lock().unwrap_or_else(PoisonError::into_inner)(event);
    let mut launched = Vec::new();
    loop {
        let mut tick = tick.lock().await;
        let is_first = tick.is_none();
        let batch = next_batch(own, filter, &mut tick, &mut |event| tell(event)).await?;
        // Files of the next batch would be in the way of the first one's, which nothing is done beside.
        let mut until_made = is_first.then_some(tick);
        if batch.claims.is_empty() {
            return Ok(launched);
        }
        let mut tell_or_go_on = |event| match event {
            WorkEvent::Made => drop(until_made.take()),
            event => tell(event),
        };
        launched.extend(own.reconcile(batch, &mut tell_or_go_on).await?);
    }
}

/// Claims a batch; an empty one ends the tick.
async fn next_batch(
    own: &Reconciler,
    filter: &LaunchFilter,
    tick: &mut Option<Tick>,
    on: Listener<'_>,
) -> Result<Claimed, ClientError> {
    let Some(tick) = tick else {
        let claimed = claim(own, filter, FIRST_BATCH).await?;
        on(WorkEvent::Waiting(claimed.waiting));
        let left = left_of(claimed.waiting, &claimed);
        *tick = Some(Tick { waiting: claimed.waiting, left });
        return Ok(claimed);
    };
    if tick.left == 0 {
        return Ok(Claimed { waiting: 0, lease_seconds: 0, claims: Vec::new() });
    }
    let mut claimed = claim(own, filter, at_most(tick.left)).await?;
    tick.left = left_of(tick.left, &claimed);
    gather(own, filter, &mut claimed, tick).await?;
    Ok(claimed)
}

/// Claims more runs for a cluster: its queue is looked at once per wave, for however many runs.
async fn gather(
    own: &Reconciler,
    filter: &LaunchFilter,
    claimed: &mut Claimed,
    tick: &mut Tick,
) -> Result<(), ClientError> {
    let each = usize::try_from(tick.waiting).unwrap_or(usize::MAX) / BATCHES_AT_A_TIME;
    while tick.left > 0
        && claimed.claims.len() < each.min(CLUSTER_BATCH)
        && claimed.claims.iter().all(|claim| own.is_for_a_cluster(claim))
    {
        let more = claim(own, filter, at_most(tick.left)).await?;
        tick.left = left_of(tick.left, &more);
        claimed.claims.extend(more.claims);
    }
    Ok(())
}

async fn claim(
    own: &Reconciler,
    filter: &LaunchFilter,
    limit: u32,
) -> Result<Claimed, ClientError> {
    let (host, accessions) = match filter {
        LaunchFilter::Host(host) => (Some(host.clone()), None),
        LaunchFilter::Accessions(accessions) => (None, Some(accessions.clone())),
    };
    let request = ClaimRuns {
        holder: own.holder.clone(),
        want: ClaimWant::Launch,
        host,
        accessions,
        places: own.places(),
        limit,
    };
    own.client.claim_runs(&request).await
}

/// Returns how many of the runs of a tick are not claimed yet. Where nothing was offered, nothing more will be.
fn left_of(left: u64, claimed: &Claimed) -> u64 {
    match claimed.claims.len() {
        0 => 0,
        count => left.saturating_sub(count as u64),
    }
}

/// How many runs are claimed at once: what came in after the tick began is the next one's.
fn at_most(left: u64) -> u32 {
    CLAIM_BATCH.min(u32::try_from(left).unwrap_or(CLAIM_BATCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_began_with_all_that_are_counted_is_followed_by_another() {
        let run = Accession::try_from(7).unwrap();
        let report = |waiting: u64, launched: &[Accession]| {
            LaunchReport { waiting, launched: launched.to_vec() }.is_one_of_several()
        };
        assert!(report(WAITING_COUNTED, &[run]));
        assert!(report(WAITING_COUNTED + 3, &[run]), "of several accounts");
        assert!(!report(WAITING_COUNTED - 1, &[run]));
        assert!(!report(WAITING_COUNTED, &[]), "none of them could be launched");
    }

    #[test]
    fn what_was_not_launched_is_left() {
        let run = Accession::try_from(7).unwrap();
        let report = |waiting: u64| LaunchReport { waiting, launched: vec![run] }.has_left_some();
        assert!(!report(0) && !report(1) && report(2));
    }
}
