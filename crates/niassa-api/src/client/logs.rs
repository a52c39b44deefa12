//! Calls about whole logs.

use niassa_model::accession::Accession;
use niassa_model::step::StepIndex;
use uuid::Uuid;

use super::transport::Repeat;
use super::{Client, ClientError};
use crate::logs::{LogAnswer, LogPart, LogQuery};
use crate::paths::{self, fill};

impl Client {
    /// Returns a part of the log of a step.
    pub async fn step_log(
        &self,
        run: Accession,
        step: StepIndex,
        query: &LogQuery,
    ) -> Result<LogPart, ClientError> {
        self.list(&fill(&fill(paths::RUN_STEP_LOG, run), step), query).await
    }

    /// Answers a request to read a part of a log. A request that somebody else answered, or for which nobody
    /// waits any more, is not found.
    pub async fn answer_log(&self, id: Uuid, answer: &LogAnswer) -> Result<(), ClientError> {
        self.post(&fill(paths::LOG_ANSWER, id), answer, Repeat::IfUnsent).await
    }
}
