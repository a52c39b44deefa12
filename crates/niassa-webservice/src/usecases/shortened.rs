//! Texts for people that are cut where they are too long: what went wrong is told all the same.

/// Most bytes of a note, and of what is said of a run that could not be planned.
pub(super) const NOTE_BYTES: usize = 16 * 1024;
/// Most bytes of what is said about the end of an attempt.
pub(super) const MESSAGE_BYTES: usize = 4 * 1024;
/// What stands for the rest of a text.
const ELLIPSIS: char = '…';

/// Cuts a text that has more bytes, between characters; no database keeps a NUL.
pub(super) fn shortened(text: String, most: usize) -> String {
    let mut text = if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text };
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most - ELLIPSIS.len_utf8()));
        text.push(ELLIPSIS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let note = |text| shortened(text, NOTE_BYTES);
        assert_eq!(note("ü".repeat(NOTE_BYTES / 2)), "ü".repeat(NOTE_BYTES / 2));
        let cut = note(format!("x{}", "ü".repeat(NOTE_BYTES)));
        assert!(cut.len() <= NOTE_BYTES && cut.len() > NOTE_BYTES - 4);
        assert!(cut.ends_with("ü…"));
        assert!(shortened("\0".repeat(MESSAGE_BYTES), MESSAGE_BYTES).len() <= MESSAGE_BYTES);
    }
}
