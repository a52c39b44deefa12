//! What was looked at and found right: each is said and counted; the first that is not ends the lab.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

/// No condition is awaited longer, but for cron's minute.
pub(super) const CEILING: Duration = Duration::from_secs(30);
/// The longest way to cron's next minute, and what it does then on a busy machine.
pub(super) const MINUTE: Duration = Duration::from_secs(80);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The checks of a lab.
#[derive(Debug, Default)]
pub(super) struct Checks {
    passed: u32,
}

impl Checks {
    /// Returns how many passed.
    pub(super) fn passed(&self) -> u32 {
        self.passed
    }

    /// Counts a thing that was found right.
    pub(super) fn holds(&mut self, what: impl Display) {
        self.passed += 1;
        println!("ok {what}");
    }

    /// Looks at a condition.
    pub(super) fn is_true(
        &mut self,
        what: impl Display,
        holds: bool,
        seen: impl Display,
    ) -> Result<()> {
        ensure!(holds, "not so: {what}; there is:\n{seen}");
        self.holds(what);
        Ok(())
    }

    /// Compares two texts.
    pub(super) fn is_equal(&mut self, what: impl Display, seen: &str, wanted: &str) -> Result<()> {
        let wanted = wanted.trim_end();
        let seen = seen.trim_end();
        ensure!(seen == wanted, "not so: {what}; wanted:\n{wanted}\nthere is:\n{seen}");
        self.holds(what);
        Ok(())
    }
}

/// Waits until something is so; `look` returns what it found, as an error to be told at the end.
pub(super) fn wait_for<T>(
    what: impl Display,
    at_most: Duration,
    mut look: impl FnMut() -> Result<Result<T, String>>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        match look()? {
            Ok(found) => return Ok(found),
            Err(seen) if began.elapsed() > at_most => {
                bail!("{what}: not within {} seconds; there is:\n{seen}", at_most.as_secs())
            }
            Err(_) => thread::sleep(LOOK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_is_counted_and_what_is_not_is_told() {
        let mut checks = Checks::default();
        checks.is_equal("the same", "a\n", "a").unwrap();
        checks.is_true("true", true, "").unwrap();
        let error = checks.is_equal("another", "a", "b").unwrap_err().to_string();
        assert!(error.contains("not so: another") && error.contains('b'), "{error}");
        assert_eq!(checks.passed(), 2);
    }

    #[test]
    fn waiting_ends_with_what_was_seen_last() {
        let mut looks = 0;
        let look = || {
            looks += 1;
            Ok(if looks == 2 { Ok(looks) } else { Err("not yet".to_owned()) })
        };
        assert_eq!(wait_for("it", CEILING, look).unwrap(), 2);
        let error = wait_for::<()>("it", Duration::ZERO, || Ok(Err("nothing".to_owned())));
        assert!(error.unwrap_err().to_string().contains("nothing"));
    }
}
