//! A site for one test: service, MetaDB, accounts with settings files, work directories.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No condition is awaited longer.
pub const CEILING: Duration = Duration::from_secs(30);

/// The administrator of every site.
pub const ADMIN: &str = "admin@lab.net";

/// Which database a site has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A service with its MetaDB in a folder of its own.
pub struct Site {
    folder: tempfile::TempDir,
    metadb: String,
    data: PathBuf,
    lease_seconds: u32,
    /// Further lines of the service's configuration.
    more_config: String,
    service: Option<Child>,
    port: u16,
    url: String,
}

/// Somebody with an account, a settings file and a home.
#[derive(Clone)]
pub struct User {
    home: PathBuf,
    /// What stands in the environment of the user's commands beside the usual.
    variables: Vec<(OsString, OsString)>,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Fails the test unless the command ended with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the command ended with this code.
    #[track_caller]
    pub fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Returns the number behind the last `SWID: ` of stdout.
    #[track_caller]
    pub fn swid(&self) -> i64 {
        let (_, after) = self.stdout.rsplit_once("SWID: ").expect("a line with a SWID");
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    }

    /// Returns stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }
}

impl Site {
    /// Makes a site on SQLite with an administrator, and starts its service.
    pub fn start() -> Self {
        Self::start_on(Database::Sqlite).expect("SQLite is always there")
    }

    /// Makes a site on a database; `None` where the database is not there (noted as skipped).
    pub fn start_on(database: Database) -> Option<Self> {
        Self::start_with(database, |_| String::new())
    }

    /// Makes a site whose service is configured with further lines; they may name files in the
    /// site's folder.
    pub fn start_with(database: Database, more: impl Fn(&Path) -> String) -> Option<Self> {
        let metadb = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(fresh_postgres()?),
        };
        Some(Self::start_at(metadb, 2, more))
    }

    /// Makes a site with a MetaDB at a place, by default in the site's folder, and claims that last so
    /// long.
    pub fn start_at(
        metadb: Option<String>,
        lease_seconds: u32,
        more: impl Fn(&Path) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let more_config = more(folder.path());
        let metadb =
            metadb.unwrap_or_else(|| folder.path().join("niassa.db").display().to_string());
        let (data, url) = (folder.path().join("data"), String::new());
        let mut site =
            Self { folder, metadb, data, lease_seconds, more_config, service: None, port: 0, url };
        let metadb = site.metadb.clone();
        site.bare(&["metadb", "init", "--metadb", &metadb, "--admin", ADMIN], "admin-password\n")
            .ok();
        site.serve();
        site.write_user(ADMIN, "admin-password");
        site
    }

    /// Runs `seqware` without an account.
    pub fn bare(&self, arguments: &[&str], stdin: &str) -> Ran {
        let home = self.folder.path().join("nobody");
        fs::create_dir_all(&home).expect("a home");
        run(command(&home), arguments, stdin)
    }

    /// Starts the service, on the port it had before.
    pub fn serve(&mut self) {
        let config = self.folder.path().join("service.toml");
        let text = format!(
            "metadb = '{}'\ndata = '{}'\nlisten = '127.0.0.1:{}'\nlease_seconds = {}\n{}",
            self.metadb,
            self.data.display(),
            self.port,
            self.lease_seconds,
            self.more_config
        );
        fs::write(&config, text).expect("a configuration");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("a mode");
        let home = self.folder.path().join("service");
        fs::create_dir_all(&home).expect("a home");
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("service.log"))
            .expect("a log");
        let mut child = command(&home)
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the service starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let told = lines.find_map(|line| {
            let line = line.expect("a line");
            line.strip_prefix("Listening on ").map(str::to_owned)
        });
        let Some(url) = told else { panic!("no address was told; {}", self.service_log()) };
        let (_, port) = url.rsplit_once(':').expect("a port");
        self.port = port.parse().expect("a number");
        self.url = url;
        std::thread::spawn(move || lines.for_each(drop));
        self.service = Some(child);
    }

    /// Starts the service from another place, on the port it had before.
    pub fn serve_from(&mut self, metadb: &str, data: &Path) {
        self.kill_service();
        metadb.clone_into(&mut self.metadb);
        data.clone_into(&mut self.data);
        self.serve();
    }

    /// Kills the service with SIGKILL.
    pub fn kill_service(&mut self) {
        if let Some(mut child) = self.service.take() {
            child.kill().expect("the service can be killed");
            child.wait().expect("the service ends");
        }
    }

    /// Returns the service's process, while it runs.
    pub fn service_pid(&self) -> Option<u32> {
        self.service.as_ref().map(Child::id)
    }

    /// Returns the first of the site's processes whose command line has a word.
    pub fn pid_of(&self, word: &str) -> Option<u32> {
        let found = self.processes().into_iter().find(|(_, line)| line.contains(word));
        found.and_then(|(pid, _)| u32::try_from(pid).ok())
    }

    /// Returns what the service wrote to stderr.
    pub fn service_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("service.log")).unwrap_or_default()
    }

    /// Returns the service's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns where the MetaDB is.
    pub fn metadb(&self) -> &str {
        &self.metadb
    }

    /// Makes an account and returns somebody signed in to it.
    pub fn account(&self, email: &str) -> User {
        let password = format!("password-of-{email}");
        let admin = self.admin();
        run(admin.command(), &["account", "create", email], &format!("{password}\n")).ok();
        self.write_user(email, &password)
    }

    /// Returns the administrator.
    pub fn admin(&self) -> User {
        User { home: self.folder.path().join(ADMIN), variables: Vec::new() }
    }

    /// Writes a home with a settings file for an e-mail address and a password.
    pub fn write_user(&self, email: &str, password: &str) -> User {
        self.write_settings(email, &format!("SW_REST_USER={email}\nSW_REST_PASS={password}\n"))
    }

    /// Writes a home with a settings file that signs in with a token.
    pub fn token_user(&self, name: &str, token: &str) -> User {
        self.write_settings(name, &format!("SW_REST_TOKEN={token}\n"))
    }

    /// Writes a home with a settings file that holds the given lines beside the site's own.
    pub fn write_settings(&self, name: &str, credentials: &str) -> User {
        let home = self.folder.path().join(name);
        fs::create_dir_all(home.join(".seqware")).expect("a home");
        let settings = home.join(".seqware/settings");
        let text = format!(
            "SW_REST_URL={}\n{credentials}SW_WORK_DIR={}\n",
            self.url(),
            self.work_dir().display()
        );
        fs::write(&settings, text).expect("settings");
        fs::set_permissions(&settings, fs::Permissions::from_mode(0o600)).expect("a mode");
        User { home, variables: Vec::new() }
    }

    /// Returns the work directory that all users of the site share.
    pub fn work_dir(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    /// Returns a path in the site's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a bundle into a folder of its own and returns the folder.
    pub fn bundle(&self, name: &str, workflow_yaml: &str) -> PathBuf {
        let folder = self.folder.path().join("bundles").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("workflow.yaml"), workflow_yaml).expect("a manifest");
        folder
    }

    /// Returns the process ids of whatever runs for this site: its folder stands on the command
    /// line, or it works there.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let marker = self.folder.path().as_os_str().to_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let folder = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let here = contains(&line, marker.as_encoded_bytes())
                || folder.starts_with(self.folder.path());
            if pid != std::process::id().cast_signed() && here {
                found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
            }
        }
        found
    }

    /// Kills processes of this site whose command line holds a word, with SIGKILL.
    pub fn kill(&self, word: &str) -> usize {
        let victims = self.processes().into_iter().filter(|(_, line)| line.contains(word));
        let kill = |(pid, _): (i32, String)| {
            let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
            // It may have ended by itself.
            let _ended = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        };
        victims.map(kill).count()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- service log ---\n{}", self.service_log());
        }
        self.kill_service();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) && self.kill("") > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl User {
    /// Runs `seqware` with arguments.
    pub fn seqware<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Ran {
        run(self.command(), arguments, "")
    }

    /// Runs `seqware` with additional settings in its environment.
    pub fn seqware_with<A: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &str)],
        arguments: &[A],
    ) -> Ran {
        let mut command = self.command();
        command.envs(variables.iter().copied());
        run(command, arguments, "")
    }

    /// Installs a bundle and returns the workflow's accession.
    #[track_caller]
    pub fn install(&self, bundle: &Path) -> i64 {
        let bundle = bundle.to_str().expect("a path that is text");
        self.seqware(&["bundle", "install", "--dir", bundle]).ok().swid()
    }

    /// Runs a line of shell with `seqware` in PATH, as people and cron do.
    pub fn shell(&self, line: &str) -> Ran {
        let mut command = clean(Command::new("bash"), &self.home);
        let folder = Path::new(env!("CARGO_BIN_EXE_seqware")).parent().expect("a folder");
        command.env("PATH", format!("{}:{}", folder.display(), path_variable()));
        run(command, &["-c", line], "")
    }

    /// Returns the command, not started.
    pub fn command(&self) -> Command {
        let mut command = command(&self.home);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Returns the same person with more in the environment.
    #[must_use]
    pub fn with<N: Into<OsString>, V: Into<OsString>>(
        &self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let more = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let variables = self.variables.iter().cloned().chain(more).collect();
        Self { home: self.home.clone(), variables }
    }

    /// Returns the home.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Schedules a run for a label.
    #[track_caller]
    pub fn schedule(&self, workflow: i64, host: &str, overrides: &[&str]) -> i64 {
        let accession = workflow.to_string();
        let mut arguments = vec!["workflow", "schedule", "--accession", &accession, "--host", host];
        for one in overrides {
            arguments.extend(["--override", one]);
        }
        self.seqware(&arguments).ok().swid()
    }

    /// Launches what waits for a label and propagates until nothing is active.
    #[track_caller]
    pub fn launch_and_finish(&self, host: &str) {
        self.seqware(&["workflow-run", "launch-scheduled", "--host", host]).ok();
        self.seqware(&["workflow-run", "propagate-statuses", "--until-done"]).ok();
    }

    /// Returns the status of a run.
    #[track_caller]
    pub fn status(&self, run: i64) -> String {
        let row = self.report(run);
        row["workflow_run_status"].as_str().expect("a status").to_owned()
    }

    /// Returns the report's row of a run.
    #[track_caller]
    pub fn report(&self, run: i64) -> serde_json::Value {
        let run = run.to_string();
        let report =
            self.seqware(&["workflow-run", "report", "--accession", &run, "--json"]).ok().json();
        match report {
            serde_json::Value::Array(rows) => rows.into_iter().next().expect("a row"),
            row => row,
        }
    }

    /// Propagates until a run has a status.
    #[track_caller]
    pub fn propagate_until(&self, run: i64, wanted: &str) {
        wait_for(&format!("run {run} is {wanted}"), || {
            self.seqware(&["workflow-run", "propagate-statuses"]).ok();
            self.status(run) == wanted
        });
    }
}

/// Waits until a condition holds.
#[track_caller]
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < CEILING, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Counts how often each line stands in a file; a file that is not there has none.
pub fn count_lines(path: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in fs::read_to_string(path).unwrap_or_default().lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

fn command(home: &Path) -> Command {
    let mut command = clean(Command::new(env!("CARGO_BIN_EXE_seqware")), home);
    command.env("PATH", path_variable());
    command
}

fn clean(mut command: Command, home: &Path) -> Command {
    command.env_clear().env("HOME", home).env("LANG", "C.UTF-8").current_dir(home);
    // By this mark `cargo xtask test` finds what a test leaves behind.
    if let Ok(mark) = std::env::var("NIASSA_TEST_RUN") {
        command.env("NIASSA_TEST_RUN", mark);
    }
    command
}

fn path_variable() -> String {
    std::env::var("PATH").expect("PATH")
}

fn run<A: AsRef<OsStr>>(mut command: Command, arguments: &[A], stdin: &str) -> Ran {
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // The command may end without reading it.
    let _unread = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("the command ends");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Makes a database of its own on the server that `NIASSA_TEST_POSTGRES` names.
pub fn fresh_postgres() -> Option<String> {
    let Ok(server) = std::env::var("NIASSA_TEST_POSTGRES") else {
        skip("NIASSA_TEST_POSTGRES is not set");
        return None;
    };
    let name = format!("it{:016x}", uuid::Uuid::new_v4().as_u64_pair().0);
    let made = Command::new("psql")
        .args([&server, "-qc", &format!("create database {name}")])
        .status()
        .expect("psql is there");
    assert!(made.success());
    let (base, query) = match server.split_once('?') {
        Some((base, query)) => (base, format!("?{query}")),
        None => (server.as_str(), String::new()),
    };
    let (host, _) = base.rsplit_once('/').expect("a URL with a database");
    Some(format!("{host}/{name}{query}"))
}

/// Notes that the running test is skipped, where `cargo xtask test` counts it.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let line = format!("SKIPPED {}: {why}\n", thread.name().unwrap_or("a test"));
    eprint!("{line}");
    if let Ok(file) = std::env::var("NIASSA_SKIPS") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(file).expect("a file");
        file.write_all(line.as_bytes()).expect("a line");
    }
}
