//! The founding text's table for real: hosts, OS users, a Web Service, a cluster and cron.
//!
//! Each layout is a lab of its own: a process in fresh network, mount, PID and UTS namespaces that
//! makes its hosts as further namespaces inside. The kernel ends whatever runs in a lab with its first
//! process, and that one with us, whichever way we end; mounts, addresses and OS users exist only in
//! there. This needs root. What is run comes from `docs/launching.md`: see [`document`].

mod checks;
mod cloud_init;
mod cluster;
mod cron;
mod document;
mod host;
mod lab;
mod layout;
mod metadb;
mod site;
mod story;

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::packages;
use crate::repository::Repository;
use crate::test::skips;
use layout::Layout;

/// How long all labs may take; each counts its own waits and is well under it.
const LIMIT: Duration = Duration::from_mins(4);
/// How often we look whether a lab has ended.
const LOOK: Duration = Duration::from_millis(100);
/// The first argument of the process that is the lab.
const INSIDE: &str = "--inside";
/// The first argument where everything is built.
const BUILT: &str = "--built";
/// With what a lab says how many checks passed.
const PASSED: &str = "checks passed: ";

/// Runs the layouts that are named, or all.
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    match arguments.split_first() {
        Some((first, [layout, executable])) if first == INSIDE => {
            inside(repository, layout.parse()?, Path::new(executable))
        }
        Some((first, names)) if first == BUILT => run_built(repository, names),
        _ => {
            let layouts = layout::chosen(arguments)?;
            let wanted: Vec<packages::Package> = [packages::TESTS, packages::HOSTS].concat();
            let _installed = packages::install(&wanted);
            let built = repository.cargo().args(["build", "--workspace", "--bins"]).status();
            ensure!(built.context("cannot start cargo build")?.success(), "cargo build failed");
            run_labs(repository, &layouts)
        }
    }
}

/// Returns the command that runs all layouts with what was built into `target`.
pub(crate) fn command(target: &Path) -> Command {
    let mut command = Command::new(target.join("debug/xtask"));
    command.args(["multihost", BUILT]);
    command
}

fn run_built(repository: &Repository, names: &[String]) -> Result<ExitCode> {
    run_labs(repository, &layout::chosen(names)?)
}

/// Returns what is missing here, if anything is.
pub(crate) fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("namespaces with hosts and OS users in them need root".to_owned());
    }
    if let Some(reason) = missing(layout::PROGRAMS) {
        return Some(reason);
    }
    let probe = Command::new("unshare")
        .args(["--mount", "--uts", "--net", "--pid", "--fork", "--mount-proc", "true"])
        .stderr(Stdio::null())
        .status();
    match probe {
        Ok(status) if status.success() => None,
        _ => Some("this machine does not let us make namespaces".to_owned()),
    }
}

/// Returns which programs are not installed, if any are.
fn missing(programs: &[&str]) -> Option<String> {
    let missing: Vec<&str> =
        programs.iter().copied().filter(|name| !packages::has_program(name)).collect();
    (!missing.is_empty()).then(|| format!("without {}", missing.join(" ")))
}

/// Notes that a layout is left out, where `cargo xtask test` counts it.
fn skip(layout: Layout, reason: &str) -> Result<()> {
    let line = format!("SKIPPED multihost::{}: {reason}", layout.name());
    println!("{line}");
    if let Some(path) = std::env::var_os(skips::VARIABLE) {
        let mut file =
            OpenOptions::new().append(true).open(path).context("open the file of skips")?;
        writeln!(file, "{line}").context("note a skip")?;
    }
    Ok(())
}

/// Runs the labs at the same time.
fn run_labs(repository: &Repository, layouts: &[Layout]) -> Result<ExitCode> {
    if let Some(reason) = obstacle() {
        println!("SKIPPED multihost: {reason}");
        return Ok(ExitCode::SUCCESS);
    }
    // A build may have replaced the file that this process was started from.
    let target = repository.target()?;
    let mut labs = Vec::new();
    for layout in layouts {
        match missing(layout.programs()) {
            Some(reason) => skip(*layout, &reason)?,
            None => labs.push(Lab::start(&target, *layout)?),
        }
    }
    let deadline = Instant::now() + LIMIT;
    let mut passed = 0;
    let mut failed = Vec::new();
    while !labs.is_empty() {
        ensure!(Instant::now() < deadline, "not within {} seconds", LIMIT.as_secs());
        thread::sleep(LOOK);
        let mut running = Vec::new();
        for mut lab in labs {
            match lab.process.try_wait().context("cannot wait for a lab")? {
                None => running.push(lab),
                Some(status) => match lab.passed.recv() {
                    Ok(number) if status.success() => passed += number,
                    _ => failed.push(lab.layout.name()),
                },
            }
        }
        labs = running;
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(" "));
    println!("multihost: {passed} checks passed");
    Ok(ExitCode::SUCCESS)
}

/// A lab that was started.
struct Lab {
    layout: Layout,
    process: Child,
    /// How many checks it says have passed, once it has ended.
    passed: Receiver<u32>,
}

impl Lab {
    /// Starts this program again as the first process of new namespaces. Should the thread that
    /// called this end, the kernel ends them.
    fn start(target: &Path, layout: Layout) -> Result<Self> {
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "unshare", "--kill-child", "--fork"])
            .args(["--mount", "--uts", "--net", "--ipc", "--pid", "--mount-proc", "--"])
            .arg(target.join("debug/xtask"))
            .args(["multihost", INSIDE, layout.name()])
            .arg(target.join("debug/seqware"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a lab")?;
        let output = process.stdout.take().context("the lab has no stdout")?;
        let (sender, passed) = channel();
        thread::spawn(move || sender.send(pass_through(output, layout)));
        Ok(Self { layout, process, passed })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // What it started ends with it.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Shows what a lab says, with its name before each line, and returns its number of checks.
fn pass_through(output: impl Read, layout: Layout) -> u32 {
    let mut passed = 0;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        match line.strip_prefix(PASSED) {
            Some(number) => passed = number.parse().unwrap_or(0),
            // A reader that went away does not end the labs.
            None => drop(writeln!(io::stdout(), "{:<11} {line}", layout.name())),
        }
    }
    passed
}

/// What the first process of a lab does.
fn inside(repository: &Repository, layout: Layout, executable: &Path) -> Result<ExitCode> {
    if std::process::id() != 1 {
        bail!("{INSIDE} is for the first process of a lab");
    }
    let began = Instant::now();
    let passed = story::tell(repository.root(), layout, executable)?;
    println!("took {} s", began.elapsed().as_secs());
    println!("{PASSED}{passed}");
    Ok(ExitCode::SUCCESS)
}
