//! Connections: accepting, TLS, and an end to each within a bounded time.
//!
//! A connection that asks nothing for a while is closed, whatever it has sent so far: the library
//! below waits for a first line without end. One whose answer is still being sent is not silent.

mod in_flight;
mod peers;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::http::auth::Peer;
use in_flight::InFlight;
pub(crate) use peers::Peers;

/// Connections open at once; others wait in the listener's queue.
const MOST_CONNECTIONS: usize = 2_048;
/// How long a client may take for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take for the head of a request, or stay silent between two.
const HEAD: Duration = Duration::from_secs(75);
/// How long requests that are being answered when the service stops may take.
const STOP_WITHIN: Duration = Duration::from_millis(1_400);
/// Pause after an error of `accept`, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 128;

/// Accepts connections until the service stops. Those that are open then finish their requests.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    peers: Arc<Peers>,
    stopping: CancellationToken,
    connections: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let Some(of_peer) = peers.enter(peer.0) else {
            tracing::debug!("refused {}: it has too many connections", peer.0);
            continue;
        };
        let (tls, router, stopping) = (tls.clone(), router.clone(), stopping.clone());
        connections.spawn(async move {
            connection(stream, peer, tls, router, stopping).await;
            drop((place, of_peer));
        });
    }
    connections.close();
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, Peer(address.ip()), place)),
        Err(error) => {
            tracing::warn!("cannot accept a connection: {error}");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    tls: Option<TlsAcceptor>,
    router: Router,
    stopping: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("set_nodelay: {error}");
    }
    let Some(tls) = tls else { return drive(stream, peer, router, stopping, HEAD).await };
    let shaken = tokio::select! {
        () = stopping.cancelled() => return,
        shaken = tokio::time::timeout(HANDSHAKE, tls.accept(stream)) => shaken,
    };
    match shaken {
        Ok(Ok(stream)) => drive(stream, peer, router, stopping, HEAD).await,
        Ok(Err(error)) => tracing::debug!("TLS with {}: {error}", peer.0),
        Err(_) => tracing::debug!("TLS with {}: no handshake in time", peer.0),
    }
}

async fn drive<Stream>(
    stream: Stream,
    peer: Peer,
    router: Router,
    stopping: CancellationToken,
    silent: Duration,
) where
    Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let in_flight = InFlight::default();
    let counted = in_flight.clone();
    let service = tower::service_fn(move |mut request: axum::http::Request<_>| {
        request.extensions_mut().insert(peer);
        let begun = counted.begin();
        let answered = router.clone().oneshot(Request::map(request, axum::body::Body::new));
        async move { answered.await.map(|response| begun.until_sent(response)) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS);
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = asked_to_end(&in_flight, &stopping, silent) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = cut_off(&in_flight, &stopping) => {
                    return tell_cut(peer, &stopping);
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!("connection with {}: {error}", peer.0);
    }
}

/// Who is silent loses nothing; who waits for an answer while the service stops might.
fn tell_cut(peer: Peer, stopping: &CancellationToken) {
    if stopping.is_cancelled() {
        tracing::warn!("cut off {}: the service stops", peer.0);
    } else {
        tracing::debug!("cut off {}: it is silent", peer.0);
    }
}

/// Waits until a connection should take no further request.
async fn asked_to_end(in_flight: &InFlight, stopping: &CancellationToken, silent: Duration) {
    tokio::select! {
        () = stopping.cancelled() => {}
        () = in_flight.silence(silent) => {}
    }
}

/// Waits until a connection that should end has answered what it was asked at the last moment, or
/// the service cannot wait for that.
async fn cut_off(in_flight: &InFlight, stopping: &CancellationToken) {
    let stops = async {
        stopping.cancelled().await;
        tokio::time::sleep(STOP_WITHIN).await;
    };
    tokio::select! {
        () = stops => {}
        () = in_flight.silence(STOP_WITHIN) => {}
    }
}

#[cfg(test)]
mod tests;
