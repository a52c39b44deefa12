//! Requests as they stand on the wire, for tests of what is not our own client.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::site::{CEILING, Site};

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Returns the body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in: {self:?}"))
    }
}

/// Sends one request; `headers` are whole lines.
#[track_caller]
pub fn ask(site: &Site, method: &str, path: &str, headers: &[String], body: &[u8]) -> Answer {
    let address = site.url().strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).expect("the service listens");
    stream.set_read_timeout(Some(CEILING)).expect("a time limit");
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for line in headers {
        head.push_str(&format!("{line}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("it is read");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Makes a token of somebody and returns the header that signs in with it.
#[track_caller]
pub fn signed_in(user: &crate::site::User, scope: &str) -> String {
    let arguments = ["token", "create", "--scope", scope, "--expires", "1d", "--json"];
    let token = user.seqware(&arguments).ok().json();
    format!("Authorization: Bearer {}", token["secret"].as_str().expect("a secret"))
}
