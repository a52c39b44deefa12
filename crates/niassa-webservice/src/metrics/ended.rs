//! How many runs have ended, counted seldom.
//!
//! The count goes through all runs that ever were. It is kept for a hundred times as long as it took, a
//! minute at most: a site of some thousand runs always sees it fresh, and a site of millions does not
//! count for more than a hundredth of the time, however often somebody asks.

use niassa_model::run::RunStatus;
use niassa_model::time::{Clock, Timestamp};
use tokio::sync::Mutex;

/// For how many times as long as it took a count is kept.
const TIMES: i64 = 100;
/// For how many microseconds a count is kept at most; what `/metrics` says of its own freshness
/// names it.
const LONGEST: i64 = 60_000_000;

/// How many runs have a status.
type Counts = Vec<(RunStatus, i64)>;

/// The last count.
#[derive(Default)]
pub(crate) struct EndedRuns(Mutex<Option<Counted>>);

struct Counted {
    at: Timestamp,
    kept_for: i64,
    runs: Counts,
}

impl EndedRuns {
    /// Returns the last count, or counts anew where that is too old. Who asks meanwhile waits for the
    /// same count.
    pub(crate) async fn counted<E>(
        &self,
        clock: &dyn Clock,
        count: impl Future<Output = Result<Counts, E>>,
    ) -> Result<Counts, E> {
        let mut last = self.0.lock().await;
        let begun = clock.now();
        if let Some(last) = &*last
            // A clock that was put back makes the count look as if it were of the future.
            && (0..last.kept_for).contains(&(begun.as_micros() - last.at.as_micros()))
        {
            return Ok(last.runs.clone());
        }
        let runs = count.await?;
        let took = clock.now().micros_since(begun).max(0);
        let kept_for = took.saturating_mul(TIMES).min(LONGEST);
        *last = Some(Counted { at: begun, kept_for, runs: runs.clone() });
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A clock that is moved by hand.
    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Hand {
        fn goes(&self, millis: i64) {
            self.0.fetch_add(millis * 1_000, Ordering::Relaxed);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Ordering::Relaxed))
        }
    }

    /// Asks for the count; a new one would take so long and say so much.
    async fn ask(ended: &EndedRuns, clock: &Hand, millis: i64, runs: i64) -> i64 {
        let count = async {
            clock.goes(millis);
            Ok::<_, ()>(vec![(RunStatus::Completed, runs)])
        };
        ended.counted(clock, count).await.unwrap()[0].1
    }

    #[tokio::test]
    async fn a_count_is_kept_as_long_as_it_was_dear() {
        let (ended, clock) = (EndedRuns::default(), Hand::default());
        assert_eq!(ask(&ended, &clock, 20, 1).await, 1);
        clock.goes(1_979);
        assert_eq!(ask(&ended, &clock, 20, 2).await, 1, "kept for two seconds");
        clock.goes(1);
        assert_eq!(ask(&ended, &clock, 700, 3).await, 3, "counted anew");
        clock.goes(59_299);
        assert_eq!(ask(&ended, &clock, 700, 4).await, 3);
        clock.goes(1);
        assert_eq!(ask(&ended, &clock, 700, 5).await, 5, "never older than a minute");
        clock.goes(-10_000);
        assert_eq!(ask(&ended, &clock, 0, 6).await, 6, "the clock was put back");
        assert_eq!(ask(&ended, &clock, 0, 7).await, 7, "what costs nothing is not kept");
    }

    #[tokio::test]
    async fn a_count_in_vain_is_not_kept() {
        let (ended, clock) = (EndedRuns::default(), Hand::default());
        assert_eq!(ended.counted(&clock, async { Err(()) }).await, Err(()));
        assert_eq!(ended.counted(&clock, async { Ok::<_, ()>(vec![]) }).await, Ok(vec![]));
    }
}
