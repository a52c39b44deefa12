//! Takes the wish that runs are tried again.

use niassa_api::error::ProblemCode;
use niassa_api::runs::{RetryRuns, RunResults};
use niassa_metadb::Access;

use super::cancel::results;
use super::claim::check_number;
use crate::app::App;
use crate::error::Failed;

/// Most bytes of a request's id.
const ID_BYTES: usize = 64;

/// Asks for runs to be tried again.
pub(crate) async fn retry(
    app: &App,
    access: &Access,
    request: RetryRuns,
) -> Result<RunResults, Failed> {
    check_number(request.accessions.len())?;
    check_id(&request.id)?;
    Ok(results(app.metadb.retry_runs(access, &request.id, &request.accessions).await?))
}

/// The id becomes part of the cause of attempts, in files and in the MetaDB.
fn check_id(id: &str) -> Result<(), Failed> {
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if id.is_empty() || id.len() > ID_BYTES || !is_plain {
        let detail = format!("the id of a retry request has 1 to {ID_BYTES} of A-Z a-z 0-9 -");
        return Err(Failed::new(ProblemCode::Invalid, detail));
    }
    Ok(())
}
