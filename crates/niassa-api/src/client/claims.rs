//! Calls of launchers and propagators: claims, facts, actions.

use super::transport::Repeat;
use super::{Client, ClientError};
use crate::claims::{ActionAnswers, ClaimRuns, ClaimStates, Claimed, HeldClaims, RecordActions};
use crate::facts::{FactsRecorded, RecordFacts};
use crate::paths;

impl Client {
    /// Claims runs. A claim whose answer is lost lapses by itself.
    pub async fn claim_runs(&self, request: &ClaimRuns) -> Result<Claimed, ClientError> {
        self.post(paths::CLAIMS, request, Repeat::IfUnsent).await
    }

    /// Makes claims last longer.
    pub async fn renew_claims(&self, request: &HeldClaims) -> Result<ClaimStates, ClientError> {
        self.post(paths::CLAIMS_RENEW, request, Repeat::Safe).await
    }

    /// Gives claims back.
    pub async fn release_claims(&self, request: &HeldClaims) -> Result<ClaimStates, ClientError> {
        self.post(paths::CLAIMS_RELEASE, request, Repeat::Safe).await
    }

    /// Records what is positively known of attempts; recording it twice changes nothing.
    pub async fn record_facts(&self, request: &RecordFacts) -> Result<FactsRecorded, ClientError> {
        self.post(paths::FACTS, request, Repeat::Safe).await
    }

    /// Records what the holder of claims did.
    pub async fn record_actions(
        &self,
        request: &RecordActions,
    ) -> Result<ActionAnswers, ClientError> {
        self.post(paths::ACTIONS, request, Repeat::IfUnsent).await
    }
}
