//! Which deployments use a work directory.
//!
//! Runs of two services on one work directory do not meet: their directories have names of their own, unless one
//! MetaDB is a copy of the other. But whoever clears it away, counts its files, or takes in what a restored MetaDB does not know, takes the runs
//! of both. So launchers leave a mark for their deployment, and say when there is a fresh one of another.
//! Marks are hints: where they cannot be written or read nothing is said, and work goes on.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use niassa_api::client::Client;
use niassa_model::time::{Clock, Timestamp};
use niassa_pipeline::place::{machine, os_user};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::clock::SystemClock;
use crate::ui::words::harmless;

/// The folder of the marks; each is named by a deployment and an OS user.
const FOLDER: &str = ".niassa-deployments";

const HOUR: i64 = 3_600_000_000;
/// A mark that is younger is not made anew.
const FRESH: i64 = HOUR;
/// A deployment that left no mark for longer, in days, has gone.
pub const RECENT_DAYS: i64 = 7;
/// How often a process that stays looks again.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// Marks are small; more of one is not read.
const MARK_BYTES: u64 = 4_096;

/// What to do where a work directory serves two deployments.
pub const FIX: &str = "give each deployment a SW_WORK_DIR of its own";

/// Another deployment that uses a work directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherDeployment {
    /// When it last said so.
    pub used_at: Timestamp,
    left_by: Option<LeftBy>,
}

/// Who left a mark; it is written for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LeftBy {
    service: String,
    user: String,
    machine: String,
}

/// The marks in the work directory of a process that stays.
pub struct Deployments {
    client: Client,
    work_dir: PathBuf,
    looked_at: Option<Instant>,
    warning: Option<String>,
}

impl Deployments {
    /// Begins to look after the mark of a service's launchers.
    pub fn of(client: Client, work_dir: PathBuf) -> Self {
        Self { client, work_dir, looked_at: None, warning: None }
    }

    /// Leaves a mark now and then. Returns what a person should know; the same words as long as it holds.
    pub async fn look(&mut self) -> Option<&str> {
        let is_due = self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        if is_due && self.client.deployment().is_some() {
            self.looked_at = Some(Instant::now());
            let (work_dir, client) = (self.work_dir.clone(), self.client.clone());
            // A file server may take its time.
            let look = move || leave_and_look(&work_dir, &client, SystemClock.now());
            self.warning = tokio::task::spawn_blocking(look).await.ok().flatten();
        }
        self.warning.as_deref()
    }
}

/// Leaves a mark, and returns what a person should know of others. Nothing is known before the service answered.
pub fn leave_and_look(work_dir: &Path, client: &Client, now: Timestamp) -> Option<String> {
    let own = client.deployment()?;
    let service = client.url().to_owned();
    let left_by = LeftBy { service, user: os_user(), machine: machine() };
    if let Err(error) = leave(work_dir, &own, &left_by, now) {
        tracing::debug!(%error, "the work directory is not marked as this deployment's");
    }
    warning(work_dir, &others(work_dir, &own, now))
}

/// Finds other deployments that used a work directory within the last days.
pub fn others(work_dir: &Path, own: &str, now: Timestamp) -> Vec<OtherDeployment> {
    let entries = fs::read_dir(work_dir.join(FOLDER)).into_iter().flatten().flatten();
    let mut newest = BTreeMap::<String, OtherDeployment>::new();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(deployment) = deployment_of(&name).filter(|deployment| *deployment != own) else {
            continue;
        };
        let Some(other) = read(&entry.path()) else { continue };
        let is_recent = now.micros_since(other.used_at) <= RECENT_DAYS * 24 * HOUR;
        let is_newer = newest.get(deployment).is_none_or(|known| known.used_at < other.used_at);
        if is_recent && is_newer {
            newest.insert(deployment.to_owned(), other);
        }
    }
    newest.into_values().collect()
}

/// Says what two deployments on one work directory mean.
fn warning(work_dir: &Path, others: &[OtherDeployment]) -> Option<String> {
    if others.is_empty() {
        return None;
    }
    Some(format!(
        "the work directory {} is used by {} too: runs keep apart, but who clears it away or takes runs in \
         from it meets those of all; {FIX}",
        work_dir.display(),
        named(others),
    ))
}

/// Names other deployments as people know them.
pub fn named(others: &[OtherDeployment]) -> String {
    let names: Vec<String> = others.iter().map(OtherDeployment::name).collect();
    names.join(" and ")
}

impl OtherDeployment {
    fn name(&self) -> String {
        let Some(LeftBy { service, user, machine }) = &self.left_by else {
            return "another deployment".to_owned();
        };
        harmless(&format!("another deployment ({service}, by {user} on {machine})"))
    }
}

fn leave(work_dir: &Path, own: &str, left_by: &LeftBy, now: Timestamp) -> io::Result<()> {
    let folder = work_dir.join(FOLDER);
    let user = rustix::process::geteuid().as_raw();
    let path = folder.join(format!("{own}-{user}"));
    let is_fresh = |at: Timestamp| now.micros_since(at).abs() < FRESH;
    if fs::metadata(&path).is_ok_and(|about| is_fresh(changed_at(&about))) {
        return Ok(());
    }
    make(&folder, work_dir)?;
    let temporary = folder.join(format!(".{own}-{user}-{}", std::process::id()));
    let written = fs::write(&temporary, serde_json::to_vec(left_by)?);
    written.and_then(|()| fs::rename(&temporary, &path))
}

/// Makes the folder, as open to others as the work directory is.
fn make(folder: &Path, work_dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {
            let mode = fs::metadata(work_dir)?.mode() & 0o3777;
            fs::set_permissions(folder, fs::Permissions::from_mode(mode))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> Option<OtherDeployment> {
    // Where others may write too, anything may lie there: a pipe must not be waited for.
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let options = options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path).ok()?;
    let about = file.metadata().ok().filter(fs::Metadata::is_file)?;
    let used_at = changed_at(&about);
    let mut text = Vec::new();
    file.take(MARK_BYTES).read_to_end(&mut text).ok()?;
    Some(OtherDeployment { used_at, left_by: serde_json::from_slice(&text).ok() })
}

/// Returns the deployment that a mark's name begins with.
fn deployment_of(name: &str) -> Option<&str> {
    let (deployment, user) = name.split_once('-')?;
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!deployment.is_empty() && is_word(deployment) && is_word(user)).then_some(deployment)
}

fn changed_at(about: &fs::Metadata) -> Timestamp {
    let micros = about.mtime().saturating_mul(1_000_000).saturating_add(about.mtime_nsec() / 1_000);
    Timestamp::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn left_by(service: &str) -> LeftBy {
        let (user, machine) = ("bob".to_owned(), "server2".to_owned());
        LeftBy { service: service.to_owned(), user, machine }
    }

    fn marked(folder: &Path, own: &str, now: Timestamp) -> Option<String> {
        leave(folder, own, &left_by(&format!("https://{own}.net")), now).unwrap();
        warning(folder, &others(folder, own, now))
    }

    fn age(folder: &Path, deployment: &str, by: Duration) {
        for entry in fs::read_dir(folder.join(FOLDER)).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with(deployment) {
                let file = fs::File::options().write(true).open(entry.path()).unwrap();
                file.set_modified(file.metadata().unwrap().modified().unwrap() - by).unwrap();
            }
        }
    }

    #[test]
    fn each_of_two_deployments_is_told_of_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let (at, now) = (folder.path(), SystemClock.now());
        assert_eq!(marked(at, "a1", now), None);
        assert_eq!(marked(at, "a1", now), None, "its own mark says nothing");
        let told = marked(at, "b2", now).unwrap();
        assert!(told.contains("https://a1.net, by bob on server2"), "{told}");
        assert!(told.contains("SW_WORK_DIR of its own"), "{told}");
        assert!(marked(at, "a1", now).unwrap().contains("https://b2.net"));
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&at.join(FOLDER)), mode(at));
    }

    #[test]
    fn one_that_went_away_is_not_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let (at, now) = (folder.path(), SystemClock.now());
        marked(at, "a1", now);
        age(at, "a1", Duration::from_hours(8 * 24));
        assert_eq!(marked(at, "b2", now), None);
        marked(at, "a1", now);
        assert!(marked(at, "b2", now).is_some(), "its mark was made anew");
    }

    #[test]
    fn what_is_no_mark_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let (at, now) = (folder.path(), SystemClock.now());
        marked(at, "a1", now);
        for name in [".a2-0-17", "a3", "a-4-5", "ä-1", "-1"] {
            fs::write(at.join(FOLDER).join(name), "{}").unwrap();
        }
        assert_eq!(marked(at, "a1", now), None);
        fs::write(at.join(FOLDER).join("b2-0"), "\u{1b}[2J").unwrap();
        assert!(marked(at, "a1", now).unwrap().contains("used by another deployment too"));
    }

    #[test]
    fn where_no_mark_can_be_made_nothing_is_said() {
        let (left_by, now) = (left_by("https://a1.net"), Timestamp::from_micros(1));
        assert!(leave(Path::new("/proc/nowhere"), "a1", &left_by, now).is_err());
        assert_eq!(others(Path::new("/proc/nowhere"), "a1", now), []);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FOLDER), "").unwrap();
        assert!(leave(folder.path(), "a1", &left_by, now).is_err());
        assert_eq!(others(folder.path(), "a1", now), []);
    }

    #[test]
    fn a_mark_is_made_once_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let (at, now) = (folder.path(), SystemClock.now());
        let made = || fs::metadata(at.join(FOLDER)).unwrap().modified().unwrap();
        marked(at, "a1", now);
        let before: SystemTime = made();
        marked(at, "a1", now);
        assert_eq!(made(), before);
        age(at, "a1", Duration::from_hours(2));
        marked(at, "a1", now);
        assert_ne!(made(), before);
    }

    #[test]
    fn a_pipe_among_the_marks_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let pipe = folder.path().join(FOLDER).join("b2-0");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let now = Timestamp::from_micros(changed_at(&fs::metadata(&pipe).unwrap()).as_micros() + 1);
        assert!(others(folder.path(), "a1", now).is_empty());
    }
}
