//! Waiting for a program and what it says, in the thread that asks: a wave of submissions asks hundreds.
//!
//! What a program leaves behind in its process group ends with it; what has left the group, and keeps the
//! streams open, is not waited for.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use niassa_model::limits::SCHEDULER_ANSWER_BYTES;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

/// For how long a program is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// After this time it is killed.
    pub(super) limit: Duration,
    /// Words on its standard error after which nothing more is to be expected.
    pub(super) hopeless: Option<&'static str>,
}

/// What came of a program.
pub(super) struct Heard {
    /// How it ended; `None` where it had to be killed for its silence.
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// A look at whether the program has ended, while its streams are silent.
const LOOK: Duration = Duration::from_millis(50);

/// The first look after its streams have ended: it is about to end itself.
const FIRST_LOOK: Duration = Duration::from_micros(100);

/// Listens to a program, which leads a process group and has pipes, until it ends.
pub(super) fn listen(mut child: Child, patience: Patience) -> io::Result<Heard> {
    let deadline = Instant::now() + patience.limit;
    let group = child.id();
    let mut stdout = Stream::of(child.stdout.take().map(OwnedFd::from));
    let mut stderr = Stream::of(child.stderr.take().map(OwnedFd::from));
    let mut pause = FIRST_LOOK;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() >= deadline {
            kill_group(group);
            child.wait()?;
            break None;
        }
        if stdout.from.is_none() && stderr.from.is_none() {
            thread::sleep(pause);
            pause = LOOK.min(pause * 2);
            continue;
        }
        hear([&mut stdout, &mut stderr], LOOK)?;
        if patience.hopeless.is_some_and(|words| stderr.says(words)) {
            kill_group(group);
        }
    };
    kill_group(group);
    while hear([&mut stdout, &mut stderr], Duration::ZERO)? {}
    Ok(Heard { status, stdout: stdout.heard, stderr: stderr.heard })
}

/// One of a program's streams.
struct Stream {
    /// Until it ends, or has said more than anybody reads.
    from: Option<File>,
    heard: Vec<u8>,
    /// How much of it was searched for words.
    searched: usize,
}

impl Stream {
    fn of(from: Option<OwnedFd>) -> Self {
        Self { from: from.map(File::from), heard: Vec::new(), searched: 0 }
    }

    /// Takes what is there.
    fn read(&mut self) -> io::Result<()> {
        let Some(from) = &mut self.from else { return Ok(()) };
        let mut part = [0; 16_384];
        let count = match from.read(&mut part) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        };
        let limit = usize::try_from(SCHEDULER_ANSWER_BYTES).unwrap_or(usize::MAX);
        let room = limit - self.heard.len();
        self.heard.extend_from_slice(&part[..count.min(room)]);
        if count == 0 || self.heard.len() >= limit {
            self.from = None;
        }
        Ok(())
    }

    /// Tells whether these words came since the last time it was asked.
    fn says(&mut self, words: &str) -> bool {
        // They may have begun in the part before.
        let from = self.searched.saturating_sub(words.len());
        self.searched = self.heard.len();
        self.heard[from..].windows(words.len()).any(|heard| heard == words.as_bytes())
    }
}

/// Waits until one of the streams says something, or ends, and takes it. Tells whether one did.
fn hear(mut streams: [&mut Stream; 2], longest: Duration) -> io::Result<bool> {
    let ready: Vec<bool> = {
        let mut asked: Vec<PollFd<'_>> = Vec::with_capacity(streams.len());
        for stream in &streams {
            asked.extend(stream.from.as_ref().map(|from| PollFd::new(from, PollFlags::IN)));
        }
        if asked.is_empty() {
            return Ok(false);
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: longest.subsec_nanos().into(),
        };
        match poll(&mut asked, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        asked.iter().map(|asked| !asked.revents().is_empty()).collect()
    };
    let mut ready = ready.into_iter();
    for stream in &mut streams {
        if stream.from.is_some() && ready.next() == Some(true) {
            stream.read()?;
        }
    }
    Ok(true)
}

fn kill_group(group: u32) {
    let pid = i32::try_from(group).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = kill_process_group(pid, Signal::KILL)
        && error != rustix::io::Errno::SRCH
    {
        tracing::debug!(group, %error, "a scheduler's program cannot be killed");
    }
}
