//! Every bound and waiting time of the system, in one place.

use std::time::Duration;

/// How long a claim on a run lasts when `service.toml` says nothing else.
pub const LEASE: Duration = Duration::from_mins(1);
/// The lease times that `service.toml` may ask for, in seconds.
pub const LEASE_SECONDS: std::ops::RangeInclusive<u64> = 1..=600;
/// Runs given to a launcher by one call.
pub const CLAIM_BATCH: u32 = 50;
/// Runs of a tick's first batch: it is under way while the next one is made ready.
pub const FIRST_BATCH: u32 = 16;
/// So many waiting runs of an account are counted by a claim; there may be more.
pub const WAITING_COUNTED: u64 = 10_000;
/// Runs that are handed to a cluster together.
pub const CLUSTER_BATCH: usize = 200;
/// Longest wait before a run whose claims ended without a record is offered again, in seconds.
pub const CLAIM_BACKOFF_SECONDS: i64 = 60;
/// Facts accepted by one call, and steps recorded by one call.
pub const FACTS_PER_CALL: usize = 1_000;
/// Bytes of each stream of an attempt that the MetaDB keeps.
pub const LOG_TAIL_BYTES: usize = 64 * 1024;
/// Bytes of a log that are read at once.
pub const LOG_RANGE_BYTES: u32 = 256 * 1024;
/// How long the service waits for an agent that is to read a part of a log.
pub const LOG_WAIT: Duration = Duration::from_secs(10);
/// Rows of a page when the caller does not say.
pub const PAGE: u32 = 50;
/// Most rows of a page.
pub const PAGE_MOST: u32 = 500;
/// Steps of one plan.
pub const PLAN_STEPS: usize = 100_000;
/// Bytes of one `plan.json`.
pub const PLAN_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of a bundle archive, packed and unpacked.
pub const ARCHIVE_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Entries of a bundle archive.
pub const ARCHIVE_ENTRIES: usize = 100_000;
/// Unpacked bytes per packed byte of a bundle archive.
pub const ARCHIVE_RATIO: u64 = 200;
/// Bytes of one ini file.
pub const INI_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a host label.
pub const HOST_LABEL_BYTES: usize = 1_024;
/// Lost attempts of a step that are repeated without counting against its policy.
pub const LOST_ATTEMPTS: u32 = 2;
/// How long the local supervisor stays without a step.
pub const SUPERVISOR_IDLE: Duration = Duration::from_mins(5);
/// Time between SIGTERM and SIGKILL when a step is stopped.
pub const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long a verified password or token is remembered by the service.
pub const CREDENTIAL_CACHE: Duration = Duration::from_mins(1);
/// How long a person stays signed in on the pages without using them.
pub const SESSION_IDLE: Duration = Duration::from_hours(12);
/// How long a person stays signed in on the pages at most.
pub const SESSION_LONGEST: Duration = Duration::from_hours(7 * 24);
/// Longest time a client waits for an answer of the service.
pub const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// How long one call of a scheduler's program may take.
pub const SCHEDULER_CALL: Duration = Duration::from_secs(30);
/// Bytes of a scheduler's answer that are read; more is an error.
pub const SCHEDULER_ANSWER_BYTES: u64 = 256 * 1024 * 1024;
/// Submissions under way at a time.
pub const SUBMISSIONS_IN_FLIGHT: usize = 8;
/// Jobs of one run in a cluster's queue, when `SW_MAX_JOBS` says nothing else.
pub const MAX_JOBS: usize = 1_000;
/// Parents up to which a job names them to the scheduler; with more it is submitted after them.
pub const NATIVE_PARENTS: usize = 1_000;
/// Steps of one `foreach` from which on they become a job array.
pub const ARRAY_FROM: usize = 4;

/// The waits of clusters. They follow from the service's lease, so that tests need not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClusterWaits {
    /// How long after its intent an unseen job counts as vanished.
    pub settle: Duration,
    /// How long the end of a claimed job is waited for, once the scheduler says that it is over.
    pub accounting_grace: Duration,
    /// How long a job may run without having claimed its attempt.
    pub unclaimed: Duration,
    /// How often a step runner says that it is alive, and looks whether it is to stop.
    pub alive: Duration,
    /// How long `alive` has to keep one value before a fenced attempt is lost.
    pub silent: Duration,
    /// How long after its end an attempt's job may still be listed.
    pub ghost: Duration,
    /// How long a step runner looks for the success of the steps before.
    pub parents: Duration,
}

impl ClusterWaits {
    /// The waits for the usual lease of 60 seconds.
    pub const USUAL: Self = Self {
        settle: Duration::from_secs(35),
        accounting_grace: Duration::from_mins(5),
        unclaimed: Duration::from_mins(10),
        alive: Duration::from_secs(30),
        silent: Duration::from_mins(10),
        ghost: Duration::from_mins(1),
        parents: Duration::from_mins(1),
    };

    /// Returns the waits for a lease of so many seconds: shorter for a shorter lease, never longer.
    pub fn for_lease(seconds: u64) -> Self {
        let scaled = |wait: Duration, least: Duration| {
            let share = u32::try_from(seconds.min(60)).unwrap_or(60);
            (wait * share / 60).max(least)
        };
        let usual = Self::USUAL;
        Self {
            settle: scaled(usual.settle, Duration::from_secs(3)),
            accounting_grace: scaled(usual.accounting_grace, Duration::from_secs(3)),
            unclaimed: scaled(usual.unclaimed, Duration::from_secs(20)),
            alive: scaled(usual.alive, Duration::from_secs(1)),
            silent: scaled(usual.silent, Duration::from_secs(5)),
            ghost: scaled(usual.ghost, Duration::from_secs(3)),
            parents: scaled(usual.parents, Duration::from_secs(3)),
        }
    }
}
