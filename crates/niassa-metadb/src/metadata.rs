//! Metadata objects: what runs and files descend from.

pub mod experiments;
pub mod imports;
pub mod lineage;
pub mod objects;
pub mod samples;
pub mod studies;
