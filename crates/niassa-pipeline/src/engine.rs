//! Engines: what starts the steps of a run and tells how they ended.

pub mod cluster;
pub mod local;
