//! What happens around a step's command, in processes of their own.

mod command;
pub(crate) mod environment;
mod identity;
mod list;
mod memory;
mod outcome;
mod parents;
pub mod provision;
mod run_time;
pub mod runner;
mod watch;
