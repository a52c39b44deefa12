//! What steps and launchers need of a machine: bash, limits, and this very program.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use niassa_pipeline::programs;

use super::found::Found;
use crate::settings::{Surroundings, this_executable};

/// Checks what steps need of the machine they run on.
pub fn of_steps() -> Vec<Found> {
    let limit = |which| rustix::process::getrlimit(which).current;
    vec![
        bash(programs::bash_version()),
        processors(std::thread::available_parallelism()),
        open_files(limit(rustix::process::Resource::Nofile)),
        processes(limit(rustix::process::Resource::Nproc)),
    ]
}

/// Checks what people and launchers need of this machine.
pub fn of_people(surroundings: &Surroundings) -> Vec<Found> {
    let path = surroundings.variable("PATH").unwrap_or_default();
    let shellcheck_is_there = find_in(path, "shellcheck").is_some();
    vec![
        program(this_executable(), find_in(path, "seqware").as_deref()),
        shellcheck(if shellcheck_is_there { Installed::Yes } else { Installed::No }),
    ]
}

/// Whether a program is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Installed {
    Yes,
    No,
}

fn bash(version: io::Result<String>) -> Found {
    let fix = "install bash 4 or newer";
    match version {
        Ok(version) => {
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            match major {
                Some(4..) => Found::good("bash", format!("bash {version}")),
                Some(_) | None => Found::bad("bash", format!("bash {version} is too old"), fix),
            }
        }
        Err(error) => Found::bad("bash", format!("bash does not run: {error}"), fix),
    }
}

fn processors(number: io::Result<NonZeroUsize>) -> Found {
    match number {
        Ok(number) => Found::good("processors", format!("{number} for steps")),
        Err(error) => Found::doubtful(
            "processors",
            format!("not known: {error}"),
            "steps run one at a time; look at the limits of this account",
        ),
    }
}

fn open_files(limit: Option<u64>) -> Found {
    match limit {
        Some(files) if files < 1_024 => Found::doubtful(
            "open files",
            format!("at most {files} per process"),
            "ulimit -n 4096, or LimitNOFILE=4096",
        ),
        Some(files) => Found::good("open files", format!("{files} per process")),
        None => Found::good("open files", "no limit"),
    }
}

fn processes(limit: Option<u64>) -> Found {
    match limit {
        Some(most) if most < 256 => Found::doubtful(
            "processes",
            format!("at most {most} for this user"),
            "ulimit -u 4096, or TasksMax=4096 in the unit",
        ),
        Some(most) => Found::good("processes", format!("{most} for this user")),
        None => Found::good("processes", "no limit"),
    }
}

/// Compares this program with the one that a shell would start: cron and people may use two.
fn program(this: io::Result<PathBuf>, in_path: Option<&Path>) -> Found {
    let this = match this {
        Ok(this) => this,
        Err(error) => {
            let finding = format!("its file cannot be found: {error}");
            return Found::bad("program", finding, "install seqware anew");
        }
    };
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match in_path {
        None => Found::doubtful(
            "program",
            format!("{} is not in PATH", this.display()),
            format!("install it as /usr/bin/seqware, or write {} in scripts", this.display()),
        ),
        Some(other) if whole(other) == whole(&this) => {
            Found::good("program", this.display().to_string())
        }
        Some(other) => Found::doubtful(
            "program",
            format!("{}, but in PATH stands {}", this.display(), other.display()),
            "remove one of them",
        ),
    }
}

fn shellcheck(installed: Installed) -> Found {
    match installed {
        Installed::Yes => Found::good("shellcheck", "`bundle inspect` looks at commands with it"),
        Installed::No => Found::doubtful(
            "shellcheck",
            "not installed; `bundle inspect` sees less",
            "apt-get install shellcheck",
        ),
    }
}

/// Finds a program as a shell would.
fn find_in(path: &str, program: &str) -> Option<PathBuf> {
    let folders = path.split(':').filter(|folder| !folder.is_empty());
    folders.map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::super::found::Verdict::{Bad, Doubtful, Good};
    use super::super::found::assert_verdict;
    use super::*;

    #[test]
    fn bash_is_there_and_new_enough() {
        assert_verdict(&bash(Ok("5.2.15(1)-release".to_owned())), Good);
        assert_verdict(&bash(Ok("3.2.57".to_owned())), Bad);
        assert_verdict(&bash(Err(io::Error::from(io::ErrorKind::NotFound))), Bad);
    }

    #[test]
    fn limits_leave_room_for_steps() {
        assert_verdict(&processors(Ok(NonZeroUsize::MIN)), Good);
        assert_verdict(&processors(Err(io::Error::other("no"))), Doubtful);
        for limit in [Some(1_024), None] {
            assert_verdict(&open_files(limit), Good);
            assert_verdict(&processes(limit), Good);
        }
        assert_verdict(&open_files(Some(1_023)), Doubtful);
        assert_verdict(&processes(Some(255)), Doubtful);
    }

    #[test]
    fn the_program_in_path_is_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let this = folder.path().join("seqware");
        std::fs::write(&this, "").unwrap();
        let path = format!("/nowhere::{}", folder.path().display());
        let found = find_in(&path, "seqware");
        assert_verdict(&program(Ok(this.clone()), found.as_deref()), Good);
        assert_verdict(&program(Ok(this.clone()), None), Doubtful);
        assert_verdict(&program(Ok("/opt/seqware".into()), Some(&this)), Doubtful);
        assert_verdict(&program(Err(io::Error::other("gone")), None), Bad);
    }

    #[test]
    fn shellcheck_is_missed_only_for_inspecting() {
        assert_verdict(&shellcheck(Installed::Yes), Good);
        assert_verdict(&shellcheck(Installed::No), Doubtful);
    }
}
