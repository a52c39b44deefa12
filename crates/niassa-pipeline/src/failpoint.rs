//! Places at which a test ends or stops this very process, to see what others make of it.
//!
//! `NIASSA_FAILPOINT="point=kill"` or `"point=stall"`, with `@n` for the n-th time that the point is
//! reached, several separated by commas. The environment is read here although only settings may:
//! a point lies between two system calls of a library that knows no settings. In release builds
//! there is none of this.

/// Says that this point is reached.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn reach(_point: &str) {}

/// Says that this point is reached.
#[cfg(debug_assertions)]
pub(crate) fn reach(point: &str) {
    active::reach(point);
}

/// Returns how large a journal of the local engine becomes: as large as usual.
#[cfg(not(debug_assertions))]
pub(crate) fn journal_bytes(usual: u64) -> u64 {
    usual
}

/// Returns how large a journal of the local engine becomes: what a test says by `NIASSA_JOURNAL_BYTES`.
#[cfg(debug_assertions)]
pub(crate) fn journal_bytes(usual: u64) -> u64 {
    active::variable("NIASSA_JOURNAL_BYTES").parse().unwrap_or(usual)
}

#[cfg(debug_assertions)]
mod active {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use rustix::process::{Signal, getpid, kill_process};

    static FAULTS: LazyLock<Vec<Fault>> = LazyLock::new(|| parse(&variable("NIASSA_FAILPOINT")));
    static REACHED: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

    /// What happens where.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum What {
        Kill,
        Stall,
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Fault {
        point: String,
        what: What,
        at: u32,
    }

    #[expect(clippy::disallowed_methods, reason = "an exception for tests, see above")]
    pub(super) fn variable(name: &str) -> String {
        std::env::var(name).unwrap_or_default()
    }

    fn parse(text: &str) -> Vec<Fault> {
        text.split(',').filter_map(|one| parse_one(one.trim())).collect()
    }

    fn parse_one(text: &str) -> Option<Fault> {
        let (point, what) = text.split_once('=')?;
        let (what, at) = what.split_once('@').unwrap_or((what, "1"));
        let what = match what {
            "kill" => What::Kill,
            "stall" => What::Stall,
            _ => return None,
        };
        Some(Fault { point: point.to_owned(), what, at: at.parse().ok()? })
    }

    pub(super) fn reach(point: &str) {
        if FAULTS.is_empty() {
            return;
        }
        let times = {
            let mut reached = REACHED.lock().unwrap_or_else(PoisonError::into_inner);
            let times = reached.entry(point.to_owned()).or_default();
            *times += 1;
            *times
        };
        for fault in FAULTS.iter().filter(|fault| fault.point == point && fault.at == times) {
            let signal = match fault.what {
                What::Kill => Signal::KILL,
                What::Stall => Signal::STOP,
            };
            if let Err(error) = kill_process(getpid(), signal) {
                tracing::error!(point, %error, "a fault could not be made");
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn faults_are_read() {
            let fault = |point: &str, what, at| Fault { point: point.to_owned(), what, at };
            assert_eq!(
                parse("runner.claimed=kill, a.b=stall@3"),
                [fault("runner.claimed", What::Kill, 1), fault("a.b", What::Stall, 3)]
            );
            assert_eq!(parse(",x,a=b,a=kill@x"), []);
        }
    }
}
