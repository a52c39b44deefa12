//! Telling why a run that was claimed is not launched after all.
//!
//! Another launcher that was faster, or a person who cancelled, are no news to whoever launches. That the
//! run's account has taken back its leave is: only a person can give it again.

use niassa_api::error::ProblemCode;
use niassa_model::accession::Accession;

use super::{Listener, Reconciler, WorkEvent};

/// What is said of a run that may not be launched from here any more.
const WITHDRAWN: &str = "it may not be launched by this account any more: the grant was withdrawn or \
    has expired, and nothing more of it is handed over from here (its owner: seqware grant launch)";

impl Reconciler {
    /// Tells of runs whose claims count no more because their account took back its leave.
    pub(super) async fn tell_withdrawn(&self, stale: Vec<Accession>, on: Listener<'_>) {
        for run in stale {
            // Whoever may not launch a run does not see it either. Other answers say nothing about that.
            if let Err(error) = self.client.run(run).await
                && error.code() == Some(ProblemCode::NotFound)
            {
                on(WorkEvent::Problem(run, WITHDRAWN.to_owned()));
            }
        }
    }
}
