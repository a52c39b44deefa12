//! Files and samples as reports show them, and when runs ran.

use std::collections::BTreeMap;

use niassa_model::accession::Accession;
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::error::{During, Result};
use crate::events::accession;
use crate::pool::{column, moment};
use crate::{Access, MetaDb, bulk};

/// A file as reports show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedFile {
    /// Its accession.
    pub swid: Accession,
    /// Where it lies.
    pub path: String,
    /// Its type.
    pub meta_type: String,
    /// Its bytes, where known.
    pub size: Option<i64>,
    /// SHA-256, where known.
    pub sha256: Option<String>,
}

/// A sample as reports show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedSample {
    /// Its accession.
    pub swid: Accession,
    /// Its title.
    pub title: String,
}

/// When the attempts of a run began and ended.
pub(crate) type Times = (Option<Timestamp>, Option<Timestamp>);

sql! {
    /// Files that the caller may see. `$3`: files.
    FILES = concat!("select f.swid, f.path, f.meta_type, f.size, f.sha256 \
        from file f join object o on o.swid = f.swid \
        where ", visible!(), " and f.swid in \
            (select cast(value ->> 0 as bigint) from json_each($3))");
    /// Files that the caller may see and that steps or runs made. `$3`: steps and runs.
    MADE = concat!("with asked as (select cast(value ->> 0 as bigint) as swid from json_each($3)) \
        select m.maker, f.swid, f.path, f.meta_type, f.size, f.sha256 from ( \
            select s.run as maker, s.swid as processing from step s \
                where s.run in (select swid from asked) \
            union all select s.swid, s.swid from step s \
                where s.swid in (select swid from asked) \
        ) m join file f on f.processing = m.processing join object o on o.swid = f.swid \
        where ", visible!(), " order by f.swid");
    /// Samples that the caller may see. `$3`: samples.
    SAMPLES = concat!("select s.swid, s.title from sample s join object o on o.swid = s.swid \
        where ", visible!(), " and s.swid in \
            (select cast(value ->> 0 as bigint) from json_each($3))");
    /// When runs began and ended. `$1`: runs that the caller has seen.
    TIMES = "select run, min(started_at) as started_at, max(ended_at) as ended_at from attempt \
        where run in (select cast(value ->> 0 as bigint) from json_each($1)) group by run";
}

/// Returns files by their accessions.
pub(crate) async fn files(
    metadb: &MetaDb,
    access: &Access,
    files: impl Iterator<Item = Accession>,
    operation: &'static str,
) -> Result<BTreeMap<Accession, ReportedFile>> {
    let rows = found(metadb, FILES, access, files, operation).await?;
    let entry = |row| file(row, operation).map(|file| (file.swid, file));
    rows.iter().map(entry).collect()
}

/// Returns the files that steps or runs made, in the order in which they were recorded.
pub(crate) async fn made(
    metadb: &MetaDb,
    access: &Access,
    makers: impl Iterator<Item = Accession>,
    operation: &'static str,
) -> Result<BTreeMap<Accession, Vec<ReportedFile>>> {
    let mut made: BTreeMap<Accession, Vec<ReportedFile>> = BTreeMap::new();
    for row in &found(metadb, MADE, access, makers, operation).await? {
        made.entry(accession(row, "maker", operation)?).or_default().push(file(row, operation)?);
    }
    Ok(made)
}

/// Returns samples by their accessions.
pub(crate) async fn samples(
    metadb: &MetaDb,
    access: &Access,
    samples: impl Iterator<Item = Accession>,
    operation: &'static str,
) -> Result<BTreeMap<Accession, ReportedSample>> {
    let rows = found(metadb, SAMPLES, access, samples, operation).await?;
    let entry = |row| {
        let swid = accession(row, "swid", operation)?;
        Ok((swid, ReportedSample { swid, title: column(row, "title", operation)? }))
    };
    rows.iter().map(entry).collect()
}

/// Returns when runs began and ended.
pub(crate) async fn times(
    metadb: &MetaDb,
    runs: &[Accession],
    operation: &'static str,
) -> Result<BTreeMap<Accession, Times>> {
    let rows = sqlx::query(TIMES)
        .bind(bulk::numbers(runs.iter().copied()))
        .fetch_all(metadb.reader())
        .await
        .during(operation)?;
    let time = |row, name| moment(row, name, operation);
    let entry = |row| {
        Ok((accession(row, "run", operation)?, (time(row, "started_at")?, time(row, "ended_at")?)))
    };
    rows.iter().map(entry).collect()
}

async fn found(
    metadb: &MetaDb,
    statement: &'static str,
    access: &Access,
    objects: impl Iterator<Item = Accession>,
    operation: &'static str,
) -> Result<Vec<AnyRow>> {
    let objects: Vec<Accession> = objects.collect();
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(statement)
        .bind(access.everything())
        .bind(access.account.0)
        .bind(bulk::numbers(objects))
        .fetch_all(metadb.reader())
        .await
        .during(operation)
}

fn file(row: &AnyRow, operation: &'static str) -> Result<ReportedFile> {
    Ok(ReportedFile {
        swid: accession(row, "swid", operation)?,
        path: column(row, "path", operation)?,
        meta_type: column(row, "meta_type", operation)?,
        size: column(row, "size", operation)?,
        sha256: column(row, "sha256", operation)?,
    })
}
