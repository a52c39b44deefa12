//! The whole test run: groups of checks, one after another, and what came of them.
//!
//! A group that fails does not stop the others, a build that fails does. The run ends with a table
//! of seconds, every skip and failure by name, and one last line `N passed, N failed, N skipped`.
//! Beside a failure, two things fail a run: taking longer than [`LIMIT`], and leaving processes
//! behind.

mod child;
mod groups;
mod leftovers;
mod outcome;
pub(crate) mod postgres;
mod shell_scripts;
pub(crate) mod skips;
mod summary;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::repository::Repository;
use child::Runner;
use groups::{GROUPS, Group};
use outcome::Outcome;
use summary::Row;

/// How long the whole run may take on two cores.
const LIMIT: Duration = Duration::from_mins(45);
/// How long a process may take to end after the command that started it.
const GRACE: Duration = Duration::from_secs(10);

/// Runs all groups, or those named, and prints what came of them. With `--minutes N` groups that show more of
/// what others have shown already are left out, by name, where they would not be over by then.
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let (budget, names) = asked(arguments)?;
    let groups = chosen(names)?;
    let started = Instant::now();
    let runner = Runner::new(repository.target()?, started + LIMIT)?;
    let mut rows = Vec::new();
    let mut obstacle = None;
    for group in groups {
        let row = match obstacle {
            Some(reason) => Row {
                group: group.name,
                took: Duration::ZERO,
                outcome: Outcome::skipped(group.name, reason),
            },
            None => match budget.saturating_sub(started.elapsed()) {
                left if left < group.takes => Row {
                    group: group.name,
                    took: Duration::ZERO,
                    outcome: Outcome::skipped(group.name, &too_late(group)),
                },
                left => run_group(repository, &runner, group, left)?,
            },
        };
        if runner.is_late() {
            obstacle = obstacle.or(Some("the time of the run was over"));
        } else if group.name == groups::BUILD && row.outcome.has_failed() {
            obstacle = Some("the build failed");
        }
        rows.push(row);
    }
    if started.elapsed() > LIMIT {
        let outcome = Outcome::failed(format!("took longer than {} minutes", LIMIT.as_secs() / 60));
        rows.push(Row { group: "time", took: Duration::ZERO, outcome });
    }
    print!("{}", summary::table(&rows, started.elapsed()));
    let failed = rows.iter().any(|row| row.outcome.has_failed());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Divides what was asked into the time for the run and the names of groups.
fn asked(arguments: &[String]) -> Result<(Duration, &[String])> {
    match arguments {
        [option, minutes, names @ ..] if option == "--minutes" => {
            let minutes = minutes.parse().with_context(|| format!("`{minutes}` is no number"))?;
            Ok((Duration::from_mins(minutes), names))
        }
        names => Ok((LIMIT, names)),
    }
}

fn too_late(group: &Group) -> String {
    format!("its time would not have been enough; `cargo xtask test {}` runs it", group.name)
}

fn run_group(
    repository: &Repository,
    runner: &Runner,
    group: &Group,
    left: Duration,
) -> Result<Row> {
    println!("\n== {}", group.name);
    let started = Instant::now();
    let mut outcome = match groups::run(repository, runner, group, left) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::failed(format!("{}: {error:#}", group.name)),
    };
    outcome.add_skips(runner.take_skips()?);
    for process in runner.end_leftovers(GRACE) {
        outcome.add_failure(format!("{}: left a process behind: {process}", group.name));
    }
    Ok(Row { group: group.name, took: started.elapsed(), outcome })
}

fn chosen(names: &[String]) -> Result<Vec<&'static Group>> {
    if let Some(unknown) = names.iter().find(|name| !GROUPS.iter().any(|g| g.name == name.as_str()))
    {
        let known: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
        bail!("no group is called `{unknown}`; there are {}", known.join(" "));
    }
    let is_chosen =
        |group: &&Group| names.is_empty() || names.iter().any(|name| name == group.name);
    Ok(GROUPS.iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_for_the_run_stands_before_the_names() {
        let words = |text: &str| -> Vec<String> {
            text.split_whitespace().map(ToOwned::to_owned).collect()
        };
        let all = words("--minutes 18 demo");
        assert_eq!(asked(&all).unwrap(), (Duration::from_mins(18), &all[2..]));
        assert_eq!(asked(&[]).unwrap(), (LIMIT, &[][..]));
        assert!(asked(&words("--minutes soon")).is_err());
    }

    #[test]
    fn only_groups_that_show_more_can_be_left_out() {
        let out: Vec<&str> =
            GROUPS.iter().filter(|g| g.takes > Duration::ZERO).map(|g| g.name).collect();
        assert_eq!(out, ["doc", "demo", "multihost", "faults", "browser"]);
    }

    #[test]
    fn groups_are_chosen_by_name_and_run_in_their_order() {
        let names =
            |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        assert_eq!(chosen(&[]).unwrap().len(), GROUPS.len());
        let two = chosen(&names(&["tidy", "fmt"])).unwrap();
        assert_eq!(two.iter().map(|group| group.name).collect::<Vec<_>>(), ["fmt", "tidy"]);
        let Err(error) = chosen(&names(&["tidy", "nonsense"])) else { panic!("chosen") };
        assert!(error.to_string().contains("`nonsense`; there are packages build"), "{error}");
    }
}
