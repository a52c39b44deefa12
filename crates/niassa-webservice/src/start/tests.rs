//! Starting and stopping over real connections, with and without TLS.

use std::path::Path;
use std::time::Instant;

use niassa_model::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;
use crate::administer;
use crate::config::Tls;
use crate::tls::certificates;

const PASSWORD: &str = "long enough";

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0)
    }
}

async fn with_account(data: &Path) {
    let metadb = data.join("niassa.db").display().to_string();
    let ann = "ann@lab.net".parse().unwrap();
    administer::init_metadb(&metadb, &ann, PASSWORD).await.unwrap();
}

fn tls() -> Tls {
    let file = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("src/start").join(name);
    Tls { cert: file("localhost.cert.pem"), key: file("localhost.key.pem") }
}

/// Sends a request by hand and returns the whole answer of a connection that is closed after it.
async fn ask(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn connect(service: &RunningService) -> TcpStream {
    let url = service.url();
    TcpStream::connect(url.rsplit('/').next().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_service_answers_on_a_free_port_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    with_account(folder.path()).await;
    let service = start(ServiceConfig::embedded(folder.path()), Arc::new(Still)).await.unwrap();
    assert!(service.url().starts_with("http://127.0.0.1:"));
    let answer = ask(connect(&service).await, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let address = service.url().rsplit('/').next().unwrap().to_owned();
    service.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn it_stops_within_two_seconds_whatever_clients_do() {
    let folder = tempfile::tempdir().unwrap();
    with_account(folder.path()).await;
    let service = start(ServiceConfig::embedded(folder.path()), Arc::new(Still)).await.unwrap();
    let idle = connect(&service).await;
    let mut half = connect(&service).await;
    half.write_all(b"GET /livez HT").await.unwrap();
    let mut follows = connect(&service).await;
    let pair = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("ann@lab.net:{PASSWORD}"),
    );
    let request =
        format!("GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Basic {pair}\r\n\r\n");
    follows.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    follows.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let began = Instant::now();
    service.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop((idle, half, follows));
}

#[tokio::test]
async fn tls_is_spoken_with_the_certificate_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    with_account(folder.path()).await;
    let config = ServiceConfig { tls: Some(tls()), ..ServiceConfig::embedded(folder.path()) };
    let service = start(config, Arc::new(Still)).await.unwrap();
    assert!(service.url().starts_with("https://127.0.0.1:"));
    let mut roots = RootCertStore::empty();
    roots.add(certificates(&tls().cert).unwrap().remove(0)).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, connect(&service).await).await.unwrap();
    let answer = ask(stream, "/livez").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // Plain HTTP is not spoken beside it.
    let answer = ask(connect(&service).await, "/livez").await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let started = async |config| start(config, Arc::new(Still)).await.map(drop).unwrap_err();
    let base = || ServiceConfig::embedded(folder.path());
    let swapped = Tls { cert: tls().key, key: tls().cert };
    let error = started(ServiceConfig { tls: Some(swapped), ..base() }).await;
    assert!(matches!(error, StartError::Tls(_)), "{error}");
    let missing = Tls { cert: folder.path().join("none"), key: tls().key };
    let error = started(ServiceConfig { tls: Some(missing), ..base() }).await;
    assert!(matches!(error, StartError::Tls(TlsError::Read { .. })), "{error}");
    let error = started(ServiceConfig { lease_seconds: Some(0), ..base() }).await;
    assert!(matches!(error, StartError::Config(ConfigError::Lease(0))), "{error}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = started(ServiceConfig { data: Some(file), ..base() }).await;
    assert!(matches!(error, StartError::Data { .. }), "{error}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let error = started(ServiceConfig { listen: Some(taken), ..base() }).await;
    assert!(matches!(error, StartError::Listen { address, .. } if address == taken), "{error}");
}
