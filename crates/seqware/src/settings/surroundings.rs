//! What this process was given: environment variables, home directory, user, terminal.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use uuid::Uuid;

use super::key::is_secret;
use crate::ui::Look;

/// The environment of a process, as far as we look at it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Environment variables that are valid text.
    pub variables: BTreeMap<String, String>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// The OS user's number.
    pub os_user: u32,
    /// Where the site's settings are.
    pub site_file: PathBuf,
}

impl Surroundings {
    /// Reads the surroundings of this process.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    pub fn of_this_process() -> Self {
        let variables: BTreeMap<String, String> = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let home = variables.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        Self {
            variables,
            home,
            os_user: rustix::process::geteuid().as_raw(),
            site_file: PathBuf::from("/etc/niassa/settings"),
        }
    }

    /// Returns an environment variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Returns where the person's settings are, or would be.
    pub fn personal_file(&self) -> Option<PathBuf> {
        let named = self.variable("SEQWARE_SETTINGS").filter(|path| !path.is_empty());
        named.map(PathBuf::from).or_else(|| Some(self.home.as_ref()?.join(".seqware/settings")))
    }

    /// Returns where it is remembered which work directories this user has launched from, on this machine.
    pub fn known_work_dirs(&self) -> Option<PathBuf> {
        let machine = niassa_pipeline::place::machine();
        Some(self.home.as_ref()?.join(format!(".seqware/work-directories-{machine}")))
    }

    /// Returns the service's configuration file that the environment names.
    pub fn service_config(&self) -> Option<PathBuf> {
        self.variable("NIASSA_SERVICE_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// Returns the id that whoever started this process gave to all that comes of it.
    pub fn trace(&self) -> Option<Uuid> {
        self.variable("NIASSA_TRACE_ID")?.parse().ok()
    }

    /// Returns how logs shall be written, if the environment says so.
    pub fn log_format(&self) -> Option<&str> {
        self.variable("NIASSA_LOG_FORMAT").filter(|format| !format.is_empty())
    }

    /// Returns what the service's log shall hold, if the environment says so.
    pub fn log_filter(&self) -> Option<&str> {
        self.variable("NIASSA_LOG").filter(|filter| !filter.is_empty())
    }

    /// Returns where a service keeps its data unless told otherwise.
    pub fn data_dir(&self) -> Option<PathBuf> {
        if self.os_user == 0 {
            return Some(PathBuf::from("/var/lib/niassa"));
        }
        let of_xdg = self.variable("XDG_DATA_HOME").filter(|path| path.starts_with('/'));
        let share = match of_xdg {
            Some(path) => PathBuf::from(path),
            None => self.home.as_ref()?.join(".local/share"),
        };
        Some(share.join("niassa"))
    }

    /// Returns how output should look on standard output.
    pub fn look(&self) -> Look {
        let terminal = io::stdout().is_terminal();
        let width = self.variable("COLUMNS").and_then(|columns| columns.parse().ok());
        let measured = || {
            let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
            (size.ws_col > 0).then_some(size.ws_col)
        };
        let no_color = self.variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = self.variable("TERM") == Some("dumb");
        Look {
            // A pipe has no width: a line of a table stays one line, for `grep` and `cut`.
            width: terminal.then(|| measured().or(width).unwrap_or(80)),
            color: terminal && !no_color && !dumb,
            unicode: self.speaks_utf8(),
            live: terminal && !dumb,
        }
    }

    /// Returns the environment that commands of steps may have: all but our secrets.
    #[expect(clippy::disallowed_methods, reason = "names and values need not be valid text here")]
    pub fn for_jobs() -> Vec<(OsString, OsString)> {
        env::vars_os().filter(|(name, _)| !name.to_str().is_some_and(is_secret)).collect()
    }

    /// Tells whether a person is looking at standard error.
    pub fn errors_to_terminal() -> bool {
        io::stderr().is_terminal()
    }

    fn speaks_utf8(&self) -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| self.variable(name).filter(|value| !value.is_empty()));
        locale.is_some_and(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    }
}

/// Returns the path of this program's own executable.
pub fn this_executable() -> io::Result<PathBuf> {
    env::current_exe()
}
