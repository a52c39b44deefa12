//! Text as values store it: `${sqw.bundle-dir}` for the bundle's folder, `$${` for `${`.

use serde_json::Value;

use crate::manifest::BUNDLE_DIR;

/// Reads stored text, once the bundle's folder is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoder<'b> {
    /// The folder of the unpacked bundle.
    pub(crate) bundle_dir: &'b str,
}

impl Decoder<'_> {
    /// Returns the text that was meant.
    pub(crate) fn text(self, stored: &str) -> String {
        let mut text = String::with_capacity(stored.len());
        let mut rest = stored;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            text.push_str(before);
            rest = if let Some(after) = from.strip_prefix("$${") {
                text.push_str("${");
                after
            } else if let Some(after) = from.strip_prefix(BUNDLE_DIR) {
                text.push_str(self.bundle_dir);
                after
            } else {
                text.push('$');
                &from[1..]
            };
        }
        text.push_str(rest);
        text
    }

    /// Returns the value that was meant.
    pub(crate) fn value(self, stored: &Value) -> Value {
        match stored {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(values) => {
                Value::Array(values.iter().map(|value| self.value(value)).collect())
            }
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), self.value(value)));
                Value::Object(fields.collect())
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_folder_of_the_bundle_is_known_late() {
        let decoder = Decoder { bundle_dir: "/b" };
        let stored = "${sqw.bundle-dir}/x $${sqw.bundle-dir} $HOME $$";
        assert_eq!(decoder.text(stored), "/b/x ${sqw.bundle-dir} $HOME $$");
        let stored = serde_json::json!([{"a": "${sqw.bundle-dir}"}, 1]);
        assert_eq!(decoder.value(&stored), serde_json::json!([{"a": "/b"}, 1]));
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_meant_as_it_is(text in r"(\PC|[${}]){0,20}") {
            let stored = text.replace("${", "$${");
            prop_assert_eq!(Decoder { bundle_dir: "/b" }.text(&stored), text);
        }
    }
}
