//! What is wrong with the values of a request: all of it is told at once.

use niassa_api::error::ProblemCode;

use crate::error::Failed;

/// Most bytes of a name, a title, a path or the like.
const LINE_BYTES: usize = 4_096;
/// Most bytes of a description.
const TEXT_BYTES: usize = 64 * 1024;

/// Values that are wrong.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    /// Checks a text of one line that must be there.
    pub(crate) fn line(&mut self, name: &str, text: &str) {
        if text.trim().is_empty() {
            self.0.push(format!("{name} is empty"));
        } else if text.chars().any(char::is_control) {
            self.0.push(format!("{name} holds a control character"));
        } else if text.len() > LINE_BYTES {
            self.0.push(format!("{name} has more than {LINE_BYTES} bytes"));
        }
    }

    /// Checks a text of one line that may be absent.
    pub(crate) fn optional_line(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.line(name, text);
        }
    }

    /// Checks a path, or the name of a machine, a user or the like.
    pub(crate) fn path(&mut self, name: &str, text: &str) {
        self.0.extend(path_misfit(name, text));
    }

    /// Checks a text of many lines, perhaps none.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        if text.contains('\0') {
            self.0.push(format!("{name} holds a NUL character"));
        } else if text.len() > TEXT_BYTES {
            self.0.push(format!("{name} has more than {TEXT_BYTES} bytes"));
        }
    }

    /// Adds something that is wrong.
    pub(crate) fn add(&mut self, finding: String) {
        self.0.push(finding);
    }

    /// Fails if anything was wrong.
    pub(crate) fn settle(self) -> Result<(), Failed> {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => Err(Failed::new(ProblemCode::Invalid, one.clone()).errors(self.0)),
            more => {
                let detail = format!("{} values are not valid", more.len());
                Err(Failed::new(ProblemCode::Invalid, detail).errors(self.0))
            }
        }
    }
}

/// Says what is wrong with a path, or the name of a machine, a user or the like.
pub(crate) fn path_misfit(name: &str, text: &str) -> Option<String> {
    if text.contains(['\0', '\n', '\r']) {
        Some(format!("{name} holds a NUL character or a line break"))
    } else if text.len() > LINE_BYTES {
        Some(format!("{name} has more than {LINE_BYTES} bytes"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_line() {
        assert_eq!(path_misfit("the path", "/data/a b\tc"), None);
        assert_eq!(path_misfit("the path", &"x".repeat(LINE_BYTES)), None);
        for wrong in ["a\nb", "a\rb", "a\0b", &"x".repeat(LINE_BYTES + 1)] {
            assert!(path_misfit("the path", wrong).is_some());
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let mut findings = Findings::default();
        findings.line("the title", " ");
        findings.line("the name", "a\nb");
        findings.text("the description", "a\0");
        findings.optional_line("the label", None);
        findings.text("the rest", "two\nlines");
        let failed = findings.settle().unwrap_err();
        assert_eq!(failed.0.code, ProblemCode::Invalid);
        assert_eq!(failed.0.errors.len(), 3);
        assert!(Findings::default().settle().is_ok());
    }
}
