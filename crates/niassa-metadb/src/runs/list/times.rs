//! From when to when, as accessions: lists are in the order of these.

use super::RunFilter;
use super::ways::Span;
use crate::MetaDb;
use crate::error::{During, Result};
use crate::pool::column;

/// Accessions rise with time, but for transactions that overlap and a clock that is set back: not by
/// more than this, in microseconds. What is found is still compared to the microsecond.
const SLACK: i64 = 3_600_000_000;

sql! {
    /// The last run accepted before a time. `$1`: time.
    LAST_BEFORE = "select swid from run where created_at < $1 order by created_at desc limit 1";
    /// The first run accepted from a time on. `$1`: time.
    FIRST_FROM = "select swid from run where created_at >= $1 order by created_at limit 1";
}

impl MetaDb {
    /// Returns between which accessions the runs of a filter are.
    pub(super) async fn span(&self, filter: &RunFilter) -> Result<Span> {
        let mut span = Span { before: filter.before.unwrap_or(i64::MAX), above: 0 };
        if let Some(from) = filter.from {
            let last = self.run_at(LAST_BEFORE, from.saturating_sub(SLACK)).await?;
            span.above = last.unwrap_or(0);
        }
        if let Some(to) = filter.to {
            let first = self.run_at(FIRST_FROM, to.saturating_add(SLACK)).await?;
            span.before = first.map_or(span.before, |first| first.min(span.before));
        }
        Ok(span)
    }

    async fn run_at(&self, statement: &'static str, time: i64) -> Result<Option<i64>> {
        const OPERATION: &str = "find runs by time";
        let row = sqlx::query(statement)
            .bind(time)
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        row.map(|row| column(&row, "swid", OPERATION)).transpose()
    }
}
