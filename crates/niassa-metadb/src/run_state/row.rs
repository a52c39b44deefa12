//! The row of a run, read and written whole.

use niassa_model::account::AccountId;
use niassa_model::run::RunTag;
use niassa_model::time::Timestamp;
use serde_json::{Value, json};
use sqlx::any::AnyRow;

use super::{ClaimColumns, Launching, Rights, RunState, StepNumbers, StoredPlace};
use crate::bulk;
use crate::error::{Result, decode};
use crate::events::accession;
use crate::pool::column;
use crate::runs::row::priority;

/// Reads a row of `LOAD`.
pub(super) fn read(row: &AnyRow, operation: &'static str) -> Result<RunState> {
    let text = |name: &'static str| column::<Option<String>>(row, name, operation);
    let number = |name: &'static str| column::<i64>(row, name, operation);
    let time = |name: &'static str| -> Result<Option<Timestamp>> {
        Ok(column::<Option<i64>>(row, name, operation)?.map(Timestamp::from_micros))
    };
    let tag: String = column(row, "tag", operation)?;
    let status: String = column(row, "status", operation)?;
    let status = decode(status.parse(), operation, &status, "a status of a run")?;
    Ok(RunState {
        swid: accession(row, "swid", operation)?,
        tag: decode(tag.parse::<RunTag>(), operation, &tag, "the tag of a run")?,
        owner: AccountId(number("owner")?),
        host: column(row, "host", operation)?,
        workflow: accession(row, "workflow", operation)?,
        priority: priority(row, operation)?,
        rights: if number("mine")? == 1 { Rights::Change } else { Rights::Read },
        launching: match number("launching")? {
            1 => Launching::Allowed,
            _ => Launching::Refused,
        },
        status,
        cancel_requested: time("cancel_requested_at")?
            .map(|at| Ok((at, text("cancel_requested_by")?.unwrap_or_default())))
            .transpose()?,
        unanswered: number("unanswered")?,
        note: text("note")?,
        failure: text("failure")?,
        place: place(row, operation)?,
        plan_sha256: text("plan_sha256")?,
        claim: ClaimColumns {
            holder: text("claim_holder")?,
            epoch: number("claim_epoch")?,
            until: number("claim_until")?,
            without_record: number("claims_without_record")?,
            offered_after: number("offered_after")?,
        },
        steps: StepNumbers {
            total: number("steps_total")?,
            pending: number("steps_pending")?,
            running: number("steps_running")?,
            success: number("steps_success")?,
            failed: number("steps_failed")?,
            skipped: number("steps_skipped")?,
            cancelled: number("steps_cancelled")?,
            lost: number("steps_lost")?,
        },
        needs_action: number("needs_action")? == 1,
        seen_at: time("seen_at")?,
        stored_status: status,
        entries: Vec::new(),
    })
}

fn place(row: &AnyRow, operation: &'static str) -> Result<Option<StoredPlace>> {
    let text = |name: &'static str| column::<Option<String>>(row, name, operation);
    let Some(key) = text("place_key")? else { return Ok(None) };
    Ok(Some(StoredPlace {
        key,
        json: text("place")?.unwrap_or_default(),
        directory: text("directory")?.unwrap_or_default(),
        launched_on: text("launched_on")?.unwrap_or_default(),
    }))
}

/// Makes the row that `STORE` takes apart.
pub(super) fn stored(run: &RunState) -> Value {
    let place = run.place.as_ref();
    let cancel = run.cancel_requested.as_ref();
    json!([
        run.swid.get(),
        run.stored_status.as_str(),
        run.status.as_str(),
        cancel.map(|(at, _)| at.as_micros()),
        cancel.map(|(_, by)| by),
        run.note.as_deref().map(bulk::text),
        run.failure.as_deref().map(bulk::text),
        place.map(|place| &place.key),
        place.map(|place| &place.json),
        place.map(|place| &place.directory),
        place.map(|place| &place.launched_on),
        run.plan_sha256,
        run.claim.holder,
        run.claim.epoch,
        run.claim.until,
        run.claim.without_record,
        run.claim.offered_after,
        run.steps.total,
        run.steps.pending,
        run.steps.running,
        run.steps.success,
        run.steps.failed,
        run.steps.skipped,
        run.steps.cancelled,
        run.steps.lost,
        i64::from(run.needs_action),
        run.seen_at.map(Timestamp::as_micros),
        run.priority,
    ])
}
