//! The reference: GNU make with two jobs, which starts a bash per step as we do and keeps nothing.
//!
//! Each recipe ends in `;` so that make really starts the shell instead of the command itself.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::measure::{self, Took};

const HEAD: &str = "SHELL = /bin/bash\n.SHELLFLAGS = -euo pipefail -c\n";

/// Runs `steps` independent steps with one make.
pub(super) fn independent(folder: &Path, steps: usize) -> Result<Took> {
    chains(folder, steps, 1)
}

/// Runs `chains` chains of `length` steps with one make.
pub(super) fn chains(folder: &Path, chains: usize, length: usize) -> Result<Took> {
    let makefile = folder.join("Makefile");
    fs::write(&makefile, rules(chains, length)).context("write the Makefile")?;
    measure::command(make(folder).args(["-j2", "all"]))
}

/// Runs `chains` chains of `length` steps with a make for each, two at a time.
pub(super) fn make_per_chain(folder: &Path, chains: usize, length: usize) -> Result<Took> {
    let makefile = folder.join("Makefile");
    fs::write(&makefile, rules(1, length)).context("write the Makefile")?;
    let line = format!("seq {chains} | xargs -P2 -I_ make -s -f {} all", makefile.display());
    measure::command(Command::new("bash").arg("-c").arg(line).current_dir(folder))
}

fn make(folder: &Path) -> Command {
    let mut command = Command::new("make");
    command.arg("-s").current_dir(folder);
    command
}

fn rules(chains: usize, length: usize) -> String {
    let mut text = HEAD.to_owned();
    let mut all = Vec::new();
    for chain in 0..chains {
        for step in 0..length {
            let before = if step == 0 { String::new() } else { format!("s{chain}_{}", step - 1) };
            // Writing to a String cannot fail.
            let _infallible = write!(text, "s{chain}_{step}: {before}\n\t@true;\n");
            all.push(format!("s{chain}_{step}"));
        }
    }
    format!("{text}.PHONY: all {0}\nall: {0}\n", all.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn make_runs_every_step() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Makefile"), rules(2, 3).replace("true;", "echo x >> log;"))
            .unwrap();
        measure::command(make(folder.path()).arg("all")).unwrap();
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert_eq!(log.lines().count(), 6);
    }
}
