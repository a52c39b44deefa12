//! A browser as the service sees it: one connection, a cookie, packed answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::bench::schedule::base64;

/// A connection of somebody who is signed in.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
    cookie: String,
    authorization: String,
}

/// What was answered.
pub(super) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Bytes of the body, as they travelled.
    pub(super) bytes: usize,
    /// From the first byte sent to the last one received.
    pub(super) seconds: f64,
}

impl Client {
    pub(super) fn sign_in(port: u16, email: &str, password: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("connect to the service")?;
        stream.set_nodelay(true).context("set TCP_NODELAY")?;
        let authorization = format!("Basic {}", base64(&format!("{email}:{password}")));
        let stream = BufReader::new(stream);
        let mut client = Self { stream, cookie: String::new(), authorization };
        let form = format!("email={}&password={}", escaped(email), escaped(password));
        let head = format!(
            "POST /sign-in HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n",
            form.len()
        );
        let answer = client.ask(&head, &form)?;
        ensure!(answer.status == 303, "{email} cannot sign in: {}", answer.status);
        let set = answer.headers.iter().find(|(name, _)| name == "set-cookie");
        let (_, cookie) = set.context("no cookie")?;
        cookie.split(';').next().unwrap_or_default().clone_into(&mut client.cookie);
        Ok(client)
    }

    /// The session's cookie, `name=value`.
    pub(super) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Gets a page as a browser does.
    pub(super) fn get(&mut self, path: &str) -> Result<Answer> {
        let cookie = &self.cookie;
        let head = format!("GET {path} HTTP/1.1\r\nCookie: {cookie}\r\nAccept-Encoding: gzip\r\n");
        self.success(&head, path)
    }

    /// Gets the text of a page.
    pub(super) fn plain(&mut self, path: &str) -> Result<String> {
        let head = format!("GET {path} HTTP/1.1\r\nCookie: {}\r\n", self.cookie);
        String::from_utf8(self.success(&head, path)?.body).context("read a page")
    }

    /// Gets an answer of the API.
    pub(super) fn api(&mut self, path: &str) -> Result<String> {
        let head = format!("GET {path} HTTP/1.1\r\nAuthorization: {}\r\n", self.authorization);
        String::from_utf8(self.success(&head, path)?.body).context("read an answer")
    }

    fn success(&mut self, head: &str, path: &str) -> Result<Answer> {
        let answer = self.ask(head, "")?;
        ensure!(answer.status == 200, "{path} is answered with {}", answer.status);
        Ok(answer)
    }

    fn ask(&mut self, head: &str, body: &str) -> Result<Answer> {
        let begun = Instant::now();
        let request = format!("{head}Host: 127.0.0.1\r\n\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes()).context("send a request")?;
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("no status in `{line}`"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let value =
            |wanted: &str| headers.iter().find(|(n, _)| n == wanted).map(|(_, v)| v.clone());
        let body = match value("content-length") {
            Some(length) => self.exactly(length.parse().context("read a length")?)?,
            None if value("transfer-encoding").is_some() => self.chunks()?,
            None => Vec::new(),
        };
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Answer { status, headers, bytes: body.len(), body, seconds })
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(&line, 16).context("read the length of a chunk")?;
            body.append(&mut self.exactly(length)?);
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).context("read an answer")?;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("read a line")?;
        Ok(line.trim_end().to_owned())
    }
}

/// Writes a text as a part of a query or a form.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_query_is_escaped() {
        assert_eq!(escaped("status:a b"), "status%3Aa%20b");
    }
}
