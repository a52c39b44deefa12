//! The part of the test that runs on the node.

use std::fs;
use std::path::{Path, PathBuf};

use niassa_model::time::Timestamp;
use niassa_pipeline::node_test;
use niassa_pipeline::place::{machine, os_user};
use serde::{Deserialize, Serialize};

use super::super::found::Found;
use super::super::{machine as of_machine, work};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What the node is told.
#[derive(Serialize, Deserialize)]
pub(super) struct Question {
    /// The work directory, by its path on the machine that asks.
    pub(super) work_dir: PathBuf,
}

/// What the node says.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    /// Its name.
    pub(super) machine: String,
    /// Whom the job ran as.
    pub(super) os_user: String,
    /// The version of the program that ran.
    pub(super) version: String,
    /// The node's clock.
    pub(super) now: Timestamp,
    /// The id of the work directory as the node sees it; empty where it sees none.
    pub(super) work_dir_id: String,
    /// What was found there.
    pub(super) found: Vec<Found>,
}

/// The hidden verb that is started on the node.
#[derive(clap::Args)]
pub struct NodeCheckArgs {
    /// The test's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Looks at this node and writes what was found.
pub fn on_node(args: &NodeCheckArgs, context: &Context) -> Result<Exit, Failure> {
    let failed = |error| Failure::io(format_args!("answer in {}", args.folder.display()), error);
    let unexpected = |error: serde_json::Error| Failure::of(Exit::Unexpected, &error);
    let question = node_test::question(&args.folder).map_err(failed)?;
    let question: Question = serde_json::from_slice(&question).map_err(unexpected)?;
    let mut found = work::of_folder(&question.work_dir, context.now());
    found.extend(of_machine::of_steps());
    let answer = Answer {
        machine: machine(),
        os_user: os_user(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: context.now(),
        work_dir_id: id_of(&question.work_dir),
        found,
    };
    let text = serde_json::to_vec(&answer).map_err(unexpected)?;
    node_test::write_answer(&args.folder, &text).map_err(failed)?;
    Ok(Exit::Done)
}

/// Returns the id of a work directory; empty where there is none.
pub(super) fn id_of(work_dir: &Path) -> String {
    fs::read_to_string(work_dir.join(".niassa-id")).unwrap_or_default().trim().to_owned()
}
