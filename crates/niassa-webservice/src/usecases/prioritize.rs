//! Takes how urgent runs are.

use niassa_api::error::ProblemCode;
use niassa_api::runs::{PrioritizeRuns, RunResults};
use niassa_metadb::Access;

use super::cancel::results;
use super::claim::check_number;
use crate::app::App;
use crate::error::Failed;

/// The priorities that there are.
const PRIORITIES: std::ops::RangeInclusive<i32> = -1_000..=1_000;

/// Says how urgent runs are.
pub(crate) async fn prioritize(
    app: &App,
    access: &Access,
    request: PrioritizeRuns,
) -> Result<RunResults, Failed> {
    check_number(request.accessions.len())?;
    check_priority(request.priority)?;
    let taken = app.metadb.prioritize_runs(access, &request.accessions, request.priority).await?;
    Ok(results(taken))
}

/// Refuses a priority that there is not.
pub(super) fn check_priority(priority: i32) -> Result<(), Failed> {
    if PRIORITIES.contains(&priority) {
        return Ok(());
    }
    let detail = format!("priority {priority}: it is -1,000 to 1,000");
    Err(Failed::new(ProblemCode::Invalid, detail))
}
