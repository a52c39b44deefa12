//! Writing an ini file, so that it reads back the same.

use std::fmt::Write;

/// Writes a value so that [`parse`](super::parse) reads it back.
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        if c == ' ' && index == 0 {
            escaped.push('\\');
        }
        push(&mut escaped, c);
    }
    escaped
}

/// Appends an entry as a line.
pub fn write_entry(text: &mut String, key: &str, value: &str) {
    for (index, c) in key.chars().enumerate() {
        let may_end = matches!(c, '=' | ':' | ' ');
        if may_end || (index == 0 && matches!(c, '#' | '!')) {
            text.push('\\');
        }
        push(text, c);
    }
    text.push('=');
    text.push_str(&escape(value));
    text.push('\n');
}

fn push(text: &mut String, c: char) {
    match c {
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        c if c.is_control() => {
            // Control characters all fit into 16 bits, and writing to a String cannot fail.
            let _infallible = write!(text, "\\u{:04x}", u32::from(c));
        }
        c => text.push(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse;
    use super::*;

    #[test]
    fn lines_look_as_people_write_them() {
        let mut text = String::new();
        write_entry(&mut text, "greeting", "good day, \"you\"");
        write_entry(&mut text, "#a b", " x\\y\n\u{1}");
        assert_eq!(text, "greeting=good day, \"you\"\n\\#a\\ b=\\ x\\\\y\\n\\u0001\n");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(entries in prop::collection::vec((any::<String>(), any::<String>()), 0..8)) {
            let mut text = String::new();
            for (key, value) in &entries {
                write_entry(&mut text, key, value);
            }
            let read = parse(&text).expect("our own text");
            let read: Vec<_> = read.into_iter().map(|entry| (entry.key, entry.value)).collect();
            prop_assert_eq!(read, entries);
        }
    }
}
