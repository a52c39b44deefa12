//! Gives marks to runs, and takes marks away.

use niassa_api::error::ProblemCode;
use niassa_api::runs::{MarkRuns, RunResults};
use niassa_metadb::Access;
use niassa_metadb::runs::MarkChange;
use niassa_model::run::Mark;

use super::cancel::results;
use super::claim::check_number;
use crate::app::App;
use crate::error::Failed;

/// Changes the marks of runs.
pub(crate) async fn mark(
    app: &App,
    access: &Access,
    request: MarkRuns,
) -> Result<RunResults, Failed> {
    check_number(request.accessions.len())?;
    let change = MarkChange {
        add: request.add.into_iter().collect(),
        remove: request.remove.into_iter().collect(),
    };
    if change.add.is_empty() && change.remove.is_empty() {
        return Err(Failed::new(ProblemCode::Invalid, "no mark is named"));
    }
    if change.add.len().max(change.remove.len()) > Mark::OF_A_RUN {
        let detail = format!("a call names at most {} marks", Mark::OF_A_RUN);
        return Err(Failed::new(ProblemCode::Invalid, detail));
    }
    Ok(results(app.metadb.mark_runs(access, &request.accessions, &change).await?))
}
