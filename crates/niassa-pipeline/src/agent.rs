//! What wakes an agent: the service's events, followed for ever; and what it reads for the service: logs.
//!
//! A stream that breaks is taken up again from the last event, with pauses that grow to half a minute and
//! differ from agent to agent. Where something on the way holds streams back, events are asked for again and
//! again, each question waiting for its answer. While there is neither the caller looks by itself more often:
//! an event is a hint, never the only way to learn of work.

mod logs;

use std::sync::Arc;
use std::time::Duration;

use niassa_api::client::{Client, ClientError, StreamEvent};
use niassa_api::error::ProblemCode;
use niassa_api::events::EventQuery;
use niassa_api::logs::ReadLog;
use niassa_api::runs::RunLogEntry;
use niassa_model::run::RunStatus;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use logs::LogReader;

/// The pause after the first failure; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long one question for events waits for its answer, in seconds: less than proxies allow.
const WAIT_SECONDS: u32 = 25;
/// How long events are asked for before a stream is tried again.
const ASKED_FOR: Duration = Duration::from_mins(10);
/// This program's version.
const OURS: &str = env!("CARGO_PKG_VERSION");
/// Parts of logs that are read at a time.
const LOGS_AT_A_TIME: usize = 4;

/// The service's events, as far as they mean work for a launcher or a propagator.
pub struct Wakes {
    heard: watch::Receiver<Heard>,
    following: JoinHandle<()>,
}

/// What was heard so far.
#[derive(Debug, Clone, Default)]
struct Heard {
    /// Events that mean work.
    count: u64,
    stream: Stream,
}

/// Whether events can be heard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stream {
    /// Not yet.
    #[default]
    Beginning,
    /// They can.
    Open,
    /// They are asked for, because something on the way holds streams back.
    Asked,
    /// They cannot, for this reason.
    Broken(String),
}

impl Wakes {
    /// Begins to follow the service's events, and to read what it asks for.
    pub fn follow(client: Client, reader: LogReader) -> Self {
        let (sender, heard) = watch::channel(Heard::default());
        let reading = Reading {
            client: client.clone(),
            reader: Arc::new(reader),
            at_a_time: Arc::new(Semaphore::new(LOGS_AT_A_TIME)),
        };
        let from = EventQuery { serves: Some(reading.reader.serves()), ..EventQuery::default() };
        let (pause, version) = (FIRST_PAUSE, OURS.to_owned());
        let follower = Follower { client, reading, from, sender, pause, version };
        Self { heard, following: tokio::spawn(follower.follow()) }
    }

    /// Waits until something happened since the last time that means work, or the stream changed.
    pub async fn next(&mut self) {
        if self.heard.changed().await.is_err() {
            // Nobody follows any more: the caller's own looks are all there is.
            std::future::pending::<()>().await;
        }
    }

    /// Returns whether events can be heard.
    pub fn stream(&self) -> Stream {
        self.heard.borrow().stream.clone()
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// Whoever follows the events.
struct Follower {
    client: Client,
    reading: Reading,
    /// Behind which event to go on, and what is served.
    from: EventQuery,
    sender: watch::Sender<Heard>,
    pause: Duration,
    /// The version of the service, as far as it was told.
    version: String,
}

impl Follower {
    async fn follow(mut self) {
        loop {
            let begun = Instant::now();
            let ended = match self.listen().await {
                // Nothing came of it in time: something holds streams back, or nobody is there.
                Err(ListenError::NotBegun(ClientError::TimedOut { .. })) => self.ask().await,
                Err(ListenError::NotBegun(error) | ListenError::Broken(error)) => Err(error),
                Ok(()) => Ok(()),
            };
            if ended.is_ok() && begun.elapsed() < FIRST_PAUSE {
                // A stream that ends as soon as it begins must not be taken up as fast as that.
                tokio::time::sleep(FIRST_PAUSE).await;
            }
            if let Err(error) = ended {
                let why = crate::chain(&error);
                self.sender.send_modify(|heard| heard.stream = Stream::Broken(why));
                tokio::time::sleep(self.pause.mul_f64(rand::random_range(0.5..1.0))).await;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Listens to one stream until it ends.
    async fn listen(&mut self) -> Result<(), ListenError> {
        let stream = self.client.follow(&self.from).await;
        let mut stream = stream.map_err(ListenError::NotBegun)?;
        self.hears(Stream::Open);
        self.compare_versions().await;
        while let Some(event) = stream.next().await.map_err(ListenError::Broken)? {
            match event {
                StreamEvent::Entry(entry) => self.entry(&entry),
                StreamEvent::ReadLog(question) => self.reading.begin(question),
            }
        }
        Ok(())
    }

    /// Says once when the service is of another version than this program: it may have been exchanged
    /// while the stream was broken. What cannot be known now is asked with the next stream.
    async fn compare_versions(&mut self) {
        let Ok(told) = self.client.whoami().await else { return };
        let theirs = told.service_version;
        if theirs != self.version && theirs != OURS {
            tracing::warn!(
                "the service is of version {theirs}, this agent of {OURS}; both go on, install the \
                 same version on both sides"
            );
        }
        self.version = theirs;
    }

    /// Asks for events again and again, for a while.
    async fn ask(&mut self) -> Result<(), ClientError> {
        let until = Instant::now() + ASKED_FOR;
        while Instant::now() < until {
            // The first answer comes at once: it shows that there is somebody.
            let is_first = self.sender.borrow().stream != Stream::Asked;
            let wait = Some(if is_first { 0 } else { WAIT_SECONDS });
            let from = EventQuery { wait, ..self.from.clone() };
            let events = self.client.wait_for_events(&from).await?;
            if is_first {
                tracing::info!("streams of events are held back on the way; events are asked for");
                self.hears(Stream::Asked);
                self.compare_versions().await;
            }
            events.read_logs.into_iter().for_each(|question| self.reading.begin(question));
            events.entries.iter().for_each(|entry| self.entry(entry));
            self.from.after = Some(events.after);
        }
        Ok(())
    }

    /// Without a last event something may have happened before this began.
    fn hears(&mut self, stream: Stream) {
        self.pause = FIRST_PAUSE;
        self.sender.send_modify(|heard| {
            heard.stream = stream;
            heard.count += 1;
        });
    }

    fn entry(&mut self, entry: &RunLogEntry) {
        self.from.after = Some(entry.sequence);
        if means_work(entry) {
            self.sender.send_modify(|heard| heard.count += 1);
        }
    }
}

/// Why a stream is not listened to any more.
enum ListenError {
    NotBegun(ClientError),
    Broken(ClientError),
}

/// Whoever reads parts of logs.
struct Reading {
    client: Client,
    reader: Arc<LogReader>,
    at_a_time: Arc<Semaphore>,
}

impl Reading {
    /// Reads a part of a log and answers with it, beside all else.
    fn begin(&self, question: ReadLog) {
        let (client, reader) = (self.client.clone(), Arc::clone(&self.reader));
        let at_a_time = Arc::clone(&self.at_a_time);
        tokio::spawn(async move {
            // It is never closed.
            let Ok(_one) = at_a_time.acquire().await else { return };
            let id = question.id;
            let read = tokio::task::spawn_blocking(move || reader.answer(&question));
            let Ok(answer) = read.await else { return };
            match client.answer_log(id, &answer).await {
                Err(error) if error.code() != Some(ProblemCode::NotFound) => {
                    tracing::warn!("a part of a log was not told: {}", crate::chain(&error));
                }
                // Somebody else was faster, or the reader left.
                Ok(()) | Err(_) => {}
            }
        });
    }
}

/// Tells whether somebody asked for something: what launchers record themselves is no news to them.
fn means_work(entry: &RunLogEntry) -> bool {
    match entry.to {
        Some(RunStatus::Submitted | RunStatus::SubmittedRetry | RunStatus::SubmittedCancel) => true,
        Some(
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Completed
            | RunStatus::Failed
            | RunStatus::Cancelled,
        )
        | None => false,
    }
}

#[cfg(test)]
mod tests {
    use niassa_model::time::Timestamp;

    use super::*;

    #[test]
    fn only_what_people_ask_for_wakes() {
        let entry = |to| RunLogEntry {
            sequence: 1,
            run: 7.try_into().unwrap(),
            at: Timestamp::from_micros(1),
            event: "note".to_owned(),
            from: None,
            to,
            account: "bob@lab.net".to_owned(),
            detail: None,
        };
        assert!(means_work(&entry(Some(RunStatus::Submitted))));
        assert!(means_work(&entry(Some(RunStatus::SubmittedCancel))));
        assert!(!means_work(&entry(Some(RunStatus::Running))));
        assert!(!means_work(&entry(None)));
    }
}
