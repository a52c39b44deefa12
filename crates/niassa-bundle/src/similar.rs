//! Did you mean: the known word nearest to one that is not known.
//!
//! Every comparison costs the product of two lengths, and both words may come from somebody who
//! means harm: words are cut, only so many are compared, and only so many hints are given.

use std::cell::Cell;

/// How many known words one word is compared with.
const CANDIDATES: usize = 2_000;
/// How many hints are given for one text; who made more mistakes than that did not misspell.
pub(crate) const HINTS: usize = 20;

/// The hints that may still be given for one text.
#[derive(Debug)]
pub(crate) struct Hints(Cell<usize>);

impl Default for Hints {
    fn default() -> Self {
        Self(Cell::new(HINTS))
    }
}

impl Hints {
    /// Returns ` (did you mean ...?)`, or nothing: also when enough hints were looked for.
    pub(crate) fn hint<'w>(&self, word: &str, known: impl IntoIterator<Item = &'w str>) -> String {
        let Some(left) = self.0.get().checked_sub(1) else { return String::new() };
        self.0.set(left);
        hint(word, known)
    }
}

/// Returns the known word that `word` is most likely a misspelling of.
pub(crate) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let folded = fold(word);
    let most = 1 + folded.len() / 4;
    known
        .into_iter()
        .take(CANDIDATES)
        .map(|candidate| (distance(&folded, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns ` (did you mean ...?)`, or nothing.
pub(crate) fn hint<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    nearest(word, known).map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default()
}

/// Leaves only what makes words differ for people; long words are cut, they are no misspelling.
fn fold(word: &str) -> Vec<char> {
    word.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Counts inserted, removed, replaced and swapped letters between two words.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (l, row) in rows.iter_mut().enumerate() {
        row[0] = l;
    }
    for (r, cell) in rows[0].iter_mut().enumerate() {
        *cell = r;
    }
    for l in 1..=left.len() {
        for r in 1..=right.len() {
            let replaced = rows[l - 1][r - 1] + usize::from(left[l - 1] != right[r - 1]);
            let mut least = replaced.min(rows[l - 1][r] + 1).min(rows[l][r - 1] + 1);
            let is_swap =
                l > 1 && r > 1 && left[l - 1] == right[r - 2] && left[l - 2] == right[r - 1];
            if is_swap {
                least = least.min(rows[l - 2][r - 2] + 1);
            }
            rows[l][r] = least;
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_find_their_word() {
        let known = ["threads", "reads_1", "reads_2", "reference"];
        for (word, expected) in [
            ("thread", Some("threads")),
            ("tHreads", Some("threads")),
            ("thraeds", Some("threads")),
            ("reads-2", Some("reads_2")),
            ("refrence", Some("reference")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(hint("thread", known), " (did you mean `threads`?)");
        assert_eq!(hint("colour", known), "");
    }

    #[test]
    fn hints_come_to_an_end() {
        let hints = Hints::default();
        let given = (0..100).filter(|_| !hints.hint("thread", ["threads"]).is_empty()).count();
        assert_eq!(given, HINTS);
    }

    #[test]
    fn only_so_many_words_are_compared() {
        let mut looked_at = 0;
        let endless = std::iter::repeat_n("x", 1_000_000).inspect(|_| looked_at += 1);
        assert_eq!(nearest("thread", endless), None);
        assert_eq!(looked_at, CANDIDATES);
    }
}
