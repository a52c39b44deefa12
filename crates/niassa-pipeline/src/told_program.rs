//! A program of the site that is told something: started once, fed on its standard input, within a
//! time limit.
//!
//! What it prints on standard output is nobody's; the end of its standard error is told where it
//! fails. A program that is late is killed with everything in its process group.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// How much of a program's standard error is read.
const STDERR_BYTES: u64 = 64 << 10;
/// The longest part of it that is told to people, in characters.
const WORDS: usize = 300;

/// Why a program was told nothing, or did not take it well.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// It could not be started, fed or waited for.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It did not end with 0.
    #[error("{program} {status}: {words}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said last.
        words: String,
    },
    /// It did not end in time.
    #[error("{program} was stopped after {seconds} s")]
    Late {
        /// The program.
        program: String,
        /// The limit.
        seconds: u64,
    },
}

/// Runs a program without arguments, with a text on its standard input, to its end or to the limit.
pub fn tell(
    program: &Path,
    text: &[u8],
    environment: &[(OsString, OsString)],
    limit: Duration,
) -> Result<(), TellError> {
    let name = program.display().to_string();
    let failed = |source| TellError::Run { program: name.clone(), source };
    let mut child = start(program, environment).map_err(failed)?;
    let group = child.id();
    let stdin = child.stdin.take();
    let text = text.to_owned();
    // A program may leave a long text unread for as long as it likes.
    let feeding = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&text)));
    let stderr = child.stderr.take();
    let listening = thread::spawn(move || {
        let mut said = Vec::new();
        let read = stderr.map(|stderr| stderr.take(STDERR_BYTES).read_to_end(&mut said));
        drop(read);
        said
    });
    let status = wait(child, limit);
    // What it left behind could keep its streams open for ever.
    kill_group(group);
    drop(feeding.join());
    let said = listening.join().unwrap_or_default();
    match status.map_err(failed)? {
        None => Err(TellError::Late { program: name, seconds: limit.as_secs() }),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(TellError::Failed { program: name, status, words: words(&said) }),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts a program of the site")]
fn start(program: &Path, environment: &[(OsString, OsString)]) -> io::Result<Child> {
    Command::new(program)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Waits for the end of a process; nothing when it had to be killed.
fn wait(mut child: Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let group = child.id();
    let (sender, ended) = channel();
    let waiting = thread::spawn(move || sender.send(child.wait()));
    let status = if let Ok(status) = ended.recv_timeout(limit) {
        status.map(Some)
    } else {
        kill_group(group);
        Ok(None)
    };
    drop(waiting.join());
    status
}

fn kill_group(group: u32) {
    if let Some(pid) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        // It may have ended as a whole.
        let _ended = kill_process_group(pid, Signal::KILL);
    }
}

/// Returns the end of what was said, in one line.
fn words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let skipped = line.chars().count().saturating_sub(WORDS);
    line.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;

    fn tell_script(script: &str, limit: Duration) -> (tempfile::TempDir, Result<(), TellError>) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        // Another name until it is complete: a test that forks meanwhile must not keep it busy.
        let draft = folder.path().join("draft");
        fs::write(&draft, format!("#!/bin/bash\ncd '{}'\n{script}\n", folder.path().display()))
            .unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&draft, &program).unwrap();
        let environment = [("PATH".into(), "/usr/bin:/bin".into())];
        // While another thread forks, a file just written counts as open for writing in its child.
        let told = (0..100).find_map(|_| match tell(&program, b"an event", &environment, limit) {
            Err(TellError::Run { source, .. })
                if source.kind() == io::ErrorKind::ExecutableFileBusy =>
            {
                thread::sleep(Duration::from_millis(10));
                None
            }
            told => Some(told),
        });
        (folder, told.unwrap())
    }

    #[test]
    fn a_program_gets_the_text_and_its_environment() {
        let (folder, told) = tell_script("cat > got; env > environment", Duration::from_secs(30));
        told.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("got")).unwrap(), "an event");
        let environment = fs::read_to_string(folder.path().join("environment")).unwrap();
        assert!(!environment.contains("CARGO"), "{environment}");
    }

    #[test]
    fn what_a_failed_program_said_is_told() {
        let script = "printf 'no\\n mailer %0400d' 7 >&2; exit 3";
        let (_folder, told) = tell_script(script, Duration::from_secs(30));
        let text = told.unwrap_err().to_string();
        assert!(text.contains("exit status: 3: ") && text.ends_with("0007"), "{text}");
        assert!(text.len() < 500, "{text}");
        let missing = tell(Path::new("/nowhere/x"), b"", &[], Duration::from_secs(1)).unwrap_err();
        assert_eq!(missing.to_string(), "cannot run /nowhere/x");
    }

    #[test]
    fn a_late_program_is_stopped_with_what_it_started() {
        let began = Instant::now();
        let script = "sleep 60 & trap '' TERM; sleep 60";
        let (_folder, told) = tell_script(script, Duration::from_millis(1_500));
        assert!(matches!(told, Err(TellError::Late { .. })), "{told:?}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
