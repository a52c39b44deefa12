//! What came of cells: one line of JSON each, as the tests write them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The environment variable that names the file of results.
pub(super) const VARIABLE: &str = "NIASSA_FAULTS_RESULTS";

/// One line of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "line", rename_all = "lowercase")]
enum Line {
    /// With which seed cells were drawn.
    Seed { seed: u64 },
    /// What came of one.
    Cell(Played),
}

/// What came of a cell.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Played {
    /// Its name: engine/database/victim/place/manner.
    pub(super) cell: String,
    outcome: String,
    doubled: Vec<String>,
    lost: Vec<String>,
    stuck: Vec<String>,
    wrong: Vec<String>,
}

/// What came of all cells.
#[derive(Debug, Default)]
pub(crate) struct Results {
    seed: Option<u64>,
    cells: Vec<Played>,
}

impl Results {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).context("cannot read the results")?;
        let mut results = Self::default();
        for line in text.lines() {
            match serde_json::from_str(line).with_context(|| format!("cannot read `{line}`"))? {
                Line::Seed { seed } => results.seed = Some(seed),
                Line::Cell(played) => results.cells.push(played),
            }
        }
        Ok(results)
    }

    /// Returns the seed that cells were drawn with.
    pub(super) fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Returns the cells that were played.
    pub(super) fn played(&self) -> impl Iterator<Item = &Played> {
        self.cells.iter().filter(|cell| cell.is_played())
    }

    /// Returns the cells with findings, each a line to read.
    pub(crate) fn failures(&self) -> Vec<String> {
        let bad = self.played().filter(|cell| !cell.is_good());
        bad.map(|cell| format!("faults {}: {}", cell.cell, cell.findings().join("; "))).collect()
    }

    /// Returns how many cells were played without a finding.
    pub(crate) fn passed(&self) -> usize {
        self.played().filter(|cell| cell.is_good()).count()
    }

    /// Returns how many cells left themselves out, for want of a program.
    pub(crate) fn skipped(&self) -> usize {
        self.cells.iter().filter(|cell| cell.outcome == "skipped").count()
    }

    /// Whether cells were played and nothing was found.
    pub(crate) fn is_good(&self) -> bool {
        self.passed() > 0 && self.failures().is_empty()
    }

    /// Returns those whose name begins with this word.
    pub(super) fn of(&self, word: &str) -> Self {
        let is_of = |cell: &&Played| cell.cell.split('/').next() == Some(word);
        Self { seed: self.seed, cells: self.cells.iter().filter(is_of).cloned().collect() }
    }

    /// Returns the counts as columns: cells, doubled, lost, stuck.
    pub(super) fn columns(&self) -> String {
        let count = |of: fn(&Played) -> &Vec<String>| -> usize {
            self.played().map(|cell| of(cell).len()).sum()
        };
        let (doubled, lost) = (count(|cell| &cell.doubled), count(|cell| &cell.lost));
        let stuck = count(|cell| &cell.stuck);
        format!("{} | {doubled} | {lost} | {stuck}", self.played().count())
    }

    /// Returns the last line: the counts of what must never be.
    pub(crate) fn counts(&self) -> String {
        let count = |of: fn(&Played) -> &Vec<String>| -> usize {
            self.played().map(|cell| of(cell).len()).sum()
        };
        let (doubled, lost) = (count(|cell| &cell.doubled), count(|cell| &cell.lost));
        let (stuck, wrong) = (count(|cell| &cell.stuck), count(|cell| &cell.wrong));
        let cells = self.played().count();
        let wrong = if wrong > 0 { format!(", {wrong} wrong") } else { String::new() };
        format!("{cells} cells: {doubled} doubled, {lost} lost, {stuck} stuck{wrong}")
    }

    /// Returns what is printed when all is over.
    pub(super) fn told(&self) -> String {
        let mut text = String::new();
        for cell in self.played().filter(|cell| !cell.is_good()) {
            text.push_str(&format!("\n{}\n", cell.cell));
            cell.findings().iter().for_each(|found| text.push_str(&format!("  {found}\n")));
            text.push_str(&format!("  again: cargo xtask faults {}\n", self.again(cell)));
        }
        let mut others: BTreeMap<&str, usize> = BTreeMap::new();
        for cell in self.cells.iter().filter(|cell| !cell.is_played()) {
            *others.entry(&cell.outcome).or_default() += 1;
        }
        for (outcome, count) in others {
            text.push_str(&format!("{count} cells {outcome}\n"));
        }
        if let Some(seed) = self.seed {
            text.push_str(&format!("seed {seed}\n"));
        }
        text.push_str(&format!("{}\n", self.counts()));
        text
    }

    /// Returns the words that play a cell again. Without a seed nothing was drawn: orders were compared.
    fn again(&self, cell: &Played) -> String {
        match self.seed {
            Some(seed) => format!("--cell {} --seed {seed}", cell.cell),
            None => "--compare".to_owned(),
        }
    }
}

impl Played {
    fn is_played(&self) -> bool {
        matches!(self.outcome.as_str(), "ok" | "BAD")
    }

    /// Whether nothing was found.
    pub(super) fn is_good(&self) -> bool {
        self.outcome == "ok"
    }

    /// Returns what was found, each a line to read.
    pub(super) fn findings(&self) -> Vec<String> {
        let parts = [
            ("doubled", &self.doubled),
            ("lost", &self.lost),
            ("stuck", &self.stuck),
            ("wrong", &self.wrong),
        ];
        let of_part = |(word, found): (&str, &Vec<String>)| {
            found.iter().map(|one| format!("{word}: {one}")).collect::<Vec<_>>()
        };
        parts.into_iter().flat_map(of_part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Results {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Results::read(file.path()).unwrap()
    }

    const GOOD: &str = r#"{"line":"seed","seed":7}
{"line":"cell","cell":"a/b/c/d/e","outcome":"ok","doubled":[],"lost":[],"stuck":[],"wrong":[]}
{"line":"cell","cell":"a/b/c/d/f","outcome":"left out","doubled":[],"lost":[],"stuck":[],"wrong":[]}
"#;
    const BAD: &str = r#"{"line":"cell","cell":"a/b/c/d/g","outcome":"BAD","doubled":["k"],"lost":[],"stuck":[],"wrong":["w"]}"#;

    #[test]
    fn good_cells_are_counted_and_what_was_left_out_is_said() {
        let results = read(GOOD);
        assert!(results.is_good());
        assert_eq!(results.counts(), "1 cells: 0 doubled, 0 lost, 0 stuck");
        assert_eq!(
            results.told(),
            "1 cells left out\nseed 7\n1 cells: 0 doubled, 0 lost, 0 stuck\n"
        );
    }

    #[test]
    fn a_bad_cell_is_named_with_how_to_repeat_it() {
        let results = read(&format!("{GOOD}{BAD}"));
        assert!(!results.is_good());
        assert_eq!(results.failures(), ["faults a/b/c/d/g: doubled: k; wrong: w"]);
        assert_eq!(results.counts(), "2 cells: 1 doubled, 0 lost, 0 stuck, 1 wrong");
        assert!(results.told().contains("cargo xtask faults --cell a/b/c/d/g --seed 7"));
    }

    #[test]
    fn nothing_played_is_not_good() {
        assert!(!read("").is_good());
    }
}
