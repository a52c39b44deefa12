//! The groups of the test run, as data, and how each kind is run.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::child::{Ending, Runner};
use super::outcome::Outcome;
use super::shell_scripts;
use crate::repository::Repository;
use crate::{browser, demo, faults, multihost, packages, tidy};

/// The group whose failure ends the run.
pub(crate) const BUILD: &str = "build";

/// A named part of the run with its own seconds in the table.
pub(crate) struct Group {
    /// What it is called on the command line and in the table.
    pub(crate) name: &'static str,
    /// How long it may well take, for a group that a whole run leaves out when its time is short.
    pub(crate) takes: Duration,
    work: Work,
}

impl Group {
    /// A group that no run leaves out.
    const fn always(name: &'static str, work: Work) -> Self {
        Self { name, takes: Duration::ZERO, work }
    }

    /// A group that shows more of what others have shown already, or that nothing which runs depends on.
    const fn in_time(name: &'static str, takes: Duration, work: Work) -> Self {
        Self { name, takes, work }
    }
}

/// What a group does.
enum Work {
    Packages,
    Tidy,
    Shellcheck,
    Multihost,
    Demo,
    /// The pages in a browser.
    Browser,
    /// A sample of the crash tests, whose cells are counted one by one.
    Faults,
    /// A cargo command that succeeds or not.
    Cargo {
        arguments: &'static [&'static str],
        needs: Option<Component>,
    },
    /// Runs of cargo's tests, whose results are counted one by one.
    CargoTests(&'static [&'static [&'static str]]),
}

/// A part of the tool chain that a machine may lack.
#[derive(Clone, Copy)]
enum Component {
    /// Comes with rustup.
    Rustup { name: &'static str, subcommand: &'static str },
    /// Is another project's, and not built for the occasion: that takes longer than it checks.
    Plugin { name: &'static str, subcommand: &'static str },
}

/// All groups in the order they run.
///
/// The packages of the workspace are always selected together: selecting fewer changes the features
/// of shared dependencies, and cargo would build those again.
pub(crate) const GROUPS: &[Group] = &[
    Group::always("packages", Work::Packages),
    Group::always(
        BUILD,
        Work::Cargo { arguments: &["build", "--workspace", "--all-targets"], needs: None },
    ),
    Group::always(
        "fmt",
        Work::Cargo {
            arguments: &["fmt", "--all", "--check"],
            needs: Some(Component::Rustup { name: "rustfmt", subcommand: "fmt" }),
        },
    ),
    Group::always("tidy", Work::Tidy),
    Group::always(
        "clippy",
        Work::Cargo {
            arguments: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            needs: Some(Component::Rustup { name: "clippy", subcommand: "clippy" }),
        },
    ),
    Group::in_time(
        "doc",
        Duration::from_mins(5),
        Work::Cargo { arguments: &["doc", "--workspace", "--no-deps"], needs: None },
    ),
    Group::always("shellcheck", Work::Shellcheck),
    Group::always(
        "deny",
        Work::Cargo {
            arguments: &["deny", "check", "bans", "licenses", "sources"],
            needs: Some(Component::Plugin { name: "cargo-deny", subcommand: "deny" }),
        },
    ),
    Group::always(
        "unit",
        Work::CargoTests(&[
            &["test", "--workspace", "--no-fail-fast", "--lib", "--bins"],
            &["test", "--workspace", "--no-fail-fast", "--doc"],
        ]),
    ),
    Group::always(
        "integration",
        Work::CargoTests(&[&[
            "test",
            "--workspace",
            "--no-fail-fast",
            "--test",
            "*",
            "--",
            "--skip",
            "faults::matrix",
            "--skip",
            "faults::comparison",
        ]]),
    ),
    Group::in_time("demo", Duration::from_mins(1), Work::Demo),
    Group::in_time("multihost", Duration::from_mins(2), Work::Multihost),
    Group::in_time("faults", Duration::from_mins(3), Work::Faults),
    Group::in_time("browser", Duration::from_mins(1), Work::Browser),
];

/// Runs a group. An error is a failure of the group, said by the caller.
///
/// `left` is the time that a whole run has left for it.
pub(crate) fn run(
    repository: &Repository,
    runner: &Runner,
    group: &Group,
    left: Duration,
) -> Result<Outcome> {
    match &group.work {
        Work::Packages => Ok(install_packages()),
        Work::Tidy => run_tidy(repository),
        Work::Shellcheck => run_shellcheck(repository, runner),
        Work::Multihost => run_multihost(runner),
        Work::Demo => run_demo(runner),
        Work::Faults => run_faults(repository, runner, left),
        Work::Browser => run_browser(repository, runner, group.name),
        Work::Cargo { arguments, needs } => {
            if let Some(reason) = needs.and_then(|component| component.missing(repository)) {
                return Ok(Outcome::skipped(group.name, &reason));
            }
            let mut command = repository.cargo();
            // Only rustdoc looks at it.
            command.args(*arguments).env("RUSTDOCFLAGS", "-Dwarnings");
            Ok(check(group.name, &runner.run(&mut command)?))
        }
        Work::CargoTests(runs) => run_tests(repository, runner, group.name, runs),
    }
}

/// A check is one test: it passed or failed as a whole.
fn check(name: &str, ending: &Ending) -> Outcome {
    if ending.is_success() {
        Outcome::passed()
    } else {
        Outcome::failed(format!("{name}: {ending}"))
    }
}

fn install_packages() -> Outcome {
    let wanted: Vec<packages::Package> =
        [packages::DEMO, packages::TESTS, packages::HOSTS].concat();
    let result = packages::install(&wanted);
    if !result.installed.is_empty() {
        println!("packages: installed {}", result.installed.join(" "));
    }
    if result.missing.is_empty() {
        return Outcome::passed();
    }
    Outcome::skipped(
        "packages",
        &format!("without {}: {}", result.missing.join(" "), result.reason),
    )
}

fn run_tidy(repository: &Repository) -> Result<Outcome> {
    let findings = tidy::check(repository)?;
    for finding in &findings {
        println!("{finding}");
    }
    Ok(match findings.len() {
        0 => Outcome::passed(),
        count => Outcome::failed(format!("tidy: {count} findings")),
    })
}

fn run_shellcheck(repository: &Repository, runner: &Runner) -> Result<Outcome> {
    if !packages::has_program("shellcheck") {
        return Ok(Outcome::skipped("shellcheck", "shellcheck is not installed"));
    }
    let scripts = shell_scripts::find(repository)?;
    if scripts.is_empty() {
        return Ok(Outcome::passed());
    }
    let mut command = Command::new("shellcheck");
    command.arg("--").args(scripts).current_dir(repository.root());
    Ok(check("shellcheck", &runner.run(&mut command)?))
}

fn run_tests(
    repository: &Repository,
    runner: &Runner,
    name: &str,
    runs: &[&[&str]],
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    if let Err(error) = runner.provide_database() {
        outcome.add_failure(format!("{name}: {error:#}"));
    }
    for arguments in runs {
        let ending = runner.run(repository.cargo().args(*arguments))?;
        outcome.add_tests(name, &ending);
    }
    Ok(outcome)
}

fn run_faults(repository: &Repository, runner: &Runner, left: Duration) -> Result<Outcome> {
    let file = tempfile::NamedTempFile::new().context("cannot make the file of results")?;
    let mut command = faults::sample(repository, left);
    command.env(faults::RESULTS, file.path());
    let ending = runner.run(&mut command)?;
    let results = faults::Results::read(file.path())?;
    println!("{}", results.counts());
    // Skips are subtracted again: a test that skips itself counts as passed.
    let passed = results.passed() + results.skipped();
    let mut outcome = Outcome { passed, ..Outcome::default() };
    results.failures().into_iter().for_each(|failure| outcome.add_failure(failure));
    // The build failed, or the time was over.
    if !ending.is_success() && !outcome.has_failed() {
        outcome.add_failure(format!("faults: {ending}"));
    }
    Ok(outcome)
}

fn run_multihost(runner: &Runner) -> Result<Outcome> {
    if let Some(reason) = multihost::obstacle() {
        return Ok(Outcome::skipped("multihost", &reason));
    }
    // The build group made both executables.
    Ok(check("multihost", &runner.run(&mut multihost::command(runner.target()))?))
}

fn run_browser(repository: &Repository, runner: &Runner, name: &str) -> Result<Outcome> {
    if let Some(reason) = browser::obstacle() {
        return Ok(Outcome::skipped(name, &reason));
    }
    let ending = runner.run(&mut browser::command(repository)?)?;
    let mut outcome = Outcome::default();
    outcome.add_tests(name, &ending);
    Ok(outcome)
}

fn run_demo(runner: &Runner) -> Result<Outcome> {
    let missing: Vec<&str> =
        ["bwa", "samtools", "bcftools"].into_iter().filter(|p| !packages::has_program(p)).collect();
    if !missing.is_empty() {
        return Ok(Outcome::skipped("demo", &format!("without {}", missing.join(" "))));
    }
    let data = match demo::fetch(runner.target()) {
        Ok(data) => data,
        Err(error) => return Ok(Outcome::skipped("demo", &format!("{error:#}"))),
    };
    // The build group made the executable.
    Ok(check("demo", &runner.run(&mut demo::command(runner.target(), &data))?))
}

impl Component {
    /// Returns why the component cannot be had, or nothing if it is there, perhaps since now.
    fn missing(self, repository: &Repository) -> Option<String> {
        let works = |subcommand: &str| succeeds(repository.cargo().args([subcommand, "--version"]));
        match self {
            Self::Rustup { name, subcommand } => {
                if works(subcommand) {
                    return None;
                }
                succeeds(Command::new("rustup").args(["component", "add", name]));
                (!works(subcommand)).then(|| format!("{name} is missing, and rustup cannot add it"))
            }
            Self::Plugin { name, subcommand } => {
                (!works(subcommand)).then(|| format!("{name} is not installed"))
            }
        }
    }
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
