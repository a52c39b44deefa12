//! Makes a new run with the sources of an old one, perhaps for another host or engine.

use niassa_api::error::ProblemCode;
use niassa_api::runs::{RescheduleRun, ScheduleRun, ScheduledRun};
use niassa_metadb::Access;
use niassa_metadb::idempotency::OnceKey;
use niassa_model::accession::Accession;

use super::schedule::{AskedValues, schedule_from};
use crate::app::App;
use crate::error::Failed;

/// Accepts a run that asks for what another one asked for. Its values are resolved anew: what was
/// generated for the old run is not taken over, so that outputs do not collide.
pub(crate) async fn reschedule(
    app: &App,
    access: &Access,
    old: Accession,
    request: RescheduleRun,
    once: Option<OnceKey>,
) -> Result<ScheduledRun, Failed> {
    let asked = app.metadb.asked_of_run(access, old).await?;
    let asked = asked.ok_or_else(|| Failed::not_found(format_args!("run {old}")))?;
    let Some(sources) = &asked.sources else {
        let detail = format!("run {old} happened elsewhere and cannot be scheduled again");
        return Err(Failed::new(ProblemCode::Conflict, detail));
    };
    let values: AskedValues =
        serde_json::from_str(sources).map_err(|error| Failed::internal(&error))?;
    let options = serde_json::from_str(&asked.options).map_err(|error| Failed::internal(&error))?;
    let request = ScheduleRun {
        workflow: asked.workflow,
        parents: asked.parents,
        input_files: asked.input_files,
        link_to: asked.links,
        host: request.host.unwrap_or(asked.host),
        engine: request.engine.or(asked.engine),
        options,
        priority: asked.priority,
        sources: values.sources,
        overrides: values.overrides,
        claim_for: None,
    };
    schedule_from(app, access, request, Some(old), once).await
}
