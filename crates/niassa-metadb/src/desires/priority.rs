//! How urgent runs are, as their owner says.

use niassa_model::accession::Accession;

use super::{Refused, WishRefused, WishTaken};
use crate::error::Result;
use crate::pool::{commit, now_in, retrying};
use crate::run_state::{self, Loading, Rights, RunState};
use crate::{Access, MetaDb};

impl MetaDb {
    /// Says how urgent runs are. Answers in the order asked.
    pub async fn prioritize_runs(
        &self,
        access: &Access,
        runs: &[Accession],
        priority: i32,
    ) -> Result<Vec<WishTaken>> {
        retrying(|| self.prioritize_once(access, runs, priority)).await
    }

    async fn prioritize_once(
        &self,
        access: &Access,
        named: &[Accession],
        priority: i32,
    ) -> Result<Vec<WishTaken>> {
        const OPERATION: &str = "change the priority of runs";
        let dialect = self.dialect();
        let mut transaction = self.begin(OPERATION).await?;
        let now = now_in(&mut transaction, OPERATION).await?;
        let swids = named.to_vec();
        let mut runs =
            run_state::load(&mut transaction, dialect, access, Loading::Visible, swids, OPERATION)
                .await?;
        let mut refused = Refused::default();
        runs.retain_mut(|run| {
            let taken = prioritize(run, access, priority);
            refused.keep(run, taken)
        });
        run_state::store(&mut transaction, dialect, now, &runs, OPERATION).await?;
        commit(transaction, OPERATION).await?;
        Ok(refused.answers(named, &runs))
    }
}

fn prioritize(
    run: &mut RunState,
    access: &Access,
    priority: i32,
) -> std::result::Result<(), WishRefused> {
    if run.rights == Rights::Read {
        return Err(WishRefused::NotYours);
    }
    if !run.status.is_active() {
        return Err(WishRefused::Over(run.status));
    }
    if run.priority != priority {
        run.told(&format!("priority {priority} instead of {}", run.priority), &access.email);
        run.priority = priority;
    }
    Ok(())
}
