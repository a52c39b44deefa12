//! The project's chores, as `cargo xtask <chore>`: checks of the repository, the whole test run, the
//! demonstration, the measurements.
//!
//! Nothing here is shipped. A chore needs no more than cargo and what Debian has; what it cannot
//! have, it names and leaves out.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "chores talk to the person at the terminal"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "chores start cargo and apt-get, and read the environment cargo gives them"
)]

mod bench;
mod book;
mod browser;
mod demo;
mod dist;
mod faults;
mod multihost;
mod packages;
mod repository;
mod soak;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;

use crate::repository::Repository;

const USAGE: &str = "\
Usage: cargo xtask <chore>

  tidy             checks crate edges, sizes, forbidden words and the paths ARCHITECTURE.md names
  test [GROUP...]  installs what the tests need and runs everything, or the named groups;
                   --minutes N before them leaves out what shows more of the same
  demo [ARG...]    fetches real reads and runs `seqware demo`, passing the arguments on
  browser [ARG...] runs the pages in Chromium; --screenshots FOLDER keeps pictures of all of
                   them, --gallery FOLDER makes those of the README
  multihost [LAYOUT...]
                   runs docs/launching.md on hosts in namespaces (root): two-hosts three-hosts vm grid-engine
  faults           crashes everybody once, a sample of cells; --all, --seed N, --cell NAME,
                   --engine E, --minutes M, --compare, --write (into docs), --from FILE
  soak             a stream of runs for minutes, somebody killed each half minute; --minutes N,
                   --seed N, --write (into docs)
  bench [CASE...]  measures a release build against make; --quick, --json, --write (into docs)
  dist [--check]   builds the executable for old machines and the Debian package; --check installs it
                   over this machine in namespaces (root)
  book             builds docs/ as a book and checks its links
  help             shows this

Test groups, in their order: packages build fmt tidy clippy doc shellcheck deny unit integration
  demo multihost faults browser
Bench cases: startup engine loop schedule service-postgres memory planning clusters agent pages
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let Some((chore, rest)) = arguments.split_first() else {
        eprint!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    match chore.as_str() {
        "tidy" => tidy_chore(&Repository::open()?),
        "test" => test::run(&Repository::open()?, rest),
        "demo" => demo::run(&Repository::open()?, rest),
        "browser" => browser::run(&Repository::open()?, rest),
        "multihost" => multihost::run(&Repository::open()?, rest),
        "faults" => faults::run(&Repository::open()?, rest),
        "soak" => soak::run(&Repository::open()?, rest),
        "dist" => dist::run(&Repository::open()?, rest),
        "book" => book::run(&Repository::open()?, rest),
        "bench" => bench::run(&Repository::open()?, rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        unknown => {
            eprint!("xtask: no chore is called `{unknown}`\n\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

fn tidy_chore(repository: &Repository) -> Result<ExitCode> {
    let findings = tidy::check(repository)?;
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} findings", findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
