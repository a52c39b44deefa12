//! Metadata objects: what runs and files descend from.

pub mod experiments;
pub mod imports;
pub mod lineage;
pub mod objects;
pub mod readers;
pub mod samples;
pub mod studies;
