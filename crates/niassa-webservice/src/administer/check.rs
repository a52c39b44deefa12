//! Whether a MetaDB can be relied upon: its files, its rules, its audit log, and the archives it names.

use std::path::Path;

use niassa_metadb::backup::NamedArchive;
use niassa_metadb::{MetaDb, MetaDbError};

use super::{AdministerError, open_configured};
use crate::backup::{ArchiveState, state_of};
use crate::config::ServiceConfig;
use crate::error::chain;

/// From this age on the last backup is doubtful.
const OLD_BACKUP_DAYS: i64 = 2;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// What is named of several archives.
const MOST: usize = 3;

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What, as a word.
    pub check: &'static str,
    /// Whether it is as it should be.
    pub verdict: CheckVerdict,
    /// What was found.
    pub finding: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// Whether something is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckVerdict {
    /// It is.
    Good,
    /// It may be, or should be looked at.
    Doubtful,
    /// It is not.
    Bad,
}

/// What helps where the MetaDB itself cannot be trusted.
const RESTORE: &str = "stop the service, and put the last backup into a new place: \
    seqware metadb restore --from FOLDER --metadb LOCATION";

/// Looks through a MetaDB and its archives. It may be in use meanwhile.
pub async fn check(config: &ServiceConfig) -> Result<Vec<Finding>, AdministerError> {
    let metadb = open_configured(config).await?;
    let found = look_through(&metadb, config).await;
    metadb.close().await;
    found
}

async fn look_through(
    metadb: &MetaDb,
    config: &ServiceConfig,
) -> Result<Vec<Finding>, AdministerError> {
    let version = format!("version {}, as this program has it", metadb.schema_version());
    let mut found = vec![good("schema", version), files(metadb).await?];
    for rule in metadb.soundness().await? {
        found.push(if rule.broken_by.is_empty() {
            good(rule.rule, rule.says)
        } else {
            let broken = rule.broken_by.join(", ");
            bad(rule.rule, format!("not so: {}: {broken}", rule.says), RESTORE)
        });
    }
    found.push(audit(metadb).await?);
    found.push(archives(&metadb.archives().await?, &config.data().join("bundles")));
    found.push(last_backup(metadb).await?);
    Ok(found)
}

async fn files(metadb: &MetaDb) -> Result<Finding, AdministerError> {
    match metadb.check().await {
        Ok(()) => Ok(good("files", "the database finds its files whole")),
        Err(error @ MetaDbError::Unreadable { .. }) => Ok(bad("files", chain(&error), RESTORE)),
        Err(error) => Err(error.into()),
    }
}

async fn audit(metadb: &MetaDb) -> Result<Finding, AdministerError> {
    let checked = metadb.check_audit().await?;
    Ok(match checked.broken_at {
        None => good("audit log", format!("{} entries, each fits the one before", checked.entries)),
        Some(at) => {
            let fix = "compare with an export: seqware audit export";
            bad("audit log", format!("entry {at} does not fit: it was changed"), fix)
        }
    })
}

fn archives(named: &[NamedArchive], folder: &Path) -> Finding {
    if !named.is_empty() && !folder.is_dir() {
        let finding = format!("{} are named, and there is no {}", named.len(), folder.display());
        return bad("archives", finding, "name the service's data directory: --data DIR");
    }
    let wrong: Vec<String> = named.iter().filter_map(|archive| wrong(folder, archive)).collect();
    if wrong.is_empty() {
        return good("archives", format!("{} are there and whole", named.len()));
    }
    let more = if wrong.len() > MOST { " and others" } else { "" };
    let finding = format!("{}{more}", wrong[..wrong.len().min(MOST)].join(", "));
    let fix = format!("copy them from the folder bundles of a backup into {}", folder.display());
    bad("archives", finding, fix)
}

/// Says what is wrong with an archive, if something is.
fn wrong(folder: &Path, archive: &NamedArchive) -> Option<String> {
    match state_of(folder, archive) {
        Ok(ArchiveState::Whole) => None,
        Ok(ArchiveState::Missing) => Some(format!("{}.zip is missing", archive.sha256)),
        Ok(ArchiveState::Damaged) => Some(format!("{}.zip is damaged", archive.sha256)),
        Err(error) => Some(chain(&error)),
    }
}

async fn last_backup(metadb: &MetaDb) -> Result<Finding, AdministerError> {
    let fix = "seqware metadb backup --to FOLDER, every night by cron";
    let Some(last) = metadb.last_backup().await? else {
        return Ok(doubtful("last backup", "none was ever made", fix));
    };
    let days = metadb.now().await?.micros_since(last.taken_at) / DAY;
    let told = format!("{} to {}", last.taken_at, last.written_to);
    if days < OLD_BACKUP_DAYS {
        return Ok(good("last backup", told));
    }
    Ok(doubtful("last backup", format!("{days} days ago: {told}"), fix))
}

fn good(check: &'static str, finding: impl Into<String>) -> Finding {
    Finding { check, verdict: CheckVerdict::Good, finding: finding.into(), fix: None }
}

fn doubtful(check: &'static str, finding: impl Into<String>, fix: &str) -> Finding {
    let fix = Some(fix.to_owned());
    Finding { check, verdict: CheckVerdict::Doubtful, finding: finding.into(), fix }
}

fn bad(check: &'static str, finding: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { check, verdict: CheckVerdict::Bad, finding: finding.into(), fix: Some(fix.into()) }
}
