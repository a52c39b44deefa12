//! Follows the log of all runs that the caller may see, as it grows.
//!
//! Requests that change something wake those who follow. Another service on the same MetaDB cannot,
//! so the log is looked at each second as well.

use std::sync::Arc;
use std::time::Duration;

use niassa_api::error::ProblemCode;
use niassa_api::runs::RunLogEntry;
use niassa_metadb::Access;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::look::answer;
use crate::app::App;
use crate::error::{Failed, chain};

/// Streams at once.
pub(crate) const MOST_STREAMS: usize = 256;
/// How often the log is looked at when nobody wakes us.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it is left alone after each look, however often we are woken.
const LOOK_APART: Duration = Duration::from_millis(200);
/// How long one stream lasts: whoever follows signs in again then, and may have lost its rights.
const LASTS: Duration = Duration::from_mins(10);
/// Entries that are read at once.
const ENTRIES: u32 = 500;

/// The newest entry of the log, as somebody who follows it saw it lately: those whom nobody woke share one
/// look per second, however many they are.
#[derive(Default)]
pub(crate) struct NewestEntry {
    seen: tokio::sync::Mutex<Option<(Instant, i64)>>,
}

impl NewestEntry {
    /// Looks, unless somebody did within this time.
    pub(crate) async fn within(&self, age: Duration, app: &App) -> niassa_metadb::Result<i64> {
        let mut seen = self.seen.lock().await;
        if let Some((at, newest)) = *seen
            && at.elapsed() < age
        {
            return Ok(newest);
        }
        let newest = app.metadb.newest_entry().await?;
        *seen = Some((Instant::now(), newest));
        Ok(newest)
    }
}

/// Somebody who follows the log.
pub(crate) struct Watch {
    app: App,
    access: Access,
    after: i64,
    changed: watch::Receiver<()>,
    until: Instant,
    looked: Option<Instant>,
    /// How old what others saw may be: nothing of it, for somebody who was woken.
    may_be_old: Duration,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    /// Follows the log from behind an entry, or from now on.
    pub(crate) async fn begin(
        app: &App,
        access: Access,
        after: Option<i64>,
    ) -> Result<Self, Failed> {
        let place = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| {
            let detail = format!("{MOST_STREAMS} follow the log already");
            Failed::new(ProblemCode::Unavailable, detail).hint("GET /v1/runs tells what changed")
        })?;
        let after = match after {
            Some(after) => after,
            None => app.metadb.newest_entry().await?,
        };
        let changed = app.changed.subscribe();
        let until = Instant::now() + LASTS;
        let app = app.clone();
        let (looked, may_be_old) = (None, Duration::ZERO);
        Ok(Self { app, access, after, changed, until, looked, may_be_old, _place: place })
    }

    /// Returns the last entry that was told, or that is not for this caller.
    pub(crate) fn after(&self) -> i64 {
        self.after
    }

    /// Waits for entries; `None` ends the stream. A wait that is given up loses nothing. What was written before the service stops is told.
    pub(crate) async fn next(&mut self) -> Option<Vec<RunLogEntry>> {
        // A stream ends in time even if there was something to tell at each look.
        while Instant::now() < self.until {
            self.pause().await;
            self.changed.mark_unchanged();
            match self.look().await {
                Ok(entries) if !entries.is_empty() => return Some(entries),
                Ok(_) if self.app.stopping.is_cancelled() => return None,
                Ok(_) => self.wait().await,
                Err(error) => {
                    tracing::warn!("a stream of events ends: {}", chain(&error));
                    return None;
                }
            }
        }
        None
    }

    /// Waits until the log may be looked at again.
    async fn pause(&mut self) {
        if let Some(looked) = self.looked {
            tokio::select! {
                () = self.app.stopping.cancelled() => {}
                () = tokio::time::sleep_until(looked + LOOK_APART) => {}
            }
        }
        self.looked = Some(Instant::now());
    }

    async fn look(&mut self) -> Result<Vec<RunLogEntry>, niassa_metadb::MetaDbError> {
        // Asked first: whatever is up to here and not among the entries is not for this caller.
        let newest = self.app.newest.within(self.may_be_old, &self.app).await?;
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
        self.may_be_old = tokio::select! {
            () = self.app.stopping.cancelled() => Duration::ZERO,
            woken = tokio::time::timeout(LOOK_EVERY, self.changed.changed()) => match woken {
                Ok(_) => Duration::ZERO,
                Err(_) => LOOK_EVERY / 2,
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use niassa_metadb::access::Sees;
    use niassa_model::account::AccountId;

    use super::*;
    use crate::testing::service;

    async fn watch(app: &App) -> Result<Watch, Failed> {
        let access = Access {
            account: AccountId(1),
            email: "ann@lab.net".to_owned(),
            sees: Sees::Everything,
            hosts: None,
            origin: None,
        };
        Watch::begin(app, access, Some(0)).await
    }

    #[tokio::test]
    async fn a_stream_ends_in_time_though_there_is_more_to_tell() {
        let service = service().await;
        let workflow = service.workflow().await;
        service.run_of_bob(workflow).await;
        let mut watch = watch(&service.app).await.unwrap();
        watch.until = Instant::now();
        assert_eq!(watch.next().await, None);
    }

    #[tokio::test]
    async fn looks_are_apart_however_much_happens() {
        let service = service().await;
        let workflow = service.workflow().await;
        service.run_of_bob(workflow).await;
        let mut watch = watch(&service.app).await.unwrap();
        let began = Instant::now();
        assert_eq!(watch.next().await.unwrap().len(), 1);
        service.run_of_bob(workflow).await;
        assert_eq!(watch.next().await.unwrap().len(), 1);
        assert!(began.elapsed() >= LOOK_APART);
    }

    #[tokio::test]
    async fn there_is_no_endless_number_of_streams() {
        let service = service().await;
        let app = &service.app;
        let mut streams = Vec::new();
        for _ in 0..MOST_STREAMS {
            streams.push(watch(app).await.unwrap());
        }
        let failed = watch(app).await.err().unwrap();
        assert_eq!(failed.0.code, ProblemCode::Unavailable);
        streams.pop();
        assert!(watch(app).await.is_ok());
    }
}
