//! Takes the wish that runs stop, and the word that nothing of them is left to be stopped.

use niassa_api::runs::{CancelRuns, EndDeadRuns, RunResult, RunResults};
use niassa_metadb::Access;
use niassa_metadb::desires::WishTaken;

use super::claim::check_number;
use crate::app::App;
use crate::error::Failed;

/// Asks for runs to be cancelled.
pub(crate) async fn cancel(
    app: &App,
    access: &Access,
    request: CancelRuns,
) -> Result<RunResults, Failed> {
    check_number(request.accessions.len())?;
    Ok(results(app.metadb.cancel_runs(access, &request.accessions).await?))
}

/// Ends runs whose place is gone for good.
pub(crate) async fn end_dead(
    app: &App,
    access: &Access,
    request: EndDeadRuns,
) -> Result<RunResults, Failed> {
    check_number(request.accessions.len())?;
    Ok(results(app.metadb.end_dead_runs(access, &request.accessions).await?))
}

/// Tells what became of a wish, run by run.
pub(super) fn results(taken: Vec<WishTaken>) -> RunResults {
    let result = |taken: WishTaken| RunResult {
        swid: taken.swid,
        status: taken.status,
        refused: taken.refused.map(|why| why.to_string()),
    };
    RunResults { results: taken.into_iter().map(result).collect() }
}
