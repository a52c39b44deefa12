//! The whole system as its users run it: real processes, real databases, real files.
//!
//! Every test has a site of its own: a service on a free port, a MetaDB, a work directory. What a
//! test starts ends with it.
#![expect(clippy::disallowed_methods, reason = "tests start processes and read the environment")]
#![expect(clippy::unwrap_used, reason = "what is not as it should be fails the test")]
#![expect(clippy::print_stderr, reason = "skips and seeds are told to whoever runs the tests")]
#![expect(unreachable_pub, reason = "`pub` says what the site offers to the tests")]

mod accounts;
mod agent;
mod bad_input;
mod bundle;
mod bundle_launch;
mod check;
mod cluster_bad_input;
mod cluster_reasons;
mod clusters;
mod cron;
mod documented;
mod durable;
mod faults;
mod founding_text;
mod hostile;
mod http;
mod kill_loop;
mod marks;
mod metadb_backup;
mod metrics;
mod on_change;
mod overlap;
mod previous_version;
mod printed;
mod provenance;
mod proxy;
mod reconcile;
mod retired_journals;
mod retry;
mod setup;
mod sge_adapter;
mod sge_runs;
mod sge_server;
mod site;
mod slurm_adapter;
mod slurm_server;
mod soak;
mod step_runner;
mod tls;
mod trace;
mod up;
mod watch;
mod whole_logs;
