//! A wish about many runs while it is taken: what its sender sees of them is loaded, each run's own status
//! decides, and what changed is stored in the same transaction.
//!
//! What the wish means for a run is said by whoever takes it; who may wish anything is said here.

use niassa_model::accession::Accession;

use super::{WishRefused, WishTaken, answer_all};
use crate::audit::{self, Deed};
use crate::error::Result;
use crate::pool::{Writing, commit, now_in};
use crate::run_state::{self, Loading, Rights, RunState};
use crate::{Access, MetaDb};

/// A wish about runs. Dropped unfinished, it changes nothing.
pub(crate) struct Wish<'caller> {
    metadb: &'caller MetaDb,
    access: &'caller Access,
    named: &'caller [Accession],
    operation: &'static str,
    refused: Vec<WishTaken>,
    pub(crate) transaction: Writing,
    pub(crate) now: i64,
    /// All that the caller sees of the named runs, and once [`decided`](Self::decide) those of them
    /// for which the wish is taken.
    pub(crate) runs: Vec<RunState>,
}

impl<'caller> Wish<'caller> {
    /// Begins to take a wish about the named runs.
    pub(crate) async fn begin(
        metadb: &'caller MetaDb,
        access: &'caller Access,
        named: &'caller [Accession],
        operation: &'static str,
    ) -> Result<Self> {
        let mut transaction = metadb.begin(operation).await?;
        let now = now_in(&mut transaction, operation).await?;
        let (dialect, swids) = (metadb.dialect(), named.to_vec());
        let loading = Loading::Visible;
        let runs =
            run_state::load(&mut transaction, dialect, access, loading, swids, operation).await?;
        let refused = Vec::new();
        Ok(Self { metadb, access, named, operation, refused, transaction, now, runs })
    }

    /// Takes the wish for each run, or keeps why not; what is shared for reading is never changed.
    pub(crate) fn decide(
        &mut self,
        mut take: impl FnMut(&mut RunState) -> std::result::Result<(), WishRefused>,
    ) {
        let refused = &mut self.refused;
        self.runs.retain_mut(|run| {
            let taken =
                if run.rights == Rights::Read { Err(WishRefused::NotYours) } else { take(run) };
            let Err(why) = taken else { return true };
            refused.push(WishTaken {
                swid: run.swid,
                status: Some(run.status),
                refused: Some(why),
            });
            false
        });
    }

    /// Returns the runs for which the wish is taken.
    pub(crate) fn swids(&self) -> Vec<Accession> {
        self.runs.iter().map(|run| run.swid).collect()
    }

    /// Marks every open retry request of the runs as answered.
    pub(crate) async fn answer_retries(&mut self) -> Result<()> {
        let swids = self.runs.iter().map(|run| run.swid);
        answer_all(&mut self.transaction, self.now, swids, self.operation).await?;
        for run in &mut self.runs {
            run.unanswered = 0;
        }
        Ok(())
    }

    /// Stores the runs, and answers in the order asked.
    pub(crate) async fn finish(mut self) -> Result<Vec<WishTaken>> {
        self.store().await?;
        commit(self.transaction, self.operation).await?;
        Ok(answers(self.named, &self.runs, &self.refused))
    }

    /// The same, and tells the audit log what was done to which runs, where it was done to any.
    pub(crate) async fn finish_audited(
        mut self,
        action: &'static str,
        runs: Vec<Accession>,
    ) -> Result<Vec<WishTaken>> {
        self.store().await?;
        if !runs.is_empty() {
            let deed = Deed { action, subject: audit::runs(runs.into_iter()), detail: None };
            let (dialect, transaction) = (self.metadb.dialect(), &mut self.transaction);
            audit::tell(transaction, dialect, self.now, self.access, deed, self.operation).await?;
        }
        commit(self.transaction, self.operation).await?;
        Ok(answers(self.named, &self.runs, &self.refused))
    }

    async fn store(&mut self) -> Result<()> {
        let (dialect, transaction) = (self.metadb.dialect(), &mut self.transaction);
        run_state::store(transaction, dialect, self.now, &self.runs, self.operation).await
    }
}

fn answers(named: &[Accession], runs: &[RunState], refused: &[WishTaken]) -> Vec<WishTaken> {
    let answer = |swid: &Accession| {
        let done = runs.iter().find(|run| run.swid == *swid);
        let done =
            done.map(|run| WishTaken { swid: run.swid, status: Some(run.status), refused: None });
        let refused = || refused.iter().find(|answer| answer.swid == *swid).cloned();
        done.or_else(refused).unwrap_or(WishTaken {
            swid: *swid,
            status: None,
            refused: Some(WishRefused::NoSuchRun),
        })
    };
    named.iter().map(answer).collect()
}
