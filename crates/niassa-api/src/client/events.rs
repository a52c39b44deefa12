//! Following the service's events: server-sent events (WHATWG HTML, 9.2), read as they come.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Method, Response};

use super::{Client, ClientError};
use crate::paths;
use crate::runs::RunLogEntry;

/// How long a stream may be silent: the service says each 15 seconds that it is there.
const SILENCE: Duration = Duration::from_secs(45);

/// How long the first answer may take.
const BEGIN: Duration = Duration::from_secs(20);

/// Bytes of one event; more is not one of ours.
const EVENT_BYTES: usize = 1024 * 1024;

/// A stream of events that is being read.
pub struct EventStream {
    client: Client,
    response: Response,
    lines: Lines,
    entries: VecDeque<RunLogEntry>,
}

impl Client {
    /// Follows the log of all runs that the caller may see, from behind an entry, or from now on.
    pub async fn follow(&self, after: Option<i64>) -> Result<EventStream, ClientError> {
        let mut request = self.begin(Method::GET, self.route(paths::EVENTS))?;
        request = request.header(ACCEPT, "text/event-stream");
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        let answered = tokio::time::timeout(BEGIN, request.send()).await;
        let Ok(answered) = answered else {
            let (url, seconds) = (self.url().to_owned(), BEGIN.as_secs());
            return Err(ClientError::TimedOut { url, seconds });
        };
        let response = answered.map_err(|error| self.no_answer(error, BEGIN))?;
        let response = self.accepted(response).await?;
        let (lines, entries) = (Lines::default(), VecDeque::new());
        Ok(EventStream { client: self.clone(), response, lines, entries })
    }
}

impl EventStream {
    /// Waits for the next event; `None` when the service ended the stream, as it does in time.
    pub async fn next(&mut self) -> Result<Option<RunLogEntry>, ClientError> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Ok(Some(entry));
            }
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk()).await;
            let Ok(chunk) = chunk else {
                let (url, seconds) = (self.client.url().to_owned(), SILENCE.as_secs());
                return Err(ClientError::TimedOut { url, seconds });
            };
            let chunk = chunk.map_err(|error| self.client.no_answer(error, SILENCE))?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.entries.extend(self.lines.take(&chunk));
            if self.lines.bytes.len() > EVENT_BYTES {
                let why = "an event is longer than any of the service's".to_owned();
                let (url, status) = (self.client.url().to_owned(), 200);
                return Err(ClientError::Malformed { url, status, why });
            }
        }
    }
}

/// What has come of a line that is not whole yet.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
}

impl Lines {
    /// Takes bytes and returns the entries that are whole now. Each is one line of data; what is not
    /// an entry, as the signs of life, is passed over.
    fn take(&mut self, chunk: &[u8]) -> Vec<RunLogEntry> {
        self.bytes.extend_from_slice(chunk);
        let Some(end) = self.bytes.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.bytes.split_off(end + 1);
        let whole = std::mem::replace(&mut self.bytes, rest);
        whole
            .split(|byte| *byte == b'\n')
            .filter_map(|line| line.strip_prefix(b"data:"))
            .filter_map(|data| serde_json::from_slice(data).ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "id: 7\nevent: run\ndata: {\"sequence\":7,\"run\":3,\"at\":1,\
        \"event\":\"submitted\",\"account\":\"bob@lab.net\"}\n\n:\n\n";

    #[test]
    fn an_event_is_read_however_it_is_cut() {
        for cut in 0..EVENT.len() {
            let mut lines = Lines::default();
            let mut entries = lines.take(&EVENT.as_bytes()[..cut]);
            entries.extend(lines.take(&EVENT.as_bytes()[cut..]));
            assert_eq!(entries.len(), 1, "cut at {cut}");
            assert_eq!(entries[0].sequence, 7);
            assert!(lines.bytes.is_empty());
        }
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"data: nonsense\ndata: {}\n: alive\n\n"), []);
    }
}
