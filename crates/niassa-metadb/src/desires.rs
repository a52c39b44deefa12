//! What people want of runs: that they stop, or are tried again. Stored apart from what happened.

pub(crate) mod dead;
mod priority;
mod wish;

use niassa_model::accession::Accession;
use niassa_model::run::{Mark, RunEvent, RunStatus};
use niassa_model::time::Timestamp;

pub(crate) use self::wish::Wish;
use crate::claims::{confirm_cancel, is_abandoned_cancel};
use crate::error::{During, Result};
use crate::pool::{Writing, retrying};
use crate::run_state::{RunState, assess};
use crate::{Access, MetaDb, bulk};

/// What became of a wish about one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishTaken {
    /// The run.
    pub swid: Accession,
    /// Its status now; absent where the caller may not see it.
    pub status: Option<RunStatus>,
    /// Why nothing was done; absent when it was.
    pub refused: Option<WishRefused>,
}

/// Why a wish was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WishRefused {
    /// There is none, or the caller may not see it.
    #[error("there is no such run")]
    NoSuchRun,
    /// It is shared for reading only.
    #[error("the run belongs to somebody else")]
    NotYours,
    /// It has ended already.
    #[error("the run is {0} already")]
    Over(RunStatus),
    /// Only a run that failed or was cancelled is tried again.
    #[error("the run is {0}; only one that failed or was cancelled can be tried again")]
    NotOver(RunStatus),
    /// Nothing of it was ever anywhere that could be gone.
    #[error("the run has no place yet; cancel it without --it-is-dead")]
    NoPlace,
    /// It has as many marks as there may be.
    #[error("the run would have more than {most} marks", most = Mark::OF_A_RUN)]
    TooManyMarks,
}

sql! {
    /// Asks for runs to be tried again; the same request counts once. `$1`: id; `$2`: time;
    /// `$3`: account; `$4`: runs.
    REQUEST_RETRY = "insert into retry_request (run, id, requested_at, requested_by) \
        select cast(value ->> 0 as bigint), $1, $2, $3 from json_each($4) where true \
        on conflict (run, id) do nothing";
    /// Which of these runs know a request. `$1`: id; `$2`: runs.
    KNOWN_RETRY = "select run from retry_request where id = $1 \
        and run in (select cast(value ->> 0 as bigint) from json_each($2))";
    /// Answers every open request of runs. `$1`: time; `$2`: runs.
    ANSWER_ALL = "update retry_request set answered_at = $1 where answered_at is null \
        and run in (select cast(value ->> 0 as bigint) from json_each($2))";
}

impl MetaDb {
    /// Asks for runs to be cancelled. Answers in the order asked; asking again changes nothing.
    pub async fn cancel_runs(&self, access: &Access, runs: &[Accession]) -> Result<Vec<WishTaken>> {
        retrying(|| self.cancel_once(access, runs)).await
    }

    async fn cancel_once(&self, access: &Access, named: &[Accession]) -> Result<Vec<WishTaken>> {
        const OPERATION: &str = "cancel runs";
        let mut wish = Wish::begin(self, access, named, OPERATION).await?;
        let now = wish.now;
        wish.decide(|run| cancel(run, access, now));
        wish.answer_retries().await?;
        assess(&mut wish.transaction, &mut wish.runs, &access.email, OPERATION).await?;
        let done = wish.swids();
        wish.finish_audited("run_cancel", done).await
    }

    /// Asks for runs to be tried again. `id` is drawn by who asks: the same id is the same request.
    pub async fn retry_runs(
        &self,
        access: &Access,
        id: &str,
        runs: &[Accession],
    ) -> Result<Vec<WishTaken>> {
        retrying(|| self.retry_once(access, id, runs)).await
    }

    async fn retry_once(
        &self,
        access: &Access,
        id: &str,
        named: &[Accession],
    ) -> Result<Vec<WishTaken>> {
        const OPERATION: &str = "retry runs";
        let mut wish = Wish::begin(self, access, named, OPERATION).await?;
        let known = known_retries(&mut wish.transaction, id, named, OPERATION).await?;
        wish.decide(|run| if known.contains(&run.swid) { Ok(()) } else { retry(run, access) });
        let mut new = wish.swids();
        new.retain(|swid| !known.contains(swid));
        sqlx::query(REQUEST_RETRY)
            .bind(id)
            .bind(wish.now)
            .bind(&access.email)
            .bind(bulk::numbers(new.iter().copied()))
            .execute(&mut *wish.transaction)
            .await
            .during(OPERATION)?;
        wish.finish_audited("run_retry", new).await
    }
}

/// Marks every open retry request of runs as answered.
pub(crate) async fn answer_all(
    transaction: &mut Writing,
    now: i64,
    runs: impl Iterator<Item = Accession>,
    operation: &'static str,
) -> Result<()> {
    let done = sqlx::query(ANSWER_ALL)
        .bind(now)
        .bind(bulk::numbers(runs))
        .execute(&mut **transaction)
        .await;
    done.during(operation).map(drop)
}

async fn known_retries(
    transaction: &mut Writing,
    id: &str,
    runs: &[Accession],
    operation: &'static str,
) -> Result<Vec<Accession>> {
    let rows = sqlx::query(KNOWN_RETRY)
        .bind(id)
        .bind(bulk::numbers(runs.iter().copied()))
        .fetch_all(&mut **transaction)
        .await
        .during(operation)?;
    rows.iter().map(|row| crate::events::accession(row, "run", operation)).collect()
}

/// A cancel takes the place of a retry that no launcher has answered.
fn cancel(run: &mut RunState, access: &Access, now: i64) -> std::result::Result<(), WishRefused> {
    if !run.status.is_active() {
        return Err(WishRefused::Over(run.status));
    }
    if run.status == RunStatus::SubmittedCancel {
        return Ok(());
    }
    run.cancel_requested = Some((Timestamp::from_micros(now), access.email.clone()));
    run.happened(RunEvent::CancelRequested, &access.email, None);
    if is_abandoned_cancel(run, now) {
        confirm_cancel(run, &access.email);
    }
    Ok(())
}

fn retry(run: &mut RunState, access: &Access) -> std::result::Result<(), WishRefused> {
    match run.status {
        RunStatus::Failed | RunStatus::Cancelled => {}
        RunStatus::Completed => return Err(WishRefused::Over(run.status)),
        RunStatus::Submitted
        | RunStatus::Pending
        | RunStatus::Running
        | RunStatus::SubmittedCancel
        | RunStatus::SubmittedRetry => return Err(WishRefused::NotOver(run.status)),
    }
    run.cancel_requested = None;
    run.failure = None;
    run.note = None;
    run.needs_action = true;
    run.happened(RunEvent::RetryRequested, &access.email, None);
    Ok(())
}
