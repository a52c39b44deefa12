//! How soon a run is claimed again for an action. Where a claim changes nothing, as when its
//! directory is gone, the next one comes later each time; somebody has to mend it first.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use niassa_model::accession::Accession;

/// The pause after an action; doubled while actions follow each other.
const FIRST: Duration = Duration::from_millis(250);

/// The longest pause.
const LONGEST: Duration = Duration::from_mins(1);

/// From so many pauses' time without an action on, a run begins anew.
const CALM: u32 = 4;

/// When runs were acted on, and how long they then rest.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    runs: HashMap<Accession, (Instant, Duration)>,
}

impl Pauses {
    /// Tells whether a run may be claimed now.
    pub(super) fn is_due(&self, run: Accession) -> bool {
        self.runs.get(&run).is_none_or(|(at, pause)| at.elapsed() >= *pause)
    }

    /// Notes that a run was claimed for an action.
    pub(super) fn acted(&mut self, run: Accession) {
        let now = Instant::now();
        self.runs.retain(|_, (at, pause)| at.elapsed() < *pause * CALM);
        let pause = self.runs.get(&run).map_or(FIRST, |(_, pause)| (*pause * 2).min(LONGEST));
        self.runs.insert(run, (now, pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_stays_as_it_is_is_claimed_less_and_less() {
        let run = 7.try_into().unwrap();
        let mut pauses = Pauses::default();
        assert!(pauses.is_due(run));
        let mut lengths = Vec::new();
        for _ in 0..10 {
            pauses.acted(run);
            assert!(!pauses.is_due(run));
            lengths.push(pauses.runs[&run].1);
        }
        assert!(lengths.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!((lengths[0], lengths[9]), (FIRST, LONGEST));
    }
}
