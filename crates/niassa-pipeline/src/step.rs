//! What happens around a step's command, in processes of their own.

pub mod provision;
