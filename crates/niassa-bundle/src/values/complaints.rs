//! What is wrong with the values of a run, as much of it as somebody reads.

/// How many complaints are told.
pub(super) const MOST: usize = 100;
/// How many characters of one are told: keys and file names in it may be of any length.
const LENGTH: usize = 1_000;

/// Complaints in the order in which they were made; those after the first [`MOST`] are not kept.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    told: Vec<String>,
    untold: Untold,
}

/// Whether there were complaints that are not told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Untold {
    #[default]
    None,
    Some,
}

impl Complaints {
    /// Adds a complaint; one that is not told is not even written.
    pub(super) fn add(&mut self, complaint: impl FnOnce() -> String) {
        if self.told.len() >= MOST {
            self.untold = Untold::Some;
            return;
        }
        let mut complaint = complaint();
        if let Some((end, _)) = complaint.char_indices().nth(LENGTH) {
            complaint.truncate(end);
            complaint.push_str("...");
        }
        self.told.push(complaint);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Tells whether nothing more will be told: looking for more is of no use then.
    pub(super) fn is_cut(&self) -> bool {
        self.untold == Untold::Some
    }

    /// Returns the complaints, and at their end that there are more if so.
    pub(super) fn into_lines(self, what: &str) -> Vec<String> {
        let mut lines = self.told;
        if self.untold == Untold::Some {
            lines.push(format!("there are more {what} than these {MOST}"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_complaints_of_a_length_are_kept() {
        let mut complaints = Complaints::default();
        for number in 0..MOST {
            complaints.add(|| format!("{number}{}", "\u{e4}".repeat(5_000)));
        }
        assert!(!complaints.is_cut());
        complaints.add(|| unreachable!("nobody reads it"));
        assert!(complaints.is_cut());
        let lines = complaints.into_lines("errors");
        assert_eq!(lines.len(), MOST + 1);
        assert_eq!(lines[99].chars().count(), LENGTH + "...".len());
        assert_eq!(lines[MOST], "there are more errors than these 100");
    }
}
