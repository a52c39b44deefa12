//! Questions put to other programs of this machine: its full name, its bash, its crontab, what
//! shellcheck says.
//!
//! Each is asked once, changes nothing, and may not be installed; what its absence means is for
//! the caller to say.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

/// What shellcheck is not asked: variables that only another step uses, and files it cannot follow.
const NOT_ASKED: &str = "SC2034,SC1090,SC1091,SC2153";

/// Something shellcheck says about a line of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The line, from 1.
    pub line: u32,
    /// How bad it is: `error`, `warning`, `info` or `style`.
    pub level: String,
    /// The number behind `SC` under which it is explained.
    pub code: u32,
    /// What it is.
    pub message: String,
}

/// The question for this machine's full name, under way.
pub struct FullHostName(io::Result<Child>);

impl FullHostName {
    /// Asks `hostname --long`.
    ///
    /// People who schedule ask the same command; only the same question is sure to give the same
    /// answer.
    pub fn ask() -> Self {
        Self(start("hostname", &["--long"]))
    }

    /// Returns the answer, or nothing where the command cannot say.
    pub fn answer(self) -> Option<String> {
        let output = self.0.and_then(Child::wait_with_output).ok()?;
        let name = String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned();
        Some(name).filter(|name| output.status.success() && !name.is_empty())
    }
}

/// Returns the version of the bash that steps would run under.
pub fn bash_version() -> io::Result<String> {
    ask("bash", &["-c", "echo \"$BASH_VERSION\""]).map(|version| version.trim().to_owned())
}

/// Returns this user's crontab, or nothing where there is none.
pub fn crontab() -> io::Result<Option<String>> {
    let output = start("crontab", &["-l"])?.wait_with_output()?;
    // It ends with 1 where the user has none.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(Some(text).filter(|_| output.status.success()))
}

/// Returns what shellcheck says about a bash script, or nothing where it is not installed.
#[expect(clippy::disallowed_methods, reason = "one of the questions of this file")]
pub fn shellcheck(script: &str) -> io::Result<Option<Vec<Remark>>> {
    let started = Command::new("shellcheck")
        .args(["--shell=bash", "--format=json", "--exclude", NOT_ASKED, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    // It ends with 1 when it has something to say.
    serde_json::from_slice(&output.stdout).map(Some).map_err(io::Error::from)
}

fn ask(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = start(program, arguments)?.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("`{program}` ended with {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[expect(clippy::disallowed_methods, reason = "one of the questions of this file")]
fn start(program: &str, arguments: &[&str]) -> io::Result<Child> {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_tells_its_version() {
        assert!(bash_version().unwrap().starts_with(|digit: char| digit.is_ascii_digit()));
        assert_eq!(ask("seqware-of-nobody", &[]).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(ask("bash", &["-c", "exit 3"]).is_err());
    }

    #[test]
    fn shellcheck_remarks_have_their_line() {
        // Where it is not installed there is nothing to compare.
        let Some(remarks) = shellcheck("a='x y'\nls $a\n").unwrap() else { return };
        assert_eq!((remarks[0].line, remarks[0].code), (2, 2086));
        assert_eq!(shellcheck("echo \"$HOME\"\n").unwrap(), Some(Vec::new()));
    }
}
