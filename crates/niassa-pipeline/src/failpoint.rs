//! Points at which fault tests kill or stall a process.

/// Notes that a point was reached.
pub fn reach(_point: &str) {}
