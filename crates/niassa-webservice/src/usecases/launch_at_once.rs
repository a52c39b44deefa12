//! Whether a run may be created already claimed, and so launched at once.
//!
//! It is subject to the holds and limits that keep other runs waiting. It cannot wait as they do, for
//! somebody looks on: it is refused. Limits are looked at in the transaction that makes the run, holds
//! before it: a hold that is set at the same moment may come a moment too late.

use niassa_api::error::ProblemCode;
use niassa_api::runs::ScheduleRun;
use niassa_metadb::Access;
use niassa_metadb::idempotency::OnceKey;
use niassa_metadb::limits::FullLimit;
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;

use super::look::answer::limit_words;
use crate::app::App;
use crate::error::Failed;

/// Refuses a run that would be launched at once where its label is held.
pub(super) async fn check_not_held(
    app: &App,
    access: &Access,
    request: &ScheduleRun,
    once: Option<&OnceKey>,
) -> Result<(), Failed> {
    if request.claim_for.is_none() {
        return Ok(());
    }
    let Some(reason) = app.metadb.hold_of_host(&request.host).await? else { return Ok(()) };
    // Who asks once more, for the answer was lost, has a run already.
    if let Some(once) = once
        && app.metadb.is_answered(access, once).await?
    {
        return Ok(());
    }
    let why = format!("host {} is held and launches nothing new: {reason}", request.host);
    Err(refused(request.workflow, why))
}

/// Says which limit has no room for a run that would be launched at once.
pub(super) async fn no_room(
    app: &App,
    access: &Access,
    workflow: Accession,
    host: &HostLabel,
    limit: FullLimit,
) -> Result<Failed, Failed> {
    let known = app.workflows.find(&app.metadb, workflow).await?;
    let named = format!("{} {}", known.manifest.name, known.manifest.version);
    let limit = limit_words(limit, &named, &access.email, host);
    Ok(refused(workflow, format!("nothing more is launched now: {limit}")))
}

fn refused(workflow: Accession, why: String) -> Failed {
    Failed::new(ProblemCode::Conflict, why)
        .hint(format!("seqware workflow schedule --accession {workflow}: that run waits"))
}
