//! The client against sockets that answer badly, late, or not at all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::*;
use crate::client::ClientConfig;
use crate::metadata::objects::Created;
use crate::metadata::studies::CreateStudy;

/// A server that gives each connection the next of its answers and remembers the requests; an empty
/// answer closes the connection. The last answer is given to all further connections.
struct Scripted {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn scripted(answers: Vec<&'static str>) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (seen, next) = (requests.clone(), AtomicUsize::new(0));
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let answer = answers[next.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)];
            let mut request = Vec::new();
            while !is_whole(&request) {
                let mut part = [0; 4096];
                let read = socket.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
            }
            seen.lock().await.push(String::from_utf8(request).unwrap());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Scripted { address, requests }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse::<usize>().unwrap())
}

fn client(address: SocketAddr) -> Client {
    let password = "secret".to_owned();
    let credentials = Credentials::Basic { user: "bob@lab.net".to_owned(), password };
    Client::new(ClientConfig::new(format!("http://{address}/base/"), credentials)).unwrap()
}

fn header(request: &str, name: &str) -> Option<String> {
    request.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
}

const CREATED: &str =
    "HTTP/1.1 201 Created\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"swid\": 7}";

fn study() -> CreateStudy {
    CreateStudy {
        title: "t".to_owned(),
        description: "d".to_owned(),
        accession: None,
        center_name: None,
        center_project_name: None,
        study_type: None,
    }
}

#[tokio::test]
async fn a_creating_request_is_repeated_under_the_same_key() {
    let server = scripted(vec!["", CREATED]).await;
    let created: Created = client(server.address).create_study(&study()).await.unwrap();
    assert_eq!(created.swid.get(), 7);
    let requests = server.requests.lock().await;
    let keys: Vec<_> = requests.iter().map(|r| header(r, "idempotency-key").unwrap()).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert!(requests[0].starts_with("POST /base/v1/studies HTTP/1.1"), "{}", requests[0]);
    let basic = header(&requests[0], "authorization").unwrap();
    assert_eq!(basic, "Basic Ym9iQGxhYi5uZXQ6c2VjcmV0");
}

#[tokio::test]
async fn a_claim_that_may_have_been_heard_is_not_repeated() {
    let server = scripted(vec![""]).await;
    let body = serde_json::json!({});
    let client = client(server.address);
    let result = client.post::<_, ()>("/v1/claims", &body, Repeat::IfUnsent).await;
    assert!(matches!(result, Err(ClientError::Unreachable { .. })), "{result:?}");
    assert_eq!(server.requests.lock().await.len(), 1);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(address).whoami().await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot reach the Web Service at http://{address}/base"));
}

#[tokio::test]
async fn problems_are_read_and_other_answers_named() {
    let cases = [
        (
            "404 Not Found",
            "{\"code\":\"not_found\",\"title\":\"not found\",\"status\":404,\"detail\":\"no run 9\"}",
            "no run 9",
        ),
        (
            "502 Bad Gateway",
            "<html>",
            "what stands before the Web Service answered 502 Bad Gateway",
        ),
        ("301 Moved", "", "a redirection"),
        ("200 OK", "<html>hello</html>", "something else than the Web Service does"),
        ("200 OK", "{\"email\": 3}", "something else than the Web Service does"),
    ];
    for (status, body, expected) in cases {
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let server = scripted(vec![Box::leak(answer.into_boxed_str())]).await;
        let error = client(server.address).whoami().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{status}: {error}");
    }
}

#[tokio::test]
async fn a_bundle_is_streamed_into_a_new_file() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nbytes";
    let server = scripted(vec![answer]).await;
    let file = std::env::temp_dir().join(format!("niassa-fetch-{}", Uuid::new_v4()));
    let client = client(server.address);
    client.fetch_bundle("abc", &file).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"bytes");
    let again = client.fetch_bundle("abc", &file).await;
    assert!(matches!(again, Err(ClientError::WriteFile { .. })), "{again:?}");
    std::fs::remove_file(&file).unwrap();
}
