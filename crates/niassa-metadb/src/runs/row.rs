//! The row of a run.

use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::place::{EngineKind, Place};
use niassa_model::run::{RunStatus, RunTag};
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use super::marks::GivenMark;
use crate::claims::Wish;
use crate::error::{Result, decode};
use crate::events::accession;
use crate::limits::FullLimit;
use crate::pool::column;

/// A workflow run as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its accession.
    pub swid: Accession,
    /// Its tag.
    pub tag: RunTag,
    /// Its status.
    pub status: RunStatus,
    /// Of several that wait the highest is launched first.
    pub priority: i32,
    /// What people should know about it now.
    pub note: Option<String>,
    /// The workflow.
    pub workflow: Accession,
    /// The workflow's name.
    pub workflow_name: String,
    /// The workflow's version.
    pub workflow_version: String,
    /// The label it was scheduled for.
    pub host: HostLabel,
    /// The engine demanded, if one was.
    pub engine: Option<EngineKind>,
    /// Where it was launched, once it was.
    pub place: Option<Place>,
    /// The run directory, once it has one.
    pub directory: Option<String>,
    /// The machine of the launcher that placed it.
    pub launched_on: Option<String>,
    /// The address of the account it belongs to.
    pub account: String,
    /// What people want of it.
    pub wish: Wish,
    /// Whether the holder of a claim has something to do.
    pub needs_action: bool,
    /// The marks that people gave it, by their words.
    pub marks: Vec<GivenMark>,
    /// How many steps stand where.
    pub steps: StepCounts,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// When anything was last heard of it.
    pub seen_at: Option<Timestamp>,
    /// The run it was rescheduled from.
    pub rescheduled_from: Option<Accession>,
    /// For a run that waits without a note: when a launcher of its label asked for runs last.
    pub launcher_seen_at: Option<Timestamp>,
    /// For a run that waits: why its label gives out no launches, where it does not.
    pub held_because: Option<String>,
    /// For a run that waits, where it was asked for alone: a limit that keeps it waiting.
    pub full_limit: Option<FullLimit>,
    /// When this was read, by the database's clock.
    pub read_at: Timestamp,
}

/// How many steps of a run have each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepCounts {
    /// Steps of the plan; 0 before it is planned.
    pub total: u32,
    /// Not started.
    pub pending: u32,
    /// Running.
    pub running: u32,
    /// Ended with success.
    pub success: u32,
    /// Ended otherwise.
    pub failed: u32,
    /// Behind a step without success.
    pub skipped: u32,
    /// Cancelled.
    pub cancelled: u32,
    /// Without a known result.
    pub lost: u32,
}

/// Reads a row of `run_columns!`.
pub(super) fn read(row: &AnyRow, operation: &'static str) -> Result<Run> {
    let time = |name: &'static str| -> Result<Timestamp> {
        Ok(Timestamp::from_micros(column(row, name, operation)?))
    };
    let place: Option<String> = column(row, "place", operation)?;
    let place = place
        .map(|json| decode(serde_json::from_str(&json), operation, &json, "a place"))
        .transpose()?;
    let from: Option<i64> = column(row, "rescheduled_from", operation)?;
    let seen_at: Option<i64> = column(row, "seen_at", operation)?;
    Ok(Run {
        swid: accession(row, "swid", operation)?,
        tag: word(row, "tag", operation, "the tag of a run")?,
        status: word(row, "status", operation, "a status of a run")?,
        priority: priority(row, operation)?,
        note: column(row, "note", operation)?,
        workflow: accession(row, "workflow", operation)?,
        workflow_name: column(row, "workflow_name", operation)?,
        workflow_version: column(row, "workflow_version", operation)?,
        host: word(row, "host", operation, "a host label")?,
        engine: engine(row, operation)?,
        place,
        directory: column(row, "directory", operation)?,
        launched_on: column(row, "launched_on", operation)?,
        account: column(row, "email", operation)?,
        wish: wish(row, operation)?,
        marks: Vec::new(),
        needs_action: column::<i64>(row, "needs_action", operation)? != 0,
        steps: steps(row, operation)?,
        created_at: time("created_at")?,
        updated_at: time("updated_at")?,
        seen_at: seen_at.map(Timestamp::from_micros),
        rescheduled_from: from
            .map(|from| decode(Accession::try_from(from), operation, from, "an accession"))
            .transpose()?,
        launcher_seen_at: column::<Option<i64>>(row, "launcher_seen_at", operation)?
            .map(Timestamp::from_micros),
        held_because: column(row, "held_because", operation)?,
        full_limit: None,
        read_at: time("read_at")?,
    })
}

/// Reads the priority of a run.
pub(crate) fn priority(row: &AnyRow, operation: &'static str) -> Result<i32> {
    let number: i64 = column(row, "priority", operation)?;
    decode(i32::try_from(number), operation, number, "a priority")
}

/// Reads the engine that was demanded.
pub(super) fn engine(row: &AnyRow, operation: &'static str) -> Result<Option<EngineKind>> {
    let word: Option<String> = column(row, "engine", operation)?;
    word.map(|word| decode(word.parse(), operation, &word, "an engine")).transpose()
}

/// Reads a word that has a type of its own.
pub(super) fn word<T: std::str::FromStr>(
    row: &AnyRow,
    name: &'static str,
    operation: &'static str,
    expected: &'static str,
) -> Result<T> {
    let word: String = column(row, name, operation)?;
    decode(word.parse(), operation, &word, expected)
}

fn wish(row: &AnyRow, operation: &'static str) -> Result<Wish> {
    let cancel: Option<i64> = column(row, "cancel_requested_at", operation)?;
    let unanswered: i64 = column(row, "unanswered", operation)?;
    Ok(match (cancel, unanswered) {
        (Some(_), _) => Wish::Cancel,
        (None, 0) => Wish::Launch,
        (None, _) => Wish::Retry,
    })
}

fn steps(row: &AnyRow, operation: &'static str) -> Result<StepCounts> {
    let count = |name: &'static str| -> Result<u32> {
        let number: i64 = column(row, name, operation)?;
        decode(u32::try_from(number.max(0)), operation, number, "a number of steps")
    };
    Ok(StepCounts {
        total: count("steps_total")?,
        pending: count("steps_pending")?,
        running: count("steps_running")?,
        success: count("steps_success")?,
        failed: count("steps_failed")?,
        skipped: count("steps_skipped")?,
        cancelled: count("steps_cancelled")?,
        lost: count("steps_lost")?,
    })
}
