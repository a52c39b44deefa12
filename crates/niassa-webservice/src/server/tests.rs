//! When connections are closed, and when they are not.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::routing::get;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

const SILENT: Duration = Duration::from_millis(40);

/// Answers for six times as long as a connection may be silent.
async fn long() -> Body {
    Body::from_stream(stream::unfold(0, |piece| async move {
        tokio::time::sleep(SILENT * 2).await;
        (piece < 3).then_some((Ok::<_, Infallible>("piece"), piece + 1))
    }))
}

fn connected() -> DuplexStream {
    let (client, server) = tokio::io::duplex(1_024);
    let router = Router::new().route("/long", get(long)).route("/short", get(|| async { "short" }));
    let peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));
    tokio::spawn(
        async move { drive(server, peer, router, CancellationToken::new(), SILENT).await },
    );
    client
}

/// Sends something and returns all that comes before the service closes the connection.
async fn sent(request: &str) -> String {
    let mut client = connected();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = client.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("it is closed").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed() {
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let (silent, half, preface) = tokio::join!(sent(""), sent("GET /sh"), sent(preface));
    assert_eq!(silent, "");
    assert!(!half.contains("200"), "{half}");
    assert!(!preface.contains("200"), "{preface}");
}

#[tokio::test]
async fn an_answer_is_sent_to_its_end_and_the_silence_after_it_is_not_endless() {
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let (short, long) = (request("/short"), request("/long"));
    let (short, long) = tokio::join!(sent(&short), sent(&long));
    assert!(short.ends_with("short"), "{short}");
    assert!(short.contains("content-length: 5\r\n"), "the size is still known: {short}");
    assert_eq!(long.matches("piece").count(), 3, "{long}");
}
