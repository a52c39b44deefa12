//! The MetaDB: migrations and every line of SQL, on SQLite and PostgreSQL, with one text for both.
//!
//! A collection is a module, named as on every other floor; each adds its functions to [`MetaDb`].
//! Every function that reads or writes on somebody's behalf takes an [`Access`] or an account, and
//! the check is part of the statement. Columns are whole numbers and text, nothing else; arrays
//! travel as one JSON text through `json_each($1)`. The crate decides nothing: what follows from a
//! fact or a request is `niassa-model`'s business.

#[macro_use]
mod statement;

pub mod access;
pub mod accounts;
pub mod actions;
pub mod audit;
pub mod backup;
mod bulk;
pub mod bundles;
pub mod claims;
mod creating;
mod deployment;
pub mod desires;
mod dialect;
pub mod error;
pub mod events;
pub mod facts;
pub mod files;
pub mod gauges;
pub mod grants;
pub mod holds;
pub mod idempotency;
pub mod launchers;
pub mod limits;
pub mod location;
pub mod metadata;
mod pool;
pub mod recovery;
pub mod reports;
mod revoking;
mod run_state;
pub mod runs;
pub mod schedule;
pub mod sessions;
pub mod soundness;
mod step_columns;
pub mod steps;
pub mod tokens;
pub mod workflows;
mod writer;

pub use access::Access;
pub use error::{MetaDbError, Result};
pub use location::{Location, ServerAccess};
pub use pool::MetaDb;

#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod testing;
