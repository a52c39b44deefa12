//! What must be done next about a run.
