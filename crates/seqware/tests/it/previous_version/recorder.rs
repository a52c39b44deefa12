//! A proxy that writes down what a launcher asks and what it is answered.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::site::Site;

/// A proxy in front of a site's service. It ends with the test's process.
pub struct Recorder {
    pub url: String,
    exchanges: Arc<Mutex<Vec<Value>>>,
    folder: String,
}

impl Recorder {
    pub fn start(site: &Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = site.url().strip_prefix("http://").unwrap().to_owned();
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&exchanges);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(exchange) = pass(stream.unwrap(), &service) else { continue };
                let mut kept = kept.lock().unwrap();
                // Asking again and again is the launcher's way to wait.
                if kept.last() != Some(&exchange) {
                    kept.push(exchange);
                }
            }
        });
        let folder = site.path("").display().to_string();
        Self { url, exchanges, folder }
    }

    /// Takes what was written down since the last time, one exchange a line.
    pub fn take(&self) -> String {
        let exchanges = std::mem::take(&mut *self.exchanges.lock().unwrap());
        let lines = exchanges.iter().map(|exchange| format!("{exchange}\n"));
        lines.map(|line| line.replace(&self.folder, "/site/")).collect()
    }
}

/// Passes one request on, and its answer back.
fn pass(stream: TcpStream, service: &str) -> Option<Value> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = head.first()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = |name: &str| {
        let line = head.iter().find(|line| line.to_lowercase().starts_with(name));
        line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned())
    };
    let agent = headers("user-agent:");
    let mut upstream = TcpStream::connect(service).ok()?;
    let kept = head.iter().filter(|line| !line.to_lowercase().starts_with("connection:"));
    let lines: Vec<&str> = kept.map(String::as_str).chain(["connection: close", "", ""]).collect();
    upstream.write_all(lines.join("\r\n").as_bytes()).ok()?;
    upstream.write_all(&body).ok()?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).ok()?;
    let mut stream = stream;
    stream.write_all(&answer).ok()?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, answered) = text.split_once("\r\n\r\n")?;
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    // An archive is bytes; that it came is enough.
    let answered: Value = serde_json::from_str(answered).unwrap_or(Value::Null);
    Some(json!({
        "method": method, "path": path, "user_agent": agent, "request": request,
        "status": status, "answer": answered,
    }))
}
