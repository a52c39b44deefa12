//! One vocabulary for the Web Service, the command line, the launchers and the tests.
//!
//! Requests, answers and routes stand here once, each in a module named like its collection. The
//! types are the wire's own: the domain's rules are in `niassa-model`, whose newtypes they carry.

pub mod accounts;
pub mod audit;
pub mod bundles;
pub mod claims;
#[cfg(feature = "client")]
pub mod client;
pub mod error;
pub mod events;
pub mod facts;
pub mod files;
pub mod grants;
pub mod hosts;
pub mod limits;
pub mod logs;
pub mod metadata;
pub mod page;
pub mod paths;
pub mod recovery;
pub mod reports;
pub mod runs;
pub mod service;
pub mod workflows;
