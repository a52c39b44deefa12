//! Files of provenance that are recorded by hand. What steps make is recorded with their facts.

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::account::AccountId;

use crate::creating::Begun;
use crate::error::{During, Result};
use crate::idempotency::{Once, OnceKey};
use crate::metadata::objects::{Creation, Studies, refuse_parents, register};
use crate::pool::Writing;
use crate::{Access, MetaDb, bulk};

/// A file to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where it lies.
    pub path: String,
    /// Its type.
    pub meta_type: String,
    /// Its size in bytes, where known.
    pub size: Option<i64>,
    /// SHA-256, where known.
    pub sha256: Option<String>,
    /// MD5, where known.
    pub md5: Option<String>,
    /// What it descends from.
    pub parents: Vec<Accession>,
}

sql! {
    /// Records a file.
    INSERT = "insert into file (swid, path, meta_type, size, sha256, md5, processing) \
        values ($1, $2, $3, $4, $5, $6, $7)";
    /// Records what a file descends from. `$1`: file; `$2`: rows of one parent each.
    INSERT_PARENTS = "insert into file_parent (file, parent) \
        select distinct cast($1 as bigint), cast(value ->> 0 as bigint) from json_each($2)";
}

impl MetaDb {
    /// Records a file that descends from objects that the caller may see.
    pub async fn create_file(
        &self,
        access: &Access,
        file: &NewFile,
        once: Option<&OnceKey>,
    ) -> Result<Once<Creation>> {
        const OPERATION: &str = "record a file";
        let mut creating = match self.begin_creating(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(swid) => return Ok(Once::Done(Creation::Made(swid))),
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        let (tx, now) = (&mut creating.tx, creating.now);
        let fits = ObjectKind::can_be_parent;
        if let Some(refusal) = refuse_parents(tx, access, &file.parents, fits, OPERATION).await? {
            return Ok(Once::Done(refusal));
        }
        let studies = Studies::Of(&file.parents);
        let swid = record(tx, now, access.account, file, studies, None, OPERATION).await?;
        creating.finish(&swid).await?;
        Ok(Once::Done(Creation::Made(swid)))
    }
}

/// Records a file whose parents were checked.
pub(crate) async fn record(
    tx: &mut Writing,
    now: i64,
    owner: AccountId,
    file: &NewFile,
    studies: Studies<'_>,
    processing: Option<Accession>,
    operation: &'static str,
) -> Result<Accession> {
    let swid = register(tx, now, owner, ObjectKind::File, studies, operation).await?;
    sqlx::query(INSERT)
        .bind(swid.get())
        .bind(&file.path)
        .bind(&file.meta_type)
        .bind(file.size)
        .bind(file.sha256.as_deref())
        .bind(file.md5.as_deref())
        .bind(processing.map(Accession::get))
        .execute(&mut **tx)
        .await
        .during(operation)?;
    if !file.parents.is_empty() {
        sqlx::query(INSERT_PARENTS)
            .bind(swid.get())
            .bind(bulk::numbers(file.parents.iter().copied()))
            .execute(&mut **tx)
            .await
            .during(operation)?;
    }
    Ok(swid)
}
