//! The registry of accessions: what each names, and which studies it belongs to.

use std::collections::HashMap;

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::account::AccountId;
use niassa_model::time::Timestamp;
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::pool::{Writing, column};
use crate::{Access, MetaDb, bulk};

/// An object, whatever it is.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredObject {
    /// Its accession.
    pub swid: Accession,
    /// What it is.
    pub kind: ObjectKind,
    /// Who made it.
    pub owner: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its fields, as the request that creates one names them, and what became of it.
    pub fields: Map<String, Value>,
}

/// The outcome of making an object that descends from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It is there.
    Made(Accession),
    /// There is no such parent, or the caller may not see it.
    NoParent(Accession),
    /// The parent is there, but cannot be one of this.
    WrongKind {
        /// The parent.
        parent: Accession,
        /// What it is.
        kind: ObjectKind,
    },
}

/// Where an object's studies come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Studies<'parents> {
    /// From what it descends from. A study belongs to itself, and so passes itself on.
    Of(&'parents [Accession]),
    /// It shares those of a run, now and later.
    SharedWith(Accession),
}

sql! {
    /// Deals out an accession. `$1`: kind; `$2`: owner; `$3`: anchor; `$4`: time.
    REGISTER = "insert into object (kind, owner, anchor, created_at) \
        values ($1, $2, $3, $4) returning swid";
    /// Puts an object into the studies of its parents. `$1`: object; `$2`: rows of one parent each.
    INHERIT = "insert into object_study (object, study) \
        select distinct cast($1 as bigint), s.study \
        from json_each($2) p join object o on o.swid = cast(p.value ->> 0 as bigint) \
            join object_study s on s.object = coalesce(o.anchor, o.swid)";
    /// Puts a study into itself.
    BELONGS_TO_ITSELF = "insert into object_study (object, study) values ($1, $1)";
    /// The kinds of those objects that the caller may see. `$3`: rows of one accession each.
    KINDS = concat!("select o.swid, o.kind from object o where (o.kind = 'workflow' or ",
        visible!(), ") and o.swid in (select cast(value ->> 0 as bigint) from json_each($3))");
    /// An object that the caller may see. `$3`: labels that narrow the caller; `$4`: accession.
    ONE = concat!("select o.swid, o.kind, o.created_at, a.email \
        from object o join account a on a.id = o.owner \
        where (o.kind = 'workflow' or ", visible!(), ") \
            and (cast($3 as text) is null or o.kind = 'workflow' or exists ( \
                select 1 from run r where r.swid = coalesce(o.anchor, o.swid) \
                    and r.host in (select value ->> 0 from json_each($3)))) \
            and o.swid = $4");
    /// The fields of a study.
    STUDY = "select title, description, accession, center_name, center_project_name, study_type \
        from study where swid = $1";
    /// The fields of an experiment.
    EXPERIMENT = "select study, title, description, platform_id from experiment where swid = $1";
    /// The fields of a sample.
    SAMPLE = "select experiment, parent, title, description, organism_id \
        from sample where swid = $1";
    /// The fields of a workflow.
    WORKFLOW = "select name, version, description, bundle_sha256, state \
        from workflow where swid = $1";
    /// The fields of a run.
    RUN = "select r.tag, r.workflow, w.name as workflow_name, w.version as workflow_version, \
            r.host, r.engine, r.status, r.note, r.failure, r.directory, r.launched_on, \
            r.steps_total, r.steps_success, r.rescheduled_from, r.trace, r.updated_at \
        from run r join workflow w on w.swid = r.workflow where r.swid = $1";
    /// The fields of a processing.
    PROCESSING = "select run, idx as step_index, name, element, attempt, status, reason \
        from step where swid = $1";
    /// The fields of a file.
    FILE = "select path, meta_type, size, sha256, md5, processing from file where swid = $1";
    /// What a run descends from.
    PARENTS_OF_RUN = "select parent from run_parent where run = $1 order by parent";
    /// The files a run was given.
    INPUTS_OF_RUN = "select file from run_input_file where run = $1 order by file";
    /// What a file descends from: what was said by hand, else the processing that made it.
    PARENTS_OF_FILE = "select parent from file_parent where file = $1 order by parent";
    /// The files that a processing made.
    FILES_OF_PROCESSING = "select swid from file where processing = $1 order by swid";
}

impl MetaDb {
    /// Returns any object that the caller may see.
    pub async fn object(&self, access: &Access, swid: Accession) -> Result<Option<StoredObject>> {
        const OPERATION: &str = "find an object";
        let row = sqlx::query(ONE)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(swid.get())
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        let Some(row) = row else { return Ok(None) };
        let kind = kind(&row, OPERATION)?;
        Ok(Some(StoredObject {
            swid,
            kind,
            owner: column(&row, "email", OPERATION)?,
            created_at: Timestamp::from_micros(column(&row, "created_at", OPERATION)?),
            fields: self.fields_of(swid, kind, OPERATION).await?,
        }))
    }

    async fn fields_of(
        &self,
        swid: Accession,
        kind: ObjectKind,
        operation: &'static str,
    ) -> Result<Map<String, Value>> {
        let (statement, lists): (_, &[(&str, &'static str)]) = match kind {
            ObjectKind::Study => (STUDY, &[]),
            ObjectKind::Experiment => (EXPERIMENT, &[]),
            ObjectKind::Sample => (SAMPLE, &[]),
            ObjectKind::Workflow => (WORKFLOW, &[]),
            ObjectKind::WorkflowRun => {
                (RUN, &[("parents", PARENTS_OF_RUN), ("input_files", INPUTS_OF_RUN)])
            }
            ObjectKind::Processing => (PROCESSING, &[("files", FILES_OF_PROCESSING)]),
            ObjectKind::File => (FILE, &[("parents", PARENTS_OF_FILE)]),
            // Nothing makes these yet, so there is no table of their fields.
            ObjectKind::SequencerRun | ObjectKind::Lane | ObjectKind::Ius => {
                return Ok(Map::new());
            }
        };
        let row = sqlx::query(statement)
            .bind(swid.get())
            .fetch_one(self.reader())
            .await
            .during(operation)?;
        let mut fields = named_values(&row, operation)?;
        for (name, statement) in lists {
            let rows = sqlx::query(*statement)
                .bind(swid.get())
                .fetch_all(self.reader())
                .await
                .during(operation)?;
            let numbers = rows.iter().map(|row| column::<i64>(row, 0, operation));
            let numbers = numbers.collect::<Result<Vec<_>>>()?;
            fields.insert((*name).to_owned(), numbers.into());
        }
        Ok(fields)
    }
}

/// Registers an object of a kind, and puts it into its studies.
pub(crate) async fn register(
    tx: &mut Writing,
    now: i64,
    owner: AccountId,
    kind: ObjectKind,
    studies: Studies<'_>,
    operation: &'static str,
) -> Result<Accession> {
    let anchor = match studies {
        Studies::Of(_) => None,
        Studies::SharedWith(run) => Some(run.get()),
    };
    let row = sqlx::query(REGISTER)
        .bind(kind.as_str())
        .bind(owner.0)
        .bind(anchor)
        .bind(now)
        .fetch_one(&mut **tx)
        .await
        .during(operation)?;
    let swid = accession(&row, "swid", operation)?;
    match studies {
        Studies::Of(parents) if !parents.is_empty() => {
            sqlx::query(INHERIT)
                .bind(swid.get())
                .bind(bulk::numbers(parents.iter().copied()))
                .execute(&mut **tx)
                .await
                .during(operation)?;
        }
        Studies::Of(_) if kind == ObjectKind::Study => {
            sqlx::query(BELONGS_TO_ITSELF)
                .bind(swid.get())
                .execute(&mut **tx)
                .await
                .during(operation)?;
        }
        Studies::Of(_) | Studies::SharedWith(_) => {}
    }
    Ok(swid)
}

/// Returns why an object cannot descend from these, or nothing where it can: the caller sees all of
/// them, and each is of a kind that fits.
pub(crate) async fn refuse_parents(
    tx: &mut Writing,
    access: &Access,
    parents: &[Accession],
    fits: impl Fn(ObjectKind) -> bool,
    operation: &'static str,
) -> Result<Option<Creation>> {
    if parents.is_empty() {
        return Ok(None);
    }
    let rows = sqlx::query(KINDS)
        .bind(access.everything())
        .bind(access.account.0)
        .bind(bulk::numbers(parents.iter().copied()))
        .fetch_all(&mut **tx)
        .await
        .during(operation)?;
    let mut kinds = HashMap::with_capacity(rows.len());
    for row in &rows {
        kinds.insert(accession(row, "swid", operation)?, kind(row, operation)?);
    }
    Ok(parents.iter().find_map(|parent| match kinds.get(parent) {
        None => Some(Creation::NoParent(*parent)),
        Some(kind) if !fits(*kind) => Some(Creation::WrongKind { parent: *parent, kind: *kind }),
        Some(_) => None,
    }))
}

fn kind(row: &AnyRow, operation: &'static str) -> Result<ObjectKind> {
    let word: String = column(row, "kind", operation)?;
    decode(word.parse(), operation, &word, "a kind of object")
}

/// Reads a row as names and values; what is null is left out.
fn named_values(row: &AnyRow, operation: &'static str) -> Result<Map<String, Value>> {
    use sqlx::Column;
    let mut values = Map::new();
    for (index, described) in row.columns().iter().enumerate() {
        let value = match row.try_get::<Option<i64>, _>(index) {
            Ok(number) => number.map(Value::from),
            Err(_) => column::<Option<String>>(row, index, operation)?.map(Value::from),
        };
        if let Some(value) = value {
            values.insert(described.name().to_owned(), value);
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests;
