//! Measurements of a case, each beside one of its reference: what is told is their ratio.

use anyhow::Result;

use super::Bench;
use super::measure::{Took, median};
use super::table::Row;

/// Measurements of a case, ours first.
pub(super) struct Pairs(Vec<(Took, Took)>);

impl Pairs {
    /// Measures a case and its reference by turns, so that both meet the same machine.
    pub(super) fn measure(
        bench: &Bench,
        ours: impl Fn() -> Result<Took>,
        theirs: impl Fn() -> Result<Took>,
    ) -> Result<Self> {
        let mut pairs = Vec::with_capacity(bench.pairs);
        for _ in 0..bench.pairs {
            let reference = theirs()?;
            pairs.push((ours()?, reference));
        }
        Ok(Self(pairs))
    }

    /// Returns the judged ratio of wall times to a reference of this name, with the times themselves beside it.
    pub(super) fn rows(&self, what: &str, reference: &str, goal: f64) -> Vec<Row> {
        let middle = |of: fn(&(Took, Took)) -> f64| median(self.0.iter().map(of).collect());
        let walls = format!(
            "{:.0} ms, {reference} {:.0} ms",
            middle(|(ours, _)| ours.wall * 1_000.0),
            middle(|(_, make)| make.wall * 1_000.0)
        );
        let cpu = format!(
            "{:.2} times ({:.0} ms, {reference} {:.0} ms)",
            median(self.cpu_ratios()),
            middle(|(ours, _)| ours.cpu * 1_000.0),
            middle(|(_, make)| make.cpu * 1_000.0)
        );
        let ratio = middle(|(ours, make)| ours.wall / make.wall);
        vec![
            Row::at_most(format!("{what}: wall, to {reference}"), ratio, goal, " times"),
            Row::beside(format!("{what}: wall"), walls),
            Row::beside(format!("{what}: processor time"), cpu),
        ]
    }

    /// Returns the ratio of processor times of each pair.
    pub(super) fn cpu_ratios(&self) -> Vec<f64> {
        self.0.iter().map(|(ours, make)| ours.cpu / make.cpu).collect()
    }
}
