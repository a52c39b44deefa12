//! The workflow bundle: its manifest, its ini files, the values of a run, and the plan made of them.
//!
//! A bundle is a directory or zip with a `workflow.yaml` and whatever its steps need. Everything
//! here works on text and files that the caller names: building a plan needs no database, no
//! network, no process, no clock and no environment.

pub mod archive;
pub mod ini;
pub mod manifest;
pub mod planner;
pub mod values;

mod output_path;
mod similar;
mod yaml;
