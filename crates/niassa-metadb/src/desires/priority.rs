//! How urgent runs are, as their owner says.

use niassa_model::accession::Accession;

use super::{Wish, WishRefused, WishTaken};
use crate::error::Result;
use crate::pool::retrying;
use crate::run_state::RunState;
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
        let mut wish = Wish::begin(self, access, named, "change the priority of runs").await?;
        wish.decide(|run| prioritize(run, access, priority));
        wish.finish().await
    }
}

fn prioritize(
    run: &mut RunState,
    access: &Access,
    priority: i32,
) -> std::result::Result<(), WishRefused> {
    if !run.status.is_active() {
        return Err(WishRefused::Over(run.status));
    }
    if run.priority != priority {
        run.told(&format!("priority {priority} instead of {}", run.priority), &access.email);
        run.priority = priority;
    }
    Ok(())
}
