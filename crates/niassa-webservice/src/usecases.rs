//! Use cases: one verb, one file. Each decides with `niassa-model` and asks the MetaDB.
//!
//! A use case knows neither requests nor answers of HTTP; its error is [`Failed`](crate::error::Failed).

pub(crate) mod act;
pub(crate) mod cancel;
pub(crate) mod change_account;
pub(crate) mod claim;
pub(crate) mod create_account;
pub(crate) mod create_metadata;
pub(crate) mod create_token;
pub(crate) mod create_workflow;
pub(crate) mod describe_workflow;
pub(crate) mod find_object;
mod findings;
pub(crate) mod grant_launch;
pub(crate) mod hold_host;
pub(crate) mod import_run;
pub(crate) mod install_bundle;
mod launch_at_once;
pub(crate) mod lineage;
pub(crate) mod look;
pub(crate) mod mark;
pub(crate) mod prioritize;
pub(crate) mod read_log;
pub(crate) mod record;
pub(crate) mod record_file;
pub(crate) mod recover_run;
pub(crate) mod report;
pub(crate) mod reschedule;
pub(crate) mod retry;
pub(crate) mod revoke_token;
pub(crate) mod schedule;
pub(crate) mod session;
pub(crate) mod set_limit;
pub(crate) mod set_password;
pub(crate) mod share_study;
mod shortened;
pub(crate) mod survey;
pub(crate) mod watch;
