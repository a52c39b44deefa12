//! The nouns and the rules of Niassa.
//!
//! Everything here is a value or a total function of values: no input or output, no clock, no
//! randomness, no database. What a run is, which statuses follow which, what an account may do, and
//! what must be done next about a run are decided here; the other crates only act on it.

pub mod accession;
pub mod account;
pub mod file;
pub mod host;
pub mod job;
pub mod limits;
pub mod place;
pub mod plan;
pub mod resources;
pub mod run;
pub mod step;
pub mod time;
