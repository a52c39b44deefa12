//! Quoting: how a value becomes a word of bash that means nothing but itself.

use serde_json::Value;

use crate::manifest::text_of;

/// Appends text in single quotes.
pub(super) fn quote(script: &mut String, text: &str) {
    script.push('\'');
    // Between single quotes only the single quote means anything.
    for (index, part) in text.split('\'').enumerate() {
        if index > 0 {
            script.push_str("'\\''");
        }
        script.push_str(part);
    }
    script.push('\'');
}

/// Appends `name='value'` as a line.
pub(super) fn assign(script: &mut String, name: &str, value: &Value) {
    script.push_str(name);
    script.push('=');
    quote(script, &text_of(value));
    script.push('\n');
}

/// Appends `name=('value' 'value')` as a line.
pub(super) fn assign_list<'v>(
    script: &mut String,
    name: &str,
    values: impl Iterator<Item = &'v Value>,
) {
    script.push_str(name);
    script.push_str("=(");
    for (index, value) in values.enumerate() {
        if index > 0 {
            script.push(' ');
        }
        quote(script, &text_of(value));
    }
    script.push_str(")\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_single_quote_needs_care() {
        let quoted = |text| {
            let mut script = String::new();
            quote(&mut script, text);
            script
        };
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a $b `c` \"d\" \\"), "'a $b `c` \"d\" \\'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("'"), "''\\'''");
    }
}
