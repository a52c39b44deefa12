//! Lists of runs, newest first, a page at a time.
//!
//! A list is looked for along one index, or along several whose rows are merged: `ways` chooses
//! them. So a page costs what it shows, not what there is, unless almost nothing of what an index
//! has is wanted; who cannot wait for that bounds how much is looked through.

pub(crate) mod times;
pub(crate) mod ways;

use std::collections::{BTreeMap, BTreeSet};

use niassa_model::accession::Accession;
use niassa_model::account::Email;
use niassa_model::run::{Mark, RunStatus};

use super::row::Run;
use crate::error::Result;
use crate::{Access, MetaDb, bulk};
use ways::{Chosen, Span};

/// Which runs to list. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Whose runs.
    pub whose: Whose,
    /// Only runs with one of these statuses.
    pub statuses: Option<BTreeSet<RunStatus>>,
    /// Only runs of this workflow.
    pub workflow: Option<Accession>,
    /// Only runs for this label.
    pub host: Option<String>,
    /// Only runs at the place with this key.
    pub place_key: Option<String>,
    /// Only runs of workflows with this name.
    pub workflow_name: Option<String>,
    /// Only runs of the account with this address.
    pub account: Option<Email>,
    /// Only runs with all of these marks.
    pub marks: Vec<Mark>,
    /// Only runs with all of these in what lists show of them, in capitals or not.
    pub words: Vec<String>,
    /// Only these runs.
    pub accessions: Option<Vec<Accession>>,
    /// Only runs accepted at or after this time, in microseconds.
    pub from: Option<i64>,
    /// Only runs accepted before this time, in microseconds.
    pub to: Option<i64>,
    /// Only runs with a smaller accession: where the page before ended.
    pub before: Option<i64>,
}

/// A page of a list for which only so many runs were looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The runs, newest first.
    pub runs: Vec<Run>,
    /// The run behind which nothing was looked for, where that is not all there is.
    pub behind: Option<i64>,
}

/// Whose runs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// All that the caller may see.
    #[default]
    Visible,
    /// The caller's own; at a place also those that it may launch for others.
    Own,
}

impl MetaDb {
    /// Returns runs that the caller may see, newest first.
    pub async fn runs(&self, access: &Access, filter: &RunFilter, limit: u32) -> Result<Vec<Run>> {
        self.listed(access, filter, limit, None).await.map(|found| found.runs)
    }

    /// The same, looking through about so many runs at most: the newest.
    pub async fn newest_runs(
        &self,
        access: &Access,
        filter: &RunFilter,
        limit: u32,
        looked: u32,
    ) -> Result<Found> {
        self.listed(access, filter, limit, Some(looked)).await
    }

    async fn listed(
        &self,
        access: &Access,
        filter: &RunFilter,
        limit: u32,
        looked: Option<u32>,
    ) -> Result<Found> {
        let span = self.span(filter).await?;
        let Chosen { ways, behind } = ways::choose(self, access, filter, span, looked).await?;
        let above = behind.map_or(span.above, |behind| behind.max(span.above));
        let span = Span { above, ..span };
        let mut found = BTreeMap::new();
        for way in &ways {
            for run in self.runs_along(way, access, filter, span, limit).await? {
                found.insert(run.swid, run);
            }
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut runs: Vec<Run> = found.into_values().rev().take(most).collect();
        self.add_marks(&mut runs, "list runs").await?;
        Ok(Found { runs, behind })
    }
}

impl RunFilter {
    /// Returns the words as patterns that stand for any text around them.
    fn patterns(&self) -> Option<String> {
        if self.words.is_empty() {
            return None;
        }
        let pattern = |word: &String| {
            let mut pattern = String::from("%");
            for c in word.to_lowercase().chars() {
                if matches!(c, '!' | '%' | '_') {
                    pattern.push('!');
                }
                pattern.push(c);
            }
            pattern.push('%');
            pattern
        };
        let patterns: Vec<String> = self.words.iter().map(pattern).collect();
        Some(bulk::words(patterns.iter().map(String::as_str)))
    }
}
