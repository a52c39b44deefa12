//! Something between clients and the service that does not do as it should.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::site::{Site, User};

/// What becomes of the service's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They come as they are.
    Whole,
    /// A page of somebody else comes instead.
    Garbage,
    /// Half of what comes at once comes, and the connection ends.
    Half,
    /// Each piece takes so long.
    Slow(Duration),
    /// They come once they are whole: a stream never does.
    HeldBack,
    /// Requests and answers hold fields that the other side does not know, as of a newer version.
    Newer,
}

/// A proxy in front of a site's service; it ends with its value.
pub struct Proxy {
    port: u16,
    way: Arc<Mutex<Way>>,
    is_over: Arc<AtomicBool>,
}

/// A page that a network without a login answers to everything.
const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 29\r\n\
    Connection: close\r\n\r\n<html>Please sign in.</html>\n";

impl Proxy {
    /// Stands in front of a service.
    pub fn before(site: &Site, way: Way) -> Self {
        let (_, port) = site.url().rsplit_once(':').unwrap();
        let service: u16 = port.parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (way, is_over) = (Arc::new(Mutex::new(way)), Arc::new(AtomicBool::new(false)));
        let (ways, ends) = (Arc::clone(&way), Arc::clone(&is_over));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(server) = TcpStream::connect(("127.0.0.1", service)) {
                    join(client, server, &ways);
                }
            }
        });
        Self { port, way, is_over }
    }

    /// Changes what becomes of answers, those under way included.
    pub fn set(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    /// Returns somebody who reaches the service through this.
    pub fn user(&self, user: &User) -> User {
        user.with([("SW_REST_URL", format!("http://127.0.0.1:{}", self.port))])
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The listener looks once more, and ends.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// Carries bytes both ways until one side ends.
fn join(client: TcpStream, server: TcpStream, way: &Arc<Mutex<Way>>) {
    let pairs = [
        (client.try_clone().unwrap(), server.try_clone().unwrap(), Side::Requests),
        (server, client, Side::Answers),
    ];
    for (from, to, side) in pairs {
        let way = Arc::clone(way);
        thread::spawn(move || {
            // Whoever went away ends the other side too.
            let _ended = carry(&from, &to, side, &way);
            let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Requests,
    Answers,
}

fn carry(
    mut from: &TcpStream,
    mut to: &TcpStream,
    side: Side,
    way: &Mutex<Way>,
) -> std::io::Result<()> {
    let (mut bytes, mut held) = (vec![0; 65_536], Vec::new());
    loop {
        let read = from.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        held.extend_from_slice(&bytes[..read]);
        let now = *way.lock().unwrap();
        match (now, side) {
            (Way::Newer, _) => {
                if is_whole(&held) {
                    to.write_all(&with_news(&std::mem::take(&mut held)))?;
                }
            }
            (Way::HeldBack, Side::Answers) => {
                if is_whole(&held) {
                    to.write_all(&std::mem::take(&mut held))?;
                }
            }
            (Way::Garbage, Side::Answers) => return to.write_all(PAGE.as_bytes()),
            (Way::Half, Side::Answers) => return to.write_all(&held[..held.len() / 2]),
            (Way::Slow(time), Side::Answers) => {
                thread::sleep(time);
                to.write_all(&std::mem::take(&mut held))?;
            }
            (_, _) => to.write_all(&std::mem::take(&mut held))?,
        }
    }
}

/// Splits a message where its body begins.
fn head(message: &[u8]) -> Option<(String, &[u8])> {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&message[..end]).to_ascii_lowercase();
    Some((head, &message[end + 4..]))
}

/// Tells whether a message of HTTP/1.1 has come to its end.
fn is_whole(message: &[u8]) -> bool {
    let Some((head, body)) = head(message) else { return false };
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    body.len() >= length(&head).unwrap_or(0)
}

fn length(head: &str) -> Option<usize> {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    line.trim().parse().ok()
}

/// Adds a field to the outermost object of a message in JSON.
fn with_news(message: &[u8]) -> Vec<u8> {
    let news = br#""of_a_newer_version":{"a":[1]},"#;
    let same = message.to_vec();
    let Some((head, body)) = head(message) else { return same };
    let is_json = head.contains("json") && body.starts_with(b"{\"");
    let (Some(length), true) = (length(&head), is_json) else { return same };
    let head_length = message.len() - body.len();
    let told = String::from_utf8_lossy(&message[..head_length]);
    let lines = told.split("\r\n").map(|line| {
        match line.to_ascii_lowercase().starts_with("content-length:") {
            true => format!("content-length: {}", length + news.len()),
            false => line.to_owned(),
        }
    });
    let mut changed = lines.collect::<Vec<_>>().join("\r\n").into_bytes();
    changed.push(b'{');
    changed.extend_from_slice(news);
    // Another version of the same length, where one is told.
    let body = String::from_utf8_lossy(&body[1..]);
    let version = env!("CARGO_PKG_VERSION");
    let (ours, theirs) = (said(version), said(&format!("9{}", &version[1..])));
    changed.extend_from_slice(body.replace(&ours, &theirs).as_bytes());
    changed
}

fn said(version: &str) -> String {
    format!("\"service_version\":\"{version}\"")
}

#[test]
fn messages_are_known_to_be_whole_and_take_news() {
    let message =
        b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    assert!(is_whole(message) && !is_whole(&message[..message.len() - 1]));
    assert!(is_whole(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"));
    let changed = String::from_utf8(with_news(message)).unwrap();
    assert!(changed.ends_with("\r\n\r\n{\"of_a_newer_version\":{\"a\":[1]},\"a\":1}"), "{changed}");
    assert!(is_whole(changed.as_bytes()) && changed.contains("content-length: 38"), "{changed}");
}
