//! What Grid Engine's programs, and jobs, find in their environment.
//!
//! Programs run in UTC, so that every time they print or are told is the same on both sides of a
//! change of the clocks. Jobs get the variables by name, from the environment of `qsub`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The cell of clusters that name none.
const DEFAULT_CELL: &str = "default";
/// Variables that describe the process which hands a job over, not the job.
const OF_THE_PROCESS: [&str; 6] = ["PWD", "OLDPWD", "SHLVL", "_", "TZ", "HOSTNAME"];

/// The environment of programs and jobs.
#[derive(Debug)]
pub(super) struct Environment {
    of_programs: Vec<(OsString, OsString)>,
    exported: Vec<String>,
    root: Option<PathBuf>,
    cell: String,
}

impl Environment {
    /// Takes what the settings give. Where they name the folder of Grid Engine's own programs
    /// (`SGE_ROOT` and `SGE_ARCH`), those come before PATH: a distribution's wrappers around them are
    /// ten times slower.
    pub(super) fn new(given: &[(OsString, OsString)]) -> Self {
        let value = |name: &str| given.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let root = value("SGE_ROOT").filter(|root| !root.is_empty()).map(PathBuf::from);
        let cell = value("SGE_CELL").and_then(|cell| cell.to_str()).filter(|cell| !cell.is_empty());
        let cell = cell.unwrap_or(DEFAULT_CELL).to_owned();
        let mut of_programs: Vec<_> =
            given.iter().filter(|(name, _)| name != "TZ").cloned().collect();
        of_programs.push(("TZ".into(), "UTC".into()));
        if let (Some(root), Some(arch)) = (&root, value("SGE_ARCH")) {
            put_first(&mut of_programs, &root.join("bin").join(arch));
        }
        Self { of_programs, exported: exported(given), root, cell }
    }

    /// Returns the environment of `qsub` and its like.
    pub(super) fn of_programs(&self) -> &[(OsString, OsString)] {
        &self.of_programs
    }

    /// Returns what `qsub -v` is told: names of variables, and a time zone with its value, because
    /// that of the programs is another.
    pub(super) fn exported(&self) -> &[String] {
        &self.exported
    }

    /// Returns the cell's name.
    pub(super) fn cell(&self) -> &str {
        &self.cell
    }

    /// Returns where the accounting lies, if the environment says.
    pub(super) fn accounting_file(&self) -> Option<PathBuf> {
        Some(self.root.as_ref()?.join(&self.cell).join("common").join("accounting"))
    }
}

/// Puts a folder before the others in PATH, if it has a `qsub`.
fn put_first(environment: &mut [(OsString, OsString)], folder: &Path) {
    let path = environment.iter_mut().find(|(name, _)| name == "PATH");
    if let Some((_, path)) = path
        && folder.join("qsub").is_file()
    {
        let mut longer = folder.as_os_str().to_owned();
        longer.push(":");
        longer.push(&*path);
        *path = longer;
    }
}

/// Returns what jobs get. Values of several lines break the files by which Grid Engine hands
/// variables on, and names such as bash gives to exported functions break its options: both are left
/// out.
fn exported(given: &[(OsString, OsString)]) -> Vec<String> {
    let mut names: Vec<String> = given
        .iter()
        .filter(|(name, value)| is_name(name) && is_one_line(value))
        .filter_map(|(name, _)| name.to_str())
        .filter(|name| !OF_THE_PROCESS.contains(name) && !name.starts_with("SGE_"))
        .map(str::to_owned)
        .collect();
    let zone = given.iter().find(|(name, _)| name == "TZ").and_then(|(_, zone)| zone.to_str());
    names.extend(zone.filter(|zone| is_zone(zone)).map(|zone| format!("TZ={zone}")));
    names
}

fn is_name(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| !first.is_ascii_digit())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn is_one_line(value: &OsStr) -> bool {
    !value.as_bytes().iter().any(u8::is_ascii_control)
}

/// Tells whether a time zone can stand in an option as it is.
fn is_zone(zone: &str) -> bool {
    zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-:.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(given: &[(&str, &str)]) -> Environment {
        let pairs: Vec<_> = given.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Environment::new(&pairs)
    }

    #[test]
    fn jobs_get_what_grid_engine_can_carry() {
        let given = [
            ("PATH", "/bin"),
            ("BASH_FUNC_module%%", "() { echo; }"),
            ("LINES", "one\ntwo"),
            ("A", "x,y=z"),
            ("PWD", "/somewhere"),
            ("SGE_ROOT", "/opt/sge"),
            ("9", ""),
            ("TZ", "America/Toronto"),
        ];
        assert_eq!(environment(&given).exported(), ["PATH", "A", "TZ=America/Toronto"]);
        assert_eq!(environment(&[("TZ", "a,b=c")]).exported(), [""; 0]);
    }

    #[test]
    fn programs_run_in_utc() {
        let programs = environment(&[("TZ", "Asia/Tokyo"), ("PATH", "/bin")]);
        let expected = [("PATH", "/bin"), ("TZ", "UTC")].map(|(n, v)| (n.into(), v.into()));
        assert_eq!(programs.of_programs(), expected);
    }

    #[test]
    fn grid_engines_own_programs_come_first() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin/lx-test");
        std::fs::create_dir_all(&bin).unwrap();
        let root = root.path().to_str().unwrap();
        let given = [("PATH", "/bin"), ("SGE_ROOT", root), ("SGE_ARCH", "lx-test")];
        assert_eq!(environment(&given).of_programs()[0].1, "/bin", "there is no qsub");
        std::fs::write(bin.join("qsub"), "").unwrap();
        let path = environment(&given).of_programs()[0].1.clone();
        assert_eq!(path, format!("{}:/bin", bin.display()).as_str());
    }

    #[test]
    fn the_accounting_is_that_of_the_cell() {
        assert_eq!(environment(&[]).accounting_file(), None);
        let file = environment(&[("SGE_ROOT", "/opt/sge"), ("SGE_CELL", "lab")]).accounting_file();
        assert_eq!(file, Some("/opt/sge/lab/common/accounting".into()));
        let file = environment(&[("SGE_ROOT", "/opt/sge")]).accounting_file();
        assert_eq!(file, Some("/opt/sge/default/common/accounting".into()));
    }
}
