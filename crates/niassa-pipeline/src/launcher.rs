//! The launcher: claims runs that wait for this host and hands them to an engine.

use std::sync::Arc;

use niassa_api::claims::{ClaimRuns, ClaimWant, Claimed};
use niassa_api::client::{Client, ClientError};
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::limits::{CLAIM_BATCH, CLUSTER_BATCH};
use niassa_model::place::EngineKind;
use niassa_model::time::Clock;

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

/// A launcher of one account, on one machine, in one work directory.
pub struct Launcher {
    reconciler: Reconciler,
}

impl Launcher {
    /// Opens the work directory and the local engine's home in it.
    pub fn new(
        client: Client,
        settings: PipelineSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PipelineError> {
        Ok(Self { reconciler: Reconciler::new(client, settings, clock)? })
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

    /// Launches everything that waits for this launcher.
    ///
    /// What comes in meanwhile is the next tick's: a tick has an end.
    pub async fn launch_tick(
        &self,
        filter: &LaunchFilter,
        on: Listener<'_>,
    ) -> Result<LaunchReport, PipelineError> {
        let mut report = LaunchReport::default();
        let mut claimed = self.claim(filter).await?;
        report.waiting = claimed.waiting;
        on(WorkEvent::Waiting(claimed.waiting));
        let mut left = claimed.waiting;
        while !claimed.claims.is_empty() {
            left = left.saturating_sub(claimed.claims.len() as u64);
            self.gather(filter, &mut claimed, &mut left).await?;
            report.launched.extend(self.reconciler.reconcile(claimed, on).await?);
            if left == 0 {
                break;
            }
            claimed = self.claim(filter).await?;
        }
        Ok(report)
    }

    /// Claims more runs for a cluster: its queue is looked at once per wave, for however many runs.
    async fn gather(
        &self,
        filter: &LaunchFilter,
        claimed: &mut Claimed,
        left: &mut u64,
    ) -> Result<(), ClientError> {
        while *left > 0
            && claimed.claims.len() < CLUSTER_BATCH
            && claimed.claims.iter().all(|claim| self.reconciler.is_for_a_cluster(claim))
        {
            let more = self.claim(filter).await?.claims;
            if more.is_empty() {
                return Ok(());
            }
            *left = left.saturating_sub(more.len() as u64);
            claimed.claims.extend(more);
        }
        Ok(())
    }

    async fn claim(&self, filter: &LaunchFilter) -> Result<Claimed, ClientError> {
        let (host, accessions) = match filter {
            LaunchFilter::Host(host) => (Some(host.clone()), None),
            LaunchFilter::Accessions(accessions) => (None, Some(accessions.clone())),
        };
        let request = ClaimRuns {
            holder: self.reconciler.holder.clone(),
            want: ClaimWant::Launch,
            host,
            accessions,
            places: self.reconciler.places(),
            limit: CLAIM_BATCH,
        };
        self.reconciler.client.claim_runs(&request).await
    }
}
