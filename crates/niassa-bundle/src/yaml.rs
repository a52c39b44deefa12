//! What the YAML reader says, in one line.

/// Cuts what the reader says about the place: file and line stand before the message already.
pub(crate) fn without_place(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = match first.split_once(": ") {
        Some((place, rest)) if place.contains("line ") && place.contains("column ") => rest,
        _ => first,
    };
    let end = first.find(" at line ").unwrap_or(first.len());
    first[..end].to_owned()
}
