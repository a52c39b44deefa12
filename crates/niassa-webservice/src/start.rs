//! Starting and stopping the service.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use niassa_metadb::schedule::Scheduler;
use niassa_metadb::{MetaDb, MetaDbError};
use niassa_model::time::Clock;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::app::{App, Parts, Scheme};
use crate::audit_heads;
use crate::bundle_store::BundleStore;
use crate::config::{ConfigError, ServiceConfig};
use crate::known_workflows::KnownWorkflows;
use crate::log_exchange::LogExchange;
use crate::metrics::Metrics;
use crate::pages::stream::Listeners;
use crate::proxies::Proxies;
use crate::server::Peers;
use crate::sign_in::SignIn;
use crate::tls::{self, TlsError};
use crate::usecases::watch::{MOST_STREAMS, NewestEntry};
use crate::{http, server};

/// How long closing the MetaDB may take.
const CLOSE_WITHIN: Duration = Duration::from_millis(400);

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error("the service cannot be configured so")]
    Config(#[from] ConfigError),
    /// The MetaDB cannot be opened or migrated.
    #[error("the service cannot use its MetaDB")]
    MetaDb(#[from] MetaDbError),
    /// The MetaDB is not of this version. One that is not embedded is migrated by hand, because
    /// other services may use it.
    #[error(
        "the MetaDB is not migrated to this version; run: seqware metadb migrate --metadb '{location}'"
    )]
    NotMigrated {
        /// Where it is, without a password.
        location: String,
    },
    /// The folder of archives cannot be made.
    #[error("make the folder of archives in {}", data.display())]
    Data {
        /// The data directory.
        data: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS cannot be spoken.
    #[error("the service cannot speak TLS")]
    Tls(#[from] TlsError),
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A service that runs. Dropping it begins to stop it; [`stop`](Self::stop) waits for the end.
pub struct RunningService {
    url: String,
    metadb: MetaDb,
    connections: TaskTracker,
    accepting: JoinHandle<()>,
    stopping: DropGuard,
}

/// Starts the service and returns when it answers.
pub async fn start(
    config: ServiceConfig,
    clock: Arc<dyn Clock>,
) -> Result<RunningService, StartError> {
    let address = config.listen();
    let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let app = app(&config, clock).await?;
    let listen = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    let url = config.public_url.unwrap_or_else(|| format!("{scheme}://{}", reachable(bound)));
    let (metadb, stopping) = (app.metadb.clone(), app.stopping.clone());
    let connections = TaskTracker::new();
    connections.spawn(audit_heads::tell_hourly(metadb.clone(), stopping.clone()));
    let accepting = tokio::spawn(server::serve(
        listener,
        tls,
        http::router(app),
        Peers::new(&config.trusted_proxies),
        stopping.clone(),
        connections.clone(),
    ));
    tracing::info!(%url, metadb = %metadb.location(), "the service listens on {bound}");
    Ok(RunningService { url, metadb, connections, accepting, stopping: stopping.drop_guard() })
}

impl RunningService {
    /// Returns the address by which clients reach the service.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Stops accepting, ends streams of events, lets requests finish for a moment, and closes the
    /// MetaDB.
    pub async fn stop(self) {
        drop(self.stopping);
        // A panic of the accepting task was logged; there is nothing left to accept.
        drop(self.accepting.await);
        self.connections.wait().await;
        let closed = tokio::time::timeout(CLOSE_WITHIN, self.metadb.close()).await;
        if closed.is_err() {
            tracing::warn!("the MetaDB was still in use when the service stopped");
        }
    }
}

/// Opens what the service is made of.
pub(crate) async fn app(config: &ServiceConfig, clock: Arc<dyn Clock>) -> Result<App, StartError> {
    let lease = config.lease()?;
    let data = config.data();
    let store = BundleStore::open(data, clock.now())
        .map_err(|source| StartError::Data { data: data.to_owned(), source })?;
    let metadb = MetaDb::connect(config.location()?).await?;
    if metadb.is_embedded() {
        metadb.migrate().await?;
    } else if !metadb.is_migrated().await {
        return Err(StartError::NotMigrated { location: metadb.location().to_string() });
    }
    let has_accounts = metadb.has_accounts().await?;
    if !has_accounts {
        let location = metadb.location();
        tracing::warn!(
            "no account exists yet; run: seqware metadb init --metadb {location} --admin EMAIL"
        );
    }
    Ok(App::new(Parts {
        deployment: metadb.deployment().await?,
        scheduler: Scheduler::start(&metadb),
        workflows: KnownWorkflows::default(),
        changed: watch::Sender::new(()),
        metadb,
        store,
        lease,
        stopping: CancellationToken::new(),
        clock,
        sign_in: SignIn::new(),
        proxies: Proxies::new(&config.trusted_proxies),
        reached_over: reached_over(config),
        public_host: config.public_url.as_deref().and_then(host_of).map(str::to_owned),
        metrics: Metrics::default(),
        streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        logs: Arc::new(LogExchange::new()),
        newest: NewestEntry::default(),
        listeners: Listeners::default(),
        has_accounts: AtomicBool::new(has_accounts),
    }))
}

/// Returns host and port of a URL, as the header `Host` has them.
fn host_of(url: &str) -> Option<&str> {
    url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest))
}

/// Tells how people reach the service: what its address says counts, else whether it speaks TLS.
fn reached_over(config: &ServiceConfig) -> Scheme {
    let says_https = config.public_url.as_deref().map(|url| url.starts_with("https:"));
    if says_https.unwrap_or(config.tls.is_some()) { Scheme::Https } else { Scheme::Http }
}

/// Returns an address that a client can connect to: a service that listens on all is on this
/// machine's own as well.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests;
