//! Tells the service's own log the end of the audit log, once an hour: whoever keeps that log elsewhere
//! can tell whether entries are missing at the end.

use std::time::Duration;

use niassa_metadb::MetaDb;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often the end is told.
const EVERY: Duration = Duration::from_hours(1);

/// Tells the end now and every hour, until the service stops.
pub(crate) async fn tell_hourly(metadb: MetaDb, stopping: CancellationToken) {
    let mut hours = tokio::time::interval(EVERY);
    hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopping.run_until_cancelled(hours.tick()).await.is_some() {
        match metadb.audit_head().await {
            Ok(head) => tracing::info!(%head, "the end of the audit log"),
            Err(error) => tracing::warn!(%error, "the end of the audit log cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;

    #[tokio::test]
    async fn it_ends_with_the_service() {
        let service = service().await;
        let stopping = CancellationToken::new();
        let telling = tokio::spawn(tell_hourly(service.app.metadb.clone(), stopping.clone()));
        stopping.cancel();
        telling.await.unwrap();
    }
}
