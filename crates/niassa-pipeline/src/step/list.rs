//! Lists: which attempt an element of a job array is about.
//!
//! A list lies in `<run directory>/lists/` and has one attempt's directory per line, relative to the
//! run directory.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Returns the directory of an element, counted from 1.
pub(super) fn element(list: &Path, number: usize) -> io::Result<PathBuf> {
    let text = std::fs::read_to_string(list)?;
    let run = list.ancestors().nth(2).ok_or_else(|| wrong("a list lies in a run directory"))?;
    let line = number.checked_sub(1).and_then(|index| text.lines().nth(index));
    let line = Path::new(line.ok_or_else(|| wrong("it has no such line"))?);
    let is_below = line.components().all(|part| matches!(part, Component::Normal(_)));
    if !is_below || line.as_os_str().is_empty() {
        return Err(wrong("a line of it is no path below the run directory"));
    }
    Ok(run.join(line))
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_lines() {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(run.path().join("lists")).unwrap();
        let list = run.path().join("lists/1.txt");
        std::fs::write(&list, "steps/0/0-a/attempt-1\nsteps/0/1-b/attempt-2\n../x\n/etc\n\n")
            .unwrap();
        assert_eq!(element(&list, 2).unwrap(), run.path().join("steps/0/1-b/attempt-2"));
        for number in [0, 3, 4, 5, 6, usize::MAX] {
            assert!(element(&list, number).is_err(), "{number}");
        }
        assert!(element(&run.path().join("lists/2.txt"), 1).is_err());
    }
}
