//! What every handler and use case shares. Cloning it costs one count.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use niassa_metadb::MetaDb;
use niassa_metadb::schedule::Scheduler;
use niassa_model::time::Clock;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::bundle_store::BundleStore;
use crate::error::Failed;
use crate::known_workflows::KnownWorkflows;
use crate::log_exchange::LogExchange;
use crate::metrics::Metrics;
use crate::pages::stream::Listeners;
use crate::proxies::Proxies;
use crate::sign_in::SignIn;
use crate::usecases::watch::NewestEntry;

/// The service's state, shared by all requests.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// What the service is made of.
pub(crate) struct Parts {
    /// The MetaDB.
    pub(crate) metadb: MetaDb,
    /// What tells it from every other one.
    pub(crate) deployment: String,
    /// Accepts runs, many at a time.
    pub(crate) scheduler: Scheduler,
    /// Manifests that were read before.
    pub(crate) workflows: KnownWorkflows,
    /// Told whenever a request may have changed something: those who follow the log look again.
    pub(crate) changed: watch::Sender<()>,
    /// The archives of bundles.
    pub(crate) store: BundleStore,
    /// How long a claim lasts.
    pub(crate) lease: Duration,
    /// Cancelled when the service stops: streams of events end then.
    pub(crate) stopping: CancellationToken,
    /// The one door to the time; leases and logs go by the MetaDB's clock instead.
    pub(crate) clock: Arc<dyn Clock>,
    /// Who is asking.
    pub(crate) sign_in: SignIn,
    /// Whose word about a client's address counts.
    pub(crate) proxies: Proxies,
    /// Whether people reach the service over TLS, its own or a proxy's.
    pub(crate) reached_over: Scheme,
    /// Host and port of the address by which people reach the service, where it is configured.
    pub(crate) public_host: Option<String>,
    /// What was served.
    pub(crate) metrics: Metrics,
    /// Places of those who follow the log.
    pub(crate) streams: Arc<Semaphore>,
    /// Readers of whole logs, and the agents that read the files.
    pub(crate) logs: Arc<LogExchange>,
    /// How far the log is, for those who follow it.
    pub(crate) newest: NewestEntry,
    /// Pages that listen for what changes.
    pub(crate) listeners: Listeners,
    /// Whether an account was found; none ever goes away again.
    pub(crate) has_accounts: AtomicBool,
}

/// How people reach the service, as far as its configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Over TLS.
    Https,
    /// Perhaps without; a proxy may still speak TLS.
    Http,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Tells whether anybody could sign in; asks the MetaDB only until somebody can.
    pub(crate) async fn has_accounts(&self) -> Result<bool, Failed> {
        if self.has_accounts.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let found = self.metadb.has_accounts().await?;
        self.has_accounts.store(found, Ordering::Relaxed);
        Ok(found)
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
