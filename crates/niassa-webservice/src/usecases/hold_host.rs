//! Holds labels, so that they give out no new launches, and releases them.

use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_model::host::HostLabel;

use super::findings::Findings;
use crate::app::App;
use crate::error::Failed;

/// Holds a label.
pub(crate) async fn hold(
    app: &App,
    access: &Access,
    host: &HostLabel,
    reason: &str,
) -> Result<(), Failed> {
    let mut findings = Findings::default();
    findings.line("the reason", reason);
    findings.settle()?;
    Ok(app.metadb.hold_host(access, host, reason).await?)
}

/// Releases a label.
pub(crate) async fn release(app: &App, access: &Access, host: &HostLabel) -> Result<(), Failed> {
    if app.metadb.release_host(access, host).await? {
        return Ok(());
    }
    Err(Failed::not_found(format_args!("hold of host {host}")))
}

/// Refuses a run that is created already claimed where its label gives out nothing.
pub(super) async fn check_not_held(app: &App, host: &HostLabel) -> Result<(), Failed> {
    match app.metadb.hold_of_host(host).await? {
        Some(reason) => {
            let detail = format!("host {host} is held and launches nothing new: {reason}");
            Err(Failed::new(ProblemCode::Conflict, detail))
        }
        None => Ok(()),
    }
}
