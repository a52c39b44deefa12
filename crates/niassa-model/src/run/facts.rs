//! From facts of steps to events of runs.
