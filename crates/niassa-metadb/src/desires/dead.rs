//! The end of runs whose place is gone for good, on the word of a person.
//!
//! Nobody can look any more whether something of such a run goes on. What never started counts as
//! cancelled, what ran as lost, and whoever still holds the run is stale from here on.

use niassa_model::accession::Accession;
use niassa_model::run::{RunEvent, RunStatus};
use niassa_model::time::Timestamp;

use super::{Wish, WishRefused, WishTaken};
use crate::error::{During, Result};
use crate::pool::{Writing, retrying};
use crate::run_state::RunState;
use crate::{Access, MetaDb, bulk};

sql! {
    /// Ends the steps of runs that are not final. `$1`: runs.
    END_STEPS = "update step set \
            reason = case status when 'running' then 'lost' else 'cancelled_by' end, \
            status = case status when 'running' then 'lost' else 'cancelled' end \
        where run in (select cast(value ->> 0 as bigint) from json_each($1)) \
            and status in ('pending', 'running')";
    /// Ends their attempts. `$1`: runs; `$2`: who said what.
    END_ATTEMPTS = "update attempt set \
            reason = case status when 'running' then 'lost' else 'cancelled_by' end, \
            status = case status when 'running' then 'lost' else 'cancelled' end, \
            message = coalesce(message, $2) \
        where run in (select cast(value ->> 0 as bigint) from json_each($1)) \
            and status in ('pending', 'running')";
}

impl MetaDb {
    /// Ends runs whose place is gone for good, without a launcher. Answers in the order asked.
    pub async fn end_dead_runs(
        &self,
        access: &Access,
        runs: &[Accession],
    ) -> Result<Vec<WishTaken>> {
        retrying(|| self.end_dead_once(access, runs)).await
    }

    async fn end_dead_once(&self, access: &Access, named: &[Accession]) -> Result<Vec<WishTaken>> {
        const OPERATION: &str = "end runs whose place is gone";
        let mut wish = Wish::begin(self, access, named, OPERATION).await?;
        let now = wish.now;
        wish.decide(|run| end(run, access, now));
        wish.answer_retries().await?;
        let ended = wish.swids();
        let who = format!("{} said that its place is gone for good", access.email);
        end_steps(&mut wish.transaction, &ended, &who, OPERATION).await?;
        wish.finish_audited("run_it_is_dead", ended).await
    }
}

async fn end_steps(
    transaction: &mut Writing,
    runs: &[Accession],
    who: &str,
    operation: &'static str,
) -> Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    let runs = bulk::numbers(runs.iter().copied());
    let done = sqlx::query(END_STEPS).bind(&runs).execute(&mut **transaction).await;
    done.during(operation)?;
    let done = sqlx::query(END_ATTEMPTS).bind(&runs).bind(who).execute(&mut **transaction).await;
    done.during(operation).map(drop)
}

fn end(run: &mut RunState, access: &Access, now: i64) -> std::result::Result<(), WishRefused> {
    if !run.status.is_active() {
        return Err(WishRefused::Over(run.status));
    }
    let Some(place) = &run.place else { return Err(WishRefused::NoPlace) };
    let evidence =
        format!("{} said that its place on {} is gone for good", access.email, place.launched_on);
    if run.cancel_requested.is_none() {
        run.cancel_requested = Some((Timestamp::from_micros(now), access.email.clone()));
    }
    if run.status != RunStatus::SubmittedCancel {
        run.happened(RunEvent::CancelRequested, &access.email, None);
    }
    run.happened(RunEvent::Cancelled, &access.email, Some(evidence));
    run.steps.cancelled += std::mem::take(&mut run.steps.pending);
    run.steps.lost += std::mem::take(&mut run.steps.running);
    run.claim.epoch += 1;
    run.claim.until = 0;
    run.needs_action = false;
    run.note = None;
    Ok(())
}

#[cfg(test)]
mod tests;
