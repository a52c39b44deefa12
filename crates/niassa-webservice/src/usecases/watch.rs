//! Follows the log of all runs that the caller may see, as it grows.
//!
//! Requests that change something wake those who follow. Another service on the same MetaDB cannot,
//! so the log is looked at each second as well.

use std::time::Duration;

use niassa_api::runs::RunLogEntry;
use niassa_metadb::Access;
use tokio::sync::watch;
use tokio::time::Instant;

use super::look::answer;
use crate::app::App;
use crate::error::{Failed, chain};

/// How often the log is looked at when nobody wakes us.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one stream lasts: whoever follows signs in again then, and may have lost its rights.
const LASTS: Duration = Duration::from_mins(10);
/// Entries that are read at once.
const ENTRIES: u32 = 500;

/// Somebody who follows the log.
pub(crate) struct Watch {
    app: App,
    access: Access,
    after: i64,
    changed: watch::Receiver<()>,
    until: Instant,
}

impl Watch {
    /// Follows the log from behind an entry, or from now on.
    pub(crate) async fn begin(
        app: &App,
        access: Access,
        after: Option<i64>,
    ) -> Result<Self, Failed> {
        let after = match after {
            Some(after) => after,
            None => app.metadb.newest_entry().await?,
        };
        let changed = app.changed.subscribe();
        let until = Instant::now() + LASTS;
        Ok(Self { app: app.clone(), access, after, changed, until })
    }

    /// Waits for entries; `None` ends the stream. What was written before the service stops is told.
    pub(crate) async fn next(&mut self) -> Option<Vec<RunLogEntry>> {
        loop {
            self.changed.mark_unchanged();
            match self.look().await {
                Ok(entries) if !entries.is_empty() => return Some(entries),
                Ok(_) if self.app.stopping.is_cancelled() || Instant::now() >= self.until => {
                    return None;
                }
                Ok(_) => self.wait().await,
                Err(error) => {
                    tracing::warn!("a stream of events ends: {}", chain(&error));
                    return None;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Vec<RunLogEntry>, niassa_metadb::MetaDbError> {
        // Asked first: whatever is up to here and not among the entries is not for this caller.
        let newest = self.app.metadb.newest_entry().await?;
        if newest <= self.after {
            return Ok(Vec::new());
        }
        let entries = self.app.metadb.log_after(&self.access, self.after, ENTRIES).await?;
        let is_whole = entries.len() < usize::try_from(ENTRIES).unwrap_or(usize::MAX);
        let last = entries.last().map_or(self.after, |entry| entry.sequence);
        self.after = if is_whole { last.max(newest) } else { last };
        Ok(entries.into_iter().map(answer::log_entry).collect())
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = self.app.stopping.cancelled() => {}
            _ = tokio::time::timeout(LOOK_EVERY, self.changed.changed()) => {}
        }
    }
}
