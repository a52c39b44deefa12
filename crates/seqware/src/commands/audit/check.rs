//! `seqware audit check`.

use niassa_api::audit::AuditChecked;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Looks whether the audit log is whole: each entry holds its own digest and that of the one before.
///
/// Ends 9 where one does not. That the last entries are missing shows only in comparison with the
/// digest of a later end, which the service tells its own log every hour. Only for administrators.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware audit check")]
pub struct Args {}

/// Checks the log.
pub async fn run(_args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let checked = context.client()?.check_audit().await?;
    context.ui.did(&told(&checked), None, &json!(checked))?;
    Ok(if checked.broken_at.is_some() { Exit::FaultFound } else { Exit::Done })
}

fn told(checked: &AuditChecked) -> String {
    match (checked.broken_at, checked.entries) {
        (Some(at), _) => format!("The audit log was changed: entry {at} does not fit"),
        (None, 0) => "The audit log is empty".to_owned(),
        (None, 1) => format!("The audit log is whole: 1 entry, ends with {}", checked.head),
        (None, entries) => {
            format!("The audit log is whole: {entries} entries, ends with {}", checked.head)
        }
    }
}
