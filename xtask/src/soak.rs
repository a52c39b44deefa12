//! `cargo xtask soak`: the long test of `crates/seqware/tests/it/soak.rs`, for as many minutes as are asked,
//! and what it said, for docs/reliability.md.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::faults::page;
use crate::repository::Repository;

/// Minutes when nobody says.
const MINUTES: u64 = 10;

/// What a person may ask.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    minutes: u64,
    seed: Option<u64>,
    strikes: Strikes,
    is_written: bool,
}

/// Whether anybody is killed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strikes {
    NowAndThen,
    Never,
}

/// Plays and tells.
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let options = Options::parse(arguments)?;
    let results = tempfile::NamedTempFile::new().context("cannot make the file of results")?;
    let mut command = repository.cargo();
    command.args(["test", "--quiet", "--workspace", "--test", "it", "--"]);
    command.args(["--exact", "soak::soak", "--nocapture", "--include-ignored"]);
    command.env("NIASSA_SOAK_SECONDS", (options.minutes * 60).to_string());
    command.env("NIASSA_SOAK_RESULTS", results.path());
    if let Some(seed) = options.seed {
        command.env("NIASSA_SEED", seed.to_string());
    }
    if options.strikes == Strikes::Never {
        command.env("NIASSA_SOAK_SPARE", "1");
    }
    let status = command.status().context("cannot start cargo test")?;
    let told = fs::read_to_string(results.path()).context("cannot read the results")?;
    if !told.is_empty() {
        let told: Value = serde_json::from_str(&told).context("the results are no JSON")?;
        let text = table(&told);
        print!("{text}");
        if options.is_written {
            page::write_part(repository.root(), "soak", &text)?;
        }
    }
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options =
            Self { minutes: MINUTES, seed: None, strikes: Strikes::NowAndThen, is_written: false };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut number = || -> Result<u64> {
                let text = words.next().with_context(|| format!("{word} needs a value"))?;
                text.parse().with_context(|| format!("`{text}` is no number"))
            };
            match word.as_str() {
                "--minutes" => options.minutes = number()?,
                "--seed" => options.seed = Some(number()?),
                "--spare" => options.strikes = Strikes::Never,
                "--write" => options.is_written = true,
                unknown => {
                    bail!("no option is called `{unknown}`: --minutes N --seed N --spare --write")
                }
            }
        }
        Ok(options)
    }
}

/// Says what was found, as the page has it.
fn table(told: &Value) -> String {
    let strikes = told["strikes"].as_object().into_iter().flatten();
    let mut strikes: Vec<String> =
        strikes.map(|(who, times)| format!("{} {times}", who.to_lowercase())).collect();
    strikes.sort_unstable();
    let unfinished = told["unfinished"].as_array().map_or(0, Vec::len);
    let memory = |who: &str| {
        let memory = &told[who];
        let growth = match memory["kib_per_minute"].as_f64() {
            Some(growth) => format!("{growth:+.1} KiB a minute"),
            None => "no process lived long enough to tell".to_owned(),
        };
        let course = memory["course_of_own_kib"].as_array().into_iter().flatten();
        let course: Vec<String> =
            course.map(|kib| format!("{:.0}", kib.as_f64().unwrap_or(0.0))).collect();
        let flat = match memory["is_flat"].as_bool() {
            Some(true) => "flat",
            Some(false) => "not flat",
            None => "too short a life to tell whether it is flat",
        };
        format!(
            "{flat}; without files, over the longest life: {} KiB; with them {growth} within {} lives, at most {} KiB, {} samples",
            course.join(" "),
            memory["lives"],
            memory["most_kib"],
            memory["samples"]
        )
    };
    format!(
        "| what | |\n|---|---|\n| seed | {} |\n| seconds | {} |\n| runs | {}, of which on Slurm {} |\n\
         | killed with SIGKILL | {} |\n| steps started | {} |\n| started twice for one attempt | {} |\n\
         | further attempts | {} |\n| steps that never started | {} |\n| runs that did not complete | {} |\n\
         | memory of the service (PSS) | {} |\n| memory of an agent that was spared (PSS) | {} |\n\
         | memory of an agent that does the rest (PSS) | {} |\n\
         | memory of the supervisor (PSS) | {} |\n",
        told["seed"],
        told["seconds"],
        told["runs"],
        told["on_slurm"],
        strikes.join(", "),
        told["steps_started"],
        told["doubled"],
        told["further_attempts"],
        told["never_started"],
        unfinished,
        memory("service_memory"),
        memory("agent_memory"),
        memory("busy_agent_memory"),
        memory("supervisor_memory"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_understood() {
        let parse = |line: &str| {
            Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        let asked = parse("--minutes 2 --seed 7 --spare --write").unwrap();
        let strikes = Strikes::Never;
        assert_eq!(asked, Options { minutes: 2, seed: Some(7), strikes, is_written: true });
        assert_eq!(parse("").unwrap().minutes, MINUTES);
        assert!(parse("--hours 1").is_err() && parse("--minutes").is_err());
    }

    #[test]
    fn what_was_found_is_told() {
        let told = serde_json::json!({
            "seed": 7, "seconds": 60, "runs": 100, "on_slurm": 20, "steps_started": 300, "doubled": 0,
            "further_attempts": 0, "never_started": 0, "unfinished": [[9, "running"]],
            "strikes": {"Service": 2, "Agent": 1},
            "service_memory": {"lives": 3, "samples": 9, "most_kib": 1000.0, "kib_per_minute": 1.25,
                "course_of_own_kib": [900.0, 901.4], "is_flat": true},
            "agent_memory": {"lives": 1, "samples": 9, "most_kib": 900.0, "kib_per_minute": null},
        });
        let text = table(&told);
        for line in [
            "| runs that did not complete | 1 |",
            "agent 1, service 2",
            "+1.2 KiB a minute",
            "flat; without files, over the longest life: 900 901 KiB",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(text.contains("no process lived long enough to tell within 1 lives"));
    }
}
