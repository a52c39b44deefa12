//! What a runner hears while its command runs: signals of its scheduler, and marks in its directory.
//!
//! Each is listened to by a thread of its own which may hang for ever in a file system that does not
//! answer: nobody waits for it, and it ends with the process.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::process_group::ProcessEnd;
use crate::run_dir::attempt_files::{ALIVE, FENCE, STOP, is_there};

/// How often `stop` and `fence` are looked for, unless `alive` changes more often.
const LOOK: Duration = Duration::from_secs(1);

/// All by which a scheduler may ask a job to end. None of them may end the runner while its command
/// goes on: the command has a group of its own.
const SIGNALS: [i32; 7] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGXCPU,
];

/// Something a runner has to answer to.
#[derive(Debug)]
pub(super) enum Event {
    /// There is a `stop`.
    Stop,
    /// There is a `fence`.
    Fence,
    /// A signal came.
    Signal(i32),
    /// The process that is waited for has ended.
    Ended(io::Result<ProcessEnd>),
}

/// Listens to signals from now on.
pub(super) fn signals(events: Sender<Event>) -> io::Result<()> {
    let (ready, is_ready) = channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        runtime.block_on(async move {
            let mut forwarding = tokio::task::JoinSet::new();
            for number in SIGNALS {
                match signal(SignalKind::from_raw(number)) {
                    Ok(stream) => forwarding.spawn(forward(number, stream, events.clone())),
                    Err(error) => return drop(ready.send(Err(error))),
                };
            }
            drop(ready.send(Ok(())));
            while forwarding.join_next().await.is_some() {}
        });
    })?;
    is_ready.recv().map_err(io::Error::other)?
}

async fn forward(number: i32, mut stream: Signal, events: Sender<Event>) {
    while stream.recv().await.is_some() && events.send(Event::Signal(number)).is_ok() {}
}

/// Says that the attempt is alive and looks for marks, for as long as the process lives.
pub(super) fn marks(attempt: &Path, alive: Duration, events: Sender<Event>) -> io::Result<()> {
    let attempt = attempt.to_owned();
    let watch = move || Marks { attempt, alive, events }.watch();
    thread::Builder::new().name("marks".to_owned()).spawn(watch).map(drop)
}

struct Marks {
    attempt: PathBuf,
    alive: Duration,
    events: Sender<Event>,
}

impl Marks {
    fn watch(&self) {
        let (mut count, mut said, mut is_told) = (0_u64, None::<Instant>, false);
        loop {
            if said.is_none_or(|at| at.elapsed() >= self.alive) {
                count += 1;
                said = Some(Instant::now());
                if let Err(error) = say_alive(&self.attempt, count) {
                    tracing::debug!(%error, "`alive` cannot be changed");
                }
            }
            if !is_told {
                is_told = self.tell();
            }
            thread::sleep(LOOK.min(self.alive).max(Duration::from_millis(10)));
        }
    }

    /// Tells of a mark; the first one that is seen is all that is told.
    fn tell(&self) -> bool {
        let is_marked = |name| is_there(&self.attempt, name).unwrap_or(false);
        if is_marked(STOP) {
            return self.events.send(Event::Stop).is_ok();
        }
        is_marked(FENCE) && self.events.send(Event::Fence).is_ok()
    }
}

/// Changes the content in place: no moment without one, no room needed once it is there.
fn say_alive(attempt: &Path, count: u64) -> io::Result<()> {
    let file = attempt.join(ALIVE);
    let opened = fs::OpenOptions::new().write(true).create(true).truncate(false).open(file);
    opened?.write_all(format!("{count:020}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_dir::attempt_files::put_mark;

    #[test]
    fn alive_changes_and_a_mark_is_told() {
        let attempt = tempfile::tempdir().unwrap();
        let (sender, events) = channel();
        marks(attempt.path(), Duration::from_millis(10), sender).unwrap();
        let alive = || fs::read_to_string(attempt.path().join(ALIVE)).unwrap_or_default();
        let begun = Instant::now();
        let mut values = std::collections::BTreeSet::new();
        while values.len() < 3 && begun.elapsed() < Duration::from_secs(30) {
            values.insert(alive());
        }
        assert_eq!(values.len(), 3);
        put_mark(attempt.path(), FENCE).unwrap();
        let event = events.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(matches!(event, Event::Fence), "{event:?}");
    }
}
