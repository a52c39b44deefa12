//! Every bound and waiting time of the system, in one place.

use std::time::Duration;

/// How long a claim on a run lasts when `service.toml` says nothing else.
pub const LEASE: Duration = Duration::from_mins(1);
/// The lease times that `service.toml` may ask for, in seconds.
pub const LEASE_SECONDS: std::ops::RangeInclusive<u64> = 1..=600;
/// Runs given to a launcher by one call.
pub const CLAIM_BATCH: u32 = 50;
/// Longest wait before a run whose claims ended without a record is offered again, in seconds.
pub const CLAIM_BACKOFF_SECONDS: i64 = 60;
/// Facts accepted by one call, and steps recorded by one call.
pub const FACTS_PER_CALL: usize = 1_000;
/// Bytes of each stream of an attempt that the MetaDB keeps.
pub const LOG_TAIL_BYTES: usize = 64 * 1024;
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
/// Longest time a client waits for an answer of the service.
pub const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
