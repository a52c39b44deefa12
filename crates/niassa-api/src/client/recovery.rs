//! Calls about runs that the MetaDB forgot.

use super::transport::Repeat;
use super::{Client, ClientError};
use crate::paths;
use crate::recovery::{FindRuns, FoundRuns, RecoverRun, RecoveredRun};

impl Client {
    /// Asks which of these runs are known, by their tags.
    pub async fn find_runs(&self, request: &FindRuns) -> Result<FoundRuns, ClientError> {
        self.post(paths::RUNS_FIND, request, Repeat::Safe).await
    }

    /// Tells of a run that is not known. Telling it again changes nothing.
    pub async fn recover_run(&self, request: &RecoverRun) -> Result<RecoveredRun, ClientError> {
        self.post(paths::RUNS_RECOVER, request, Repeat::Safe).await
    }
}
