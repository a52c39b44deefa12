//! Marks as pages show them: each leads to all runs that have it.

use niassa_api::runs::{GivenMark, Run};

use super::form::query;
use super::words::{Moment, moment, shown};

/// A mark of a run.
pub(super) struct Chip {
    pub(super) word: String,
    /// Where the runs with this mark are.
    pub(super) path: String,
    /// Who gave it.
    pub(super) account: String,
    pub(super) at: Moment,
}

/// Shows the marks of a run.
pub(super) fn chips(run: &Run) -> Vec<Chip> {
    run.marks.iter().map(chip).collect()
}

fn chip(given: &GivenMark) -> Chip {
    let search = format!("mark:{}", given.mark);
    Chip {
        word: shown(given.mark.as_str()),
        path: format!("/runs?{}", query([("q", search.as_str())])),
        account: shown(&given.account),
        at: moment(given.at),
    }
}
