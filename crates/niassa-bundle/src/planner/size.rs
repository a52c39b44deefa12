//! How many bytes of `plan.json` something comes to, counted while the plan grows.

use niassa_model::plan::{PlannedInput, PlannedStep};

/// What a step needs beside its texts and lists: keys, numbers, punctuation.
const STEP_BYTES: u64 = 256;
/// What an input or an output needs beside its texts.
const FILE_BYTES: u64 = 96;
/// What one number of a list needs.
const NUMBER_BYTES: u64 = 8;

/// Returns the bytes of a step, rather too many than too few.
pub(super) fn of_step(step: &PlannedStep) -> u64 {
    let outputs: u64 = step
        .outputs
        .iter()
        .map(|output| FILE_BYTES + of_text(&output.path) + of_text(&output.meta_type))
        .sum();
    STEP_BYTES + of_text(&step.command) + NUMBER_BYTES * as_bytes(step.after.len()) + outputs
}

/// Returns the bytes of all inputs.
pub(super) fn of_inputs(inputs: &[PlannedInput]) -> u64 {
    inputs.iter().map(|input| FILE_BYTES + of_text(&input.source) + of_text(&input.link)).sum()
}

/// Returns the bytes of text as JSON writes it.
fn of_text(text: &str) -> u64 {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        byte if byte < 0x20 => 6,
        _ => 1,
    });
    escaped.sum()
}

fn as_bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX / NUMBER_BYTES)
}
