//! What wakes an agent: the service's events, followed for ever.
//!
//! A stream that breaks is taken up again from the last event, with pauses that grow to half a minute and
//! differ from agent to agent. While there is no stream the caller looks by itself more often: an event is a
//! hint, never the only way to learn of work.

use std::time::Duration;

use niassa_api::client::{Client, ClientError};
use niassa_api::runs::RunLogEntry;
use niassa_model::run::RunStatus;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The pause after the first failure; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
    /// They cannot, for this reason.
    Broken(String),
}

impl Wakes {
    /// Begins to follow the service's events.
    pub fn follow(client: Client) -> Self {
        let (sender, heard) = watch::channel(Heard::default());
        let following = tokio::spawn(follow(client, sender));
        Self { heard, following }
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

async fn follow(client: Client, sender: watch::Sender<Heard>) {
    let mut after = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let ended = listen(&client, &mut after, &sender, &mut pause).await;
        if let Err(error) = ended {
            let why = crate::chain(&error);
            sender.send_modify(|heard| heard.stream = Stream::Broken(why));
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Listens to one stream until it ends.
async fn listen(
    client: &Client,
    after: &mut Option<i64>,
    sender: &watch::Sender<Heard>,
    pause: &mut Duration,
) -> Result<(), ClientError> {
    let mut stream = client.follow(*after).await?;
    *pause = FIRST_PAUSE;
    // Without a last event something may have happened before the stream began.
    sender.send_modify(|heard| {
        heard.stream = Stream::Open;
        heard.count += 1;
    });
    while let Some(entry) = stream.next().await? {
        *after = Some(entry.sequence);
        if means_work(&entry) {
            sender.send_modify(|heard| heard.count += 1);
        }
    }
    Ok(())
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
