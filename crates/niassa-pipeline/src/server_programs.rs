//! The programs of a PostgreSQL server that copy one of its databases and put a copy back.
//!
//! Passwords travel in their environment. A program that is older than the server refuses by itself;
//! what it said is told.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a server is reached.
#[derive(Clone, Copy)]
pub struct Server<'place> {
    /// Its URL, without a password.
    pub url: &'place str,
    /// The password, where one is not found otherwise.
    pub password: Option<&'place str>,
}

/// Why a program did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerProgramError {
    /// It is not installed.
    #[error("{program} is not installed; it belongs to the client programs of PostgreSQL")]
    NotInstalled {
        /// The program.
        program: &'static str,
    },
    /// It could not be started.
    #[error("start {program}")]
    Start {
        /// The program.
        program: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// The program.
        program: &'static str,
        /// What it said.
        said: String,
    },
}

/// Copies one moment of a database, in the custom format, and reads the copy's table of contents.
pub fn dump(server: Server, snapshot: &str, file: &Path) -> Result<(), ServerProgramError> {
    let mut dump = program("pg_dump", server);
    dump.args(["--format=custom", "--no-owner", "--no-privileges", "--no-password"]);
    dump.arg(format!("--snapshot={snapshot}")).arg("--file").arg(file).arg("--dbname");
    run("pg_dump", dump.arg(server.url))?;
    let mut list = program("pg_restore", server);
    run("pg_restore", list.arg("--list").arg(file))
}

/// Puts a copy into an empty database: all of it or nothing.
pub fn load(server: Server, file: &Path) -> Result<(), ServerProgramError> {
    let mut load = program("pg_restore", server);
    load.args(["--no-owner", "--no-privileges", "--no-password", "--exit-on-error"]);
    load.arg("--single-transaction").arg("--dbname").arg(server.url);
    run("pg_restore", load.arg(file))
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts a server's programs")]
fn program(name: &str, server: Server) -> Command {
    let mut command = Command::new(name);
    if let Some(password) = server.password {
        command.env("PGPASSWORD", password);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn run(program: &'static str, command: &mut Command) -> Result<(), ServerProgramError> {
    let output = command.output().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ServerProgramError::NotInstalled { program },
        _ => ServerProgramError::Start { program, source },
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    Err(ServerProgramError::Failed { program, said: said.join("; ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_told() {
        let command = |line: &str| {
            let server = Server { url: "postgresql:///n", password: Some("secret") };
            let mut command = program("bash", server);
            command.args(["-c", line]);
            command
        };
        run("bash", &mut command("test \"$PGPASSWORD\" = secret")).unwrap();
        let failed = run("bash", &mut command("echo ' a' >&2; echo b >&2; exit 1")).unwrap_err();
        assert_eq!(failed.to_string(), "bash failed: a; b");
        let server = Server { url: "postgresql:///n", password: None };
        let missing = run("pg_dump", &mut program("pg_dump-of-nobody", server)).unwrap_err();
        assert!(missing.to_string().contains("not installed"), "{missing}");
    }
}
