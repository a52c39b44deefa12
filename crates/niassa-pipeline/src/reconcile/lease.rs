//! Keeping claims alive while a batch is worked on.

use std::time::Duration;

use niassa_api::claims::{HeldClaim, HeldClaims};
use niassa_api::client::Client;
use tokio::task::JoinHandle;

/// Claims that are renewed at a third of their time until they are given back.
pub(crate) struct Lease {
    client: Client,
    held: HeldClaims,
    renewal: JoinHandle<()>,
}

impl Lease {
    /// Begins to renew claims in the background.
    pub(crate) fn keep(
        client: Client,
        holder: String,
        runs: Vec<HeldClaim>,
        lease_seconds: u64,
    ) -> Self {
        let held = HeldClaims { holder, runs };
        let every = Duration::from_millis((lease_seconds * 1_000 / 3).max(100));
        let renewal = tokio::spawn(renew(client.clone(), held.clone(), every));
        Self { client, held, renewal }
    }

    /// Gives all claims back. A claim that cannot be given back lapses by itself.
    pub(crate) async fn release(self) {
        self.renewal.abort();
        if let Err(error) = self.client.release_claims(&self.held).await {
            tracing::debug!(%error, "claims could not be given back; they lapse");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Renews until it is stopped. A renewal that fails is tried again at the next turn: whether a
/// claim still counts is told by the answer to the next record, not here.
async fn renew(client: Client, held: HeldClaims, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = client.renew_claims(&held).await {
            tracing::debug!(%error, "claims could not be renewed");
        }
    }
}
