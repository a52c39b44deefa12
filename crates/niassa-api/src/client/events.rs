//! Following the service's events: server-sent events (WHATWG HTML, 9.2), read as they come; or asked for
//! again and again where something between us and the service holds streams back.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response};

use super::{Client, ClientError, query};
use crate::events::{EventQuery, Events};
use crate::logs::ReadLog;
use crate::paths;
use crate::runs::RunLogEntry;

/// How long a stream may be silent: the service says each 15 seconds that it is there.
const SILENCE: Duration = Duration::from_secs(45);

/// How long a stream may take to begin, its first word included, which the service says at once. What takes
/// longer is held back by something on the way.
const BEGIN: Duration = Duration::from_secs(8);

/// The media type of a stream.
const EVENT_STREAM: &str = "text/event-stream";

/// Bytes of one event; more is not one of ours.
const EVENT_BYTES: usize = 1024 * 1024;

/// A stream of events that is being read.
pub struct EventStream {
    client: Client,
    response: Response,
    lines: Lines,
    events: VecDeque<StreamEvent>,
}

/// What a stream tells.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// An entry of the log of a run.
    Entry(Box<RunLogEntry>),
    /// A part of a log that somebody wants to read.
    ReadLog(ReadLog),
}

impl Client {
    /// Follows the log of all runs that the caller may see, from behind an entry, or from now on. The stream
    /// was begun in earnest when this returns: its first word has come.
    pub async fn follow(&self, from: &EventQuery) -> Result<EventStream, ClientError> {
        let mut url = self.route(paths::EVENTS);
        query::append(&mut url, &EventQuery { wait: None, ..from.clone() });
        let request = self.begin(Method::GET, url)?.header(ACCEPT, EVENT_STREAM);
        let begin = async {
            let response = request.send().await.map_err(|error| self.no_answer(error, BEGIN))?;
            let response = self.accepted(response).await?;
            let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            if !kind.is_some_and(|kind| kind.starts_with(EVENT_STREAM)) {
                let (url, status) = (response.url().to_string(), response.status().as_u16());
                let why = "it is no stream of events".to_owned();
                return Err(ClientError::Malformed { url, status, why });
            }
            let (lines, events) = (Lines::default(), VecDeque::new());
            let mut stream = EventStream { client: self.clone(), response, lines, events };
            stream.read(BEGIN).await?;
            Ok(stream)
        };
        match tokio::time::timeout(BEGIN, begin).await {
            Ok(stream) => stream,
            Err(_) => Err(self.silent(BEGIN)),
        }
    }

    /// Asks for the next events and waits for them so many seconds.
    pub async fn wait_for_events(&self, from: &EventQuery) -> Result<Events, ClientError> {
        self.list(paths::EVENTS, from).await
    }

    fn silent(&self, limit: Duration) -> ClientError {
        ClientError::TimedOut { url: self.url().to_owned(), seconds: limit.as_secs() }
    }
}

/// Whether a stream has more to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum More {
    MayCome,
    Never,
}

impl EventStream {
    /// Waits for the next event; `None` when the service ended the stream, as it does in time.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.read(SILENCE).await? == More::Never {
                return Ok(None);
            }
        }
    }

    /// Reads what comes next, be it a sign of life.
    async fn read(&mut self, silence: Duration) -> Result<More, ClientError> {
        let chunk = tokio::time::timeout(silence, self.response.chunk()).await;
        let Ok(chunk) = chunk else { return Err(self.client.silent(silence)) };
        let chunk = chunk.map_err(|error| self.client.no_answer(error, silence))?;
        let Some(chunk) = chunk else { return Ok(More::Never) };
        self.events.extend(self.lines.take(&chunk));
        if self.lines.bytes.len() > EVENT_BYTES {
            let why = "an event is longer than any of the service's".to_owned();
            let (url, status) = (self.client.url().to_owned(), 200);
            return Err(ClientError::Malformed { url, status, why });
        }
        Ok(More::MayCome)
    }
}

/// What has come of a line that is not whole yet, and the name of the event that is being told.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    is_read_log: bool,
}

impl Lines {
    /// Takes bytes and returns the events that are whole now. Each has one line of data; what is none of
    /// ours, as the signs of life, is passed over.
    fn take(&mut self, chunk: &[u8]) -> Vec<StreamEvent> {
        self.bytes.extend_from_slice(chunk);
        let Some(end) = self.bytes.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.bytes.split_off(end + 1);
        let whole = std::mem::replace(&mut self.bytes, rest);
        whole.split(|byte| *byte == b'\n').filter_map(|line| self.line(line)).collect()
    }

    fn line(&mut self, line: &[u8]) -> Option<StreamEvent> {
        if let Some(name) = line.strip_prefix(b"event:") {
            self.is_read_log = name.trim_ascii() == b"read_log";
            return None;
        }
        let data = line.strip_prefix(b"data:")?;
        if std::mem::take(&mut self.is_read_log) {
            return serde_json::from_slice(data).ok().map(StreamEvent::ReadLog);
        }
        serde_json::from_slice(data).ok().map(|entry| StreamEvent::Entry(Box::new(entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = "id: 7\nevent: run\ndata: {\"sequence\":7,\"run\":3,\"at\":1,\
        \"event\":\"submitted\",\"account\":\"bob@lab.net\"}\n\n:\n\nevent: read_log\ndata: \
        {\"id\":\"67e55044-10b1-426f-9247-bb680e5fe0c8\",\"run\":3,\"tag\":\"abcdefghij\",\"place\":\"p\",\
        \"step\":0,\"attempt\":1,\"stream\":\"stdout\",\"length\":5}\n\n";

    #[test]
    fn events_are_read_however_they_are_cut() {
        for cut in 0..EVENTS.len() {
            let mut lines = Lines::default();
            let mut events = lines.take(&EVENTS.as_bytes()[..cut]);
            events.extend(lines.take(&EVENTS.as_bytes()[cut..]));
            let [StreamEvent::Entry(entry), StreamEvent::ReadLog(question)] = &events[..] else {
                panic!("cut at {cut}: {events:?}");
            };
            assert_eq!((entry.sequence, question.length), (7, 5));
            assert!(lines.bytes.is_empty());
        }
    }

    #[test]
    fn what_is_none_of_ours_is_passed_over() {
        let mut lines = Lines::default();
        let odd = b"data: nonsense\ndata: {}\n: alive\n\nevent: read_log\ndata: {}\n\nevent: x\ndata: 1\n\n";
        assert_eq!(lines.take(odd), []);
    }
}
