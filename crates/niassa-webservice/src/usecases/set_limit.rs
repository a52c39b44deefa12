//! Sets how many runs may run at a time, or that any number may.

use niassa_api::limits::{LimitOn, SetLimit};
use niassa_metadb::{Access, limits};

use crate::app::App;
use crate::error::Failed;

/// Sets or removes a limit.
pub(crate) async fn set_limit(app: &App, access: &Access, request: SetLimit) -> Result<(), Failed> {
    let what = match &request.on {
        LimitOn::Workflow(swid) => format!("workflow {swid}"),
        LimitOn::Account(email) => format!("account {email}"),
        LimitOn::Host(label) => format!("host {label}"),
    };
    let on = match request.on {
        LimitOn::Workflow(swid) => limits::LimitOn::Workflow(swid),
        LimitOn::Account(email) => limits::LimitOn::Account(email),
        LimitOn::Host(label) => limits::LimitOn::Host(label),
    };
    let (done, missing) = match request.runs {
        Some(runs) => (app.metadb.set_limit(access, &on, runs).await?, what),
        None => (app.metadb.remove_limit(access, &on).await?, format!("limit of {what}")),
    };
    if done { Ok(()) } else { Err(Failed::not_found(missing)) }
}
