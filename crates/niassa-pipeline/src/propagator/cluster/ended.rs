//! Steps that ended just now: told from their files at once, without a word of the scheduler.

use std::collections::BTreeSet;
use std::time::Instant;

use niassa_model::accession::Accession;

use super::{ClusterWatch, OVER_LATELY};
use crate::propagator::{ActiveRun, PropagateReport, Propagator};
use crate::reconcile::{PipelineError, blocking};
use crate::run_dir::RunDir;

impl Propagator {
    /// Tells what the files say of runs in which a step has just ended. What else is to be done waits for the
    /// next look.
    pub(in crate::propagator) async fn tell_ended(
        &mut self,
        report: &mut PropagateReport,
    ) -> Result<(), PipelineError> {
        let ended = self.marks.take();
        if ended.is_empty() {
            return Ok(());
        }
        let mut watches = std::mem::take(&mut self.clusters);
        let mut result = Ok(());
        for watch in &mut watches {
            result = self.tell_ended_of(watch, &ended, report).await;
            if result.is_err() {
                break;
            }
        }
        self.clusters = watches;
        result
    }

    async fn tell_ended_of(
        &mut self,
        watch: &mut ClusterWatch,
        ended: &BTreeSet<String>,
        report: &mut PropagateReport,
    ) -> Result<(), PipelineError> {
        let is_ended =
            |swid: Accession, run: &ActiveRun| ended.contains(&RunDir::name(swid, &run.tag));
        let active = watch.active.iter().filter(|(swid, run)| is_ended(**swid, run));
        let runs: Vec<(Accession, ActiveRun)> =
            active.map(|(swid, run)| (*swid, run.clone())).collect();
        if runs.is_empty() {
            return Ok(());
        }
        let looking = self.looking(watch, None);
        let (runs, found) = blocking(move || {
            let found = looking.look(&runs);
            (runs, found)
        })
        .await?;
        self.tell(watch, found.facts, report).await?;
        let over = runs.into_iter().map(|(swid, _)| swid);
        let over = over.filter(|swid| !watch.active.contains_key(swid));
        watch.over_lately.retain(|_, at| at.elapsed() < OVER_LATELY);
        watch.over_lately.extend(over.map(|swid| (swid, Instant::now())));
        Ok(())
    }
}
