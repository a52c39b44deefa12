//! Columns of steps and attempts as the domain's types.

use niassa_model::resources::Resources;
use niassa_model::step::{AttemptNumber, StepIndex, StepReason, StepStatus};
use sqlx::any::AnyRow;

use crate::error::{Result, decode};
use crate::pool::column;

/// Reads the index of a step.
pub(crate) fn index(row: &AnyRow, operation: &'static str) -> Result<StepIndex> {
    let number: i64 = column(row, "idx", operation)?;
    decode(u32::try_from(number), operation, number, "the index of a step").map(StepIndex)
}

/// Reads the number of an attempt; 0 stands where none was made.
pub(crate) fn attempt(
    row: &AnyRow,
    name: &'static str,
    operation: &'static str,
) -> Result<AttemptNumber> {
    let number: i64 = column(row, name, operation)?;
    decode(u32::try_from(number), operation, number, "the number of an attempt").map(AttemptNumber)
}

/// Reads a status.
pub(crate) fn status(row: &AnyRow, operation: &'static str) -> Result<StepStatus> {
    let word: String = column(row, "status", operation)?;
    decode(word.parse(), operation, &word, "a status of a step")
}

/// Reads why a step or an attempt ended so.
pub(crate) fn reason(row: &AnyRow, operation: &'static str) -> Result<Option<StepReason>> {
    let word: Option<String> = column(row, "reason", operation)?;
    word.map(|word| decode(word.parse(), operation, &word, "a reason of a step")).transpose()
}

/// Reads what was asked for.
pub(crate) fn resources(row: &AnyRow, operation: &'static str) -> Result<Resources> {
    let amount = |name: &'static str| -> Result<Option<u64>> {
        let number: Option<i64> = column(row, name, operation)?;
        number.map(|n| decode(u64::try_from(n), operation, n, "an amount")).transpose()
    };
    let threads: i64 = column(row, "threads", operation)?;
    Ok(Resources {
        threads: decode(u32::try_from(threads), operation, threads, "a number of threads")?,
        memory_bytes: amount("memory_bytes")?,
        seconds: amount("seconds")?,
    })
}

/// Reads what people call a step: its name, with the element's number in a `foreach`.
pub(crate) fn label(row: &AnyRow, operation: &'static str) -> Result<String> {
    let name: String = column(row, "name", operation)?;
    let element: Option<i64> = column(row, "element", operation)?;
    Ok(match element {
        Some(element) => format!("{name}[{element}]"),
        None => name,
    })
}

/// Returns an amount as it is stored; what is beyond a database's numbers is their largest.
pub(crate) fn stored(amount: Option<u64>) -> Option<i64> {
    amount.map(|amount| i64::try_from(amount).unwrap_or(i64::MAX))
}
