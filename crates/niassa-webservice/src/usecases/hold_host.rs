//! Holds labels, so that they give out no new launches, and releases them.

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
