//! Whether a run may be created already claimed, and so launched at once.
//!
//! It is subject to the holds and limits that keep other runs waiting. It cannot wait as they do, for
//! somebody looks on: it is refused, before it is made.

use niassa_api::error::ProblemCode;
use niassa_api::runs::ScheduleRun;
use niassa_metadb::Access;
use niassa_metadb::idempotency::OnceKey;

use super::look::answer::limit_words;
use crate::app::App;
use crate::error::Failed;

/// Refuses a run that would be launched at once where its label is held, or a limit has no room.
pub(super) async fn check_may_launch(
    app: &App,
    access: &Access,
    request: &ScheduleRun,
    once: Option<&OnceKey>,
) -> Result<(), Failed> {
    if request.claim_for.is_none() {
        return Ok(());
    }
    let why = match app.metadb.hold_of_host(&request.host).await? {
        Some(reason) => format!("host {} is held and launches nothing new: {reason}", request.host),
        None => match no_room(app, access, request).await? {
            Some(limit) => format!("nothing more is launched now: {limit}"),
            None => return Ok(()),
        },
    };
    // Who asks once more, for the answer was lost, has a run already, and perhaps the last room.
    if let Some(once) = once
        && app.metadb.is_answered(access, once).await?
    {
        return Ok(());
    }
    let workflow = request.workflow;
    Err(Failed::new(ProblemCode::Conflict, why)
        .hint(format!("seqware workflow schedule --accession {workflow}: that run waits")))
}

async fn no_room(
    app: &App,
    access: &Access,
    request: &ScheduleRun,
) -> Result<Option<String>, Failed> {
    let full = app.metadb.full_limit_for(access, request.workflow, &request.host).await?;
    let Some(full) = full else { return Ok(None) };
    let workflow = app.workflows.find(&app.metadb, request.workflow).await?;
    let named = format!("{} {}", workflow.manifest.name, workflow.manifest.version);
    Ok(Some(limit_words(full, &named, &access.email, &request.host)))
}
