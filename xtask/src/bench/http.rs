//! A client that does nothing but post the same request on one connection, as fast as it is answered.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};

/// One connection to the service.
pub(super) struct Poster {
    stream: BufReader<TcpStream>,
}

impl Poster {
    pub(super) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("connect to the service")?;
        stream.set_nodelay(true).context("set TCP_NODELAY")?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Posts a body and waits for the whole answer, which must be a success.
    pub(super) fn post(
        &mut self,
        path: &str,
        authorization: &str,
        key: &str,
        body: &str,
    ) -> Result<()> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n\
             Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).context("send a request")?;
        let mut line = String::new();
        self.stream.read_line(&mut line).context("read a status")?;
        let status = line.clone();
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).context("read a header")?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().context("read a length")?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).context("read an answer")?;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(
            status.split_whitespace().nth(1).is_some_and(|code| code.starts_with('2')),
            "{status}{answer}"
        );
        Ok(())
    }
}
