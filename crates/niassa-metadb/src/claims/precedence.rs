//! Claims go first: while one is under way, no batch of schedules begins, for a moment at most.
//!
//! On a busy machine both compete for its processors, and a launcher waits for its claim while nobody
//! notices whether a schedule is part of this batch or of the next, larger one. The pause is bounded,
//! so that launchers without end keep nobody from scheduling. In this process alone: it is courtesy, and
//! nothing is wrong where it fails.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// The longest pause before a batch. Two claims take about as long.
const PAUSE: Duration = Duration::from_millis(25);

/// How many claims are under way.
#[derive(Debug)]
pub(crate) struct Precedence(watch::Sender<usize>);

/// A claim that is under way until this is dropped.
pub(crate) struct UnderWay<'precedence>(&'precedence Precedence);

impl Default for Precedence {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Precedence {
    /// Notes that a claim begins.
    pub(crate) fn claim(&self) -> UnderWay<'_> {
        self.0.send_modify(|claims| *claims += 1);
        UnderWay(self)
    }

    /// Returns once no claim is under way, or the pause is over.
    pub(crate) async fn of_claims(&self) {
        let mut claims = self.0.subscribe();
        // Late, or ended with its sender: either way there is nothing to wait for any more.
        let _ended = timeout(PAUSE, claims.wait_for(|claims| *claims == 0)).await;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|claims| *claims -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_batch_waits_for_the_claims_under_way_and_not_for_ever() {
        let precedence = Precedence::default();
        precedence.of_claims().await;
        let moment = Duration::from_millis(1);
        let (one, other) = (precedence.claim(), precedence.claim());
        assert!(timeout(moment, precedence.of_claims()).await.is_err());
        drop(one);
        assert!(timeout(moment, precedence.of_claims()).await.is_err());
        drop(other);
        assert!(timeout(moment, precedence.of_claims()).await.is_ok());
        let _stuck = precedence.claim();
        let begun = Instant::now();
        precedence.of_claims().await;
        assert!(begun.elapsed() >= PAUSE);
    }
}
